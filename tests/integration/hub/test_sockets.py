"""hub.transport.sockets under clients that do not behave: one is closed or told, nobody else notices."""

import asyncio
import json
import logging

import aiohttp
import pytest

from hub.kernel.events import Caller
from hub.kernel.ids import ConnectionId, UserId, user_room
from hub.kernel.wire import Wire
from tests.support.engineio_client import raw_socket, signed_in_socket
from tests.support.hub import RunningHub
from tests.support.wait import until


async def test_connect_comes_before_session_ready_and_nothing_before_both(node: RunningHub) -> None:
    token = (await node.sign_up("ada"))["accessToken"]
    async with raw_socket(node) as socket:
        await socket.send("40" + json.dumps({"token": token}))
        assert (await socket.packet()).startswith("40{")
        assert (await socket.packet()).startswith('42["session:ready"')


@pytest.mark.parametrize(
    ("auth", "code"),
    [
        ("", "unauthorized"),
        ("{}", "unauthorized"),
        ('{"token":"x"}', "unauthorized"),
        ('{"token":5}', "unauthorized"),
        ('{"ticket":"x"}', "unauthorized"),
    ],
)
async def test_a_refused_handshake_says_why(node: RunningHub, auth: str, code: str) -> None:
    async with raw_socket(node) as socket:
        await socket.send("40" + auth)
        refusal = json.loads((await socket.packet("44"))[2:])
        assert refusal["data"]["code"] == code
        assert refusal["message"]


async def test_the_kind_of_device_in_a_handshake_shows_in_presence_and_an_unknown_one_is_refused(
    node: RunningHub,
) -> None:
    ada = await node.sign_up("ada")
    async with raw_socket(node) as socket, raw_socket(node) as odd:
        await socket.send("40" + json.dumps({"token": ada["accessToken"], "device": "pad", "deviceKind": "tablet"}))
        await socket.packet('42["session:ready"')
        await socket.send("421" + json.dumps(["presence:get", {"userIds": [ada["user"]["id"]]}]))
        [device] = (await socket.answer(1))["data"]["users"][0]["devices"]
        assert (device["device"], device["kind"]) == ("pad", "tablet")
        await odd.send("40" + json.dumps({"token": ada["accessToken"], "deviceKind": "toaster"}))
        refusal = json.loads((await odd.packet("44"))[2:])
        assert (refusal["data"]["code"], "deviceKind" in refusal["message"]) == ("unauthorized", True)


async def test_what_people_do_is_activity_and_what_programs_send_by_themselves_is_not(node: RunningHub) -> None:
    ada = await node.sign_up("ada")
    async with signed_in_socket(node, ada["accessToken"]) as socket:
        [connection_id] = node.hub.sockets.members(user_room(UserId(ada["user"]["id"])))

        async def activity_after(event: str, payload: object) -> float | None:
            await socket.send("421" + json.dumps([event, payload]))
            await socket.answer(1)
            return node.hub.sockets.active_s(connection_id)

        before = node.hub.sockets.active_s(connection_id)
        assert await activity_after("presence:get", {"userIds": []}) == before
        assert await activity_after("collab:awareness", {"documentId": "x"}) == before
        assert await activity_after("presence:update", "online") != before
    assert node.hub.sockets.active_s(ConnectionId("gone")) is None


async def test_a_ticket_connects_once(node: RunningHub) -> None:
    token = (await node.sign_up("ada"))["accessToken"]
    headers = {"Authorization": f"Bearer {token}"}
    async with node.http.post(f"{node.url}/api/v1/realtime/tickets", headers=headers) as response:
        assert response.status == 201
        auth = json.dumps({"ticket": (await response.json())["ticket"]})
    async with raw_socket(node) as first, raw_socket(node) as second:
        await first.send("40" + auth)
        assert (await first.packet("4")).startswith("40")
        await second.send("40" + auth)
        assert (await second.packet("4")).startswith("44")


@pytest.mark.parametrize(
    "packet",
    [
        '42["connect",{}]',
        '42["disconnect","x"]',
        "42{}",
        "42[]",
        "42[1]",
        "4abc",
        "40{}",
        '451-["x",{"_placeholder":true,"num":7}]',
        "44{}",
        "49",
        '42["x",NaN]',
        '42["\\ud83d",1]',
    ],
)
async def test_a_broken_packet_ends_its_connection_and_logs_no_traceback(
    node: RunningHub, packet: str, caplog: pytest.LogCaptureFixture
) -> None:
    token = (await node.sign_up("ada"))["accessToken"]
    async with signed_in_socket(node, token) as bystander:
        async with signed_in_socket(node, token) as socket:
            await socket.send(packet)
            if packet.startswith("451"):
                await socket.send(b"\x00")
                await socket.send('42["presence:get",{"userIds":[]}]')  # what follows must not be read either
            assert await socket.closed()
        await bystander.send('421["presence:get",{"userIds":[]}]')
        await bystander.answer(1)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_an_event_before_connect_ends_the_connection(node: RunningHub) -> None:
    async with raw_socket(node) as socket:
        await socket.send('42["presence:update","online"]')
        assert await socket.closed()


async def test_a_failed_event_without_an_ack_is_told_by_hub_error(node: RunningHub) -> None:
    token = (await node.sign_up("ada"))["accessToken"]
    async with signed_in_socket(node, token) as socket:
        await socket.send('42["no:such"]')
        name, payload = json.loads((await socket.packet('42["hub:error"'))[2:])
        assert name == "hub:error"
        assert payload["event"] == "no:such"
        assert payload["error"]["code"] == "unknown_event"


async def test_half_an_emoji_is_refused_in_words_and_the_connection_stays(node: RunningHub) -> None:
    token = (await node.sign_up("ada"))["accessToken"]
    async with signed_in_socket(node, token) as socket:
        await socket.send('421["presence:update",{"status":"online","text":"half \\ud83d"}]')
        answer = await socket.answer(1)
        assert answer["error"]["code"] == "invalid_payload"
        assert "surrogate" in answer["error"]["message"]
        await socket.send('422["presence:update",{"status":"online","text":"whole \\ud83d\\ude00"}]')
        assert (await socket.answer(2))["data"]["text"] == "whole \U0001f600"


async def test_a_foreign_origin_is_refused_before_any_packet(node: RunningHub) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        async with raw_socket(node, Origin="https://evil.example"):
            pass
    assert caught.value.status == 403


async def test_the_hubs_own_origin_may_connect(node: RunningHub) -> None:
    async with raw_socket(node, Origin=node.url):
        pass


class Number(Wire):
    number: int


async def test_events_with_one_key_complete_in_order_and_others_do_not_wait(node: RunningHub) -> None:
    started: list[int] = []
    done: list[int] = []
    gates = {number: asyncio.Event() for number in range(3)}

    async def slow(_caller: Caller, payload: Number) -> None:
        started.append(payload.number)
        await gates[payload.number].wait()
        done.append(payload.number)

    router = node.hub.sockets._life._router
    router.on("test:slow", Number, slow, order=lambda payload: "odd" if payload.number % 2 else "even")
    token = (await node.sign_up("ada"))["accessToken"]
    async with signed_in_socket(node, token) as socket:
        for number in range(3):
            await socket.send(f'42{number}["test:slow",{{"number":{number}}}]')
        await until(lambda: started == [0, 1])
        gates[2].set()
        gates[1].set()
        await until(lambda: done == [1])
        gates[0].set()
        await until(lambda: done == [1, 0, 2])


async def test_a_handler_that_does_not_wait_still_comes_after_earlier_events_with_its_key(node: RunningHub) -> None:
    done: list[int] = []
    gate = asyncio.Event()

    async def slow(_caller: Caller, payload: Number) -> None:
        await gate.wait()
        done.append(payload.number)

    def quick(_caller: Caller, payload: Number) -> None:
        done.append(payload.number)

    router = node.hub.sockets._life._router
    router.on("test:slow", Number, slow, order=lambda _: "key")
    router.on("test:quick", Number, quick, order=lambda payload: "other" if payload.number == 3 else "key")
    token = (await node.sign_up("ada"))["accessToken"]
    async with signed_in_socket(node, token) as socket:
        for event, number in (("slow", 1), ("quick", 2), ("quick", 3)):
            await socket.send(f'42{number}["test:{event}",{{"number":{number}}}]')
        assert await socket.answer(3) == {"ok": True, "data": {}}
        assert done == [3]
        gate.set()
        await socket.answer(2)
        assert done == [3, 1, 2]
        await socket.send('424["test:quick",{"number":4}]')
        await socket.answer(4)
        assert done == [3, 1, 2, 4]


@pytest.mark.parametrize(
    "text",
    [
        '["presence:get",{"userIds":[]}]',
        '[ "presence:get" , {"userIds" : [ ]} ]',
        '["presence:get",{"userIds":[]}] ',
        '["presence\\u003aget",{"userIds":[]}]',
    ],
)
async def test_an_event_may_be_written_in_any_way_that_is_json(node: RunningHub, text: str) -> None:
    token = (await node.sign_up("ada"))["accessToken"]
    async with signed_in_socket(node, token) as socket:
        await socket.send(f"421{text}")
        assert await socket.answer(1) == {"ok": True, "data": {"users": []}}


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ('["presence:get",{"userIds":[]},{"userIds":[]}]', None),
        ('["presence:get",{"userIds":[]},1]', None),
        ('["presence:get",{"userIds":[],"more":1}]', {"pointer": "/more", "detail": "There is no such field"}),
        ('["presence:get",{}]', {"pointer": "/userIds", "detail": "This field is required"}),
        ('["presence:get"]', {"pointer": "/userIds", "detail": "This field is required"}),
    ],
)
async def test_what_does_not_fit_is_named_however_it_was_read(
    node: RunningHub, text: str, detail: dict[str, str] | None
) -> None:
    token = (await node.sign_up("ada"))["accessToken"]
    async with signed_in_socket(node, token) as socket:
        await socket.send(f"421{text}")
        error = (await socket.answer(1))["error"]
        assert error["code"] == "invalid_payload"
        assert error["errors"] == ([] if detail is None else [detail])


async def test_a_client_with_too_much_under_way_is_not_read_until_something_is_done(
    node: RunningHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.transport.socketio.client.MAX_IN_FLIGHT", 4)
    started: list[int] = []
    gate = asyncio.Event()

    async def slow(_caller: Caller, payload: Number) -> None:
        started.append(payload.number)
        await gate.wait()

    node.hub.sockets._life._router.on("test:slow", Number, slow)
    token = (await node.sign_up("ada"))["accessToken"]
    async with signed_in_socket(node, token) as busy, signed_in_socket(node, token) as other:
        for number in range(10):
            await busy.send(f'42{number}["test:slow",{{"number":{number}}}]')
        await until(lambda: len(started) == 4)
        await other.send('421["presence:get",{"userIds":[]}]')
        await other.answer(1)
        assert started == [0, 1, 2, 3]
        gate.set()
        await busy.answer(9)
    assert started == list(range(10))


@pytest.mark.parametrize("waits", [True, False])
async def test_a_bug_in_a_handler_is_internal_for_the_client_and_logged_for_us(
    node: RunningHub, caplog: pytest.LogCaptureFixture, waits: bool
) -> None:
    async def broken(_caller: Caller, _payload: Number) -> None:
        raise RuntimeError("secret detail")

    def plainly_broken(_caller: Caller, _payload: Number) -> None:
        raise RuntimeError("secret detail")

    handler = broken if waits else plainly_broken
    node.hub.sockets._life._router.on("test:broken", Number, handler)
    token = (await node.sign_up("ada"))["accessToken"]
    async with signed_in_socket(node, token) as socket:
        await socket.send('421["test:broken",{"number":1}]')
        answer = await socket.answer(1)
        assert answer["error"]["code"] == "internal"
        assert "secret" not in json.dumps(answer)
        await socket.send('422["presence:get",{"userIds":[]}]')
        await socket.answer(2)
    assert "test:broken failed" in caplog.text


async def test_signing_out_closes_the_sessions_connections_with_the_reason(node: RunningHub) -> None:
    token = (await node.sign_up("ada"))["accessToken"]
    async with signed_in_socket(node, token) as socket:
        async with node.http.post(
            f"{node.url}/api/v1/auth/logout", headers={"Authorization": f"Bearer {token}"}
        ) as response:
            assert response.status == 204
        assert "session:revoked" in await socket.packet('42["session:revoked"')
        assert (await socket.packet()).startswith("41")


async def test_draining_says_when_to_come_back_and_closes_without_a_disconnect_packet(node: RunningHub) -> None:
    token = (await node.sign_up("ada"))["accessToken"]
    async with signed_in_socket(node, token) as socket:
        await node.hub.drain()
        payload = json.loads((await socket.packet('42["hub:draining"'))[2:])[1]
        assert payload["reconnectAfterMs"] > 0
        assert await socket.closed()
    async with node.http.get(f"{node.url}/health/ready") as response:
        assert response.status == 503
