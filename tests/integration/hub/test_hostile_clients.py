"""hub.transport under bytes that no client library sends: they end one connection, without a line in the log."""

import asyncio
import json
import logging
from typing import Any

import msgpack
import pytest
from aiohttp import WSMsgType

from hub.kernel.delivery import Delivery
from hub.kernel.ids import user_room
from tests.support.engineio_client import polling_session, raw_socket, signed_in_polling, signed_in_socket
from tests.support.hub import RunningHub, running_hub, settings
from tests.support.local_server import rooms_kept
from tests.support.wait import until


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def engine_sockets(node: RunningHub) -> int:
    return len(node.hub.door.engine.sessions)


NO_ENGINEIO = ["x", "", "7", "b!", "\N{SUPERSCRIPT TWO}", "0", "2", "6"]


async def test_what_is_no_engineio_packet_ends_the_connection(
    node: RunningHub, caplog: pytest.LogCaptureFixture
) -> None:
    token = (await node.sign_up("ada"))["accessToken"]
    for packet in NO_ENGINEIO:
        async with signed_in_socket(node, token) as socket:
            await socket.send(packet)
            assert await socket.closed(), packet
    await until(lambda: len(node.hub.sockets) == 0)
    await until(lambda: engine_sockets(node) == 0)
    assert complaints(caplog) == []


BROKEN_POSTS: list[str | bytes] = ["x", "7", "4\x1e", "b!", b"4\xff", "42[]", "\x1e" * 20_000, "4" + "x" * 1_100_000]


async def test_a_broken_post_ends_a_polling_session(node: RunningHub, caplog: pytest.LogCaptureFixture) -> None:
    token = (await node.sign_up("ada"))["accessToken"]
    for body in BROKEN_POSTS:
        session = await signed_in_polling(node, token)
        await session.post(body)
        assert await session.closed(), body[:10]
    await until(lambda: len(node.hub.sockets) == 0)
    assert complaints(caplog) == []


async def test_acknowledgements_that_nobody_asked_for_are_passed_over(
    node: RunningHub, caplog: pytest.LogCaptureFixture
) -> None:
    token = (await node.sign_up("ada"))["accessToken"]
    async with signed_in_socket(node, token) as socket:
        with_attachment = ('461-7[{"_placeholder":true,"num":0}]', b"x")
        for packet in ('437["x"]', "430[]", *with_attachment, '421["presence:get",{"userIds":[]}]'):
            await socket.send(packet)
        await socket.answer(1)
    assert complaints(caplog) == []


async def test_a_namespace_that_is_not_there_is_refused_and_the_connection_goes_on(node: RunningHub) -> None:
    token = (await node.sign_up("ada"))["accessToken"]
    async with signed_in_socket(node, token) as socket:
        await socket.send("40/admin,{}")
        assert (await socket.packet("44")).startswith("44/admin,")
        await socket.send('421["presence:get",{"userIds":[]}]')
        await socket.answer(1)


BROKEN_MSGPACK = [
    b"\xc1",
    msgpack.packb([1]),
    msgpack.packb({"type": 2, "nsp": "/", "data": "text"}),
    msgpack.packb({"type": 2, "nsp": ["/"], "data": ["presence:get", {}]}),
    msgpack.packb({"type": 2, "nsp": "/", "data": ["presence:get", {}], "id": {}}),
    msgpack.packb({"type": 2, "nsp": "/", "data": ["presence:get", {}], "id": True}),
    msgpack.packb({"type": 2, "nsp": "/", "data": ["presence:get", msgpack.ExtType(5, b"x")], "id": 1}),
    b"\x91" * 5000 + b"\xc0",
    "42[]",
]


async def test_a_broken_msgpack_packet_ends_its_connection(node: RunningHub, caplog: pytest.LogCaptureFixture) -> None:
    token = (await node.sign_up("ada"))["accessToken"]
    for packet in BROKEN_MSGPACK:
        async with raw_socket(node, path="/socket.io-msgpack/") as socket:
            await socket.send(msgpack.packb({"type": 0, "nsp": "/", "data": {"token": token}}))
            await until(lambda: len(node.hub.sockets) == 1)
            await socket.send(packet)
            assert await socket.closed(), packet[:80]
        await until(lambda: len(node.hub.sockets) == 0)
    assert complaints(caplog) == []


async def test_a_msgpack_value_of_no_use_is_an_invalid_payload(node: RunningHub) -> None:
    token = (await node.sign_up("ada"))["accessToken"]
    async with raw_socket(node, path="/socket.io-msgpack/") as socket:
        await socket.send(msgpack.packb({"type": 0, "nsp": "/", "data": {"token": token}}))
        values: list[Any] = [msgpack.Timestamp(1), msgpack.ExtType(0, b"\0"), 2**63, b"\xff", []]
        for value in values:
            await socket.send(msgpack.packb({"type": 2, "nsp": "/", "id": 1, "data": ["presence:update", value]}))
            while (packet := msgpack.unpackb(await socket.binary()))["type"] != 3:
                pass
            assert packet["data"][0]["error"]["code"] == "invalid_payload", value


async def test_an_event_with_two_payloads_is_refused(node: RunningHub) -> None:
    token = (await node.sign_up("ada"))["accessToken"]
    async with signed_in_socket(node, token) as socket:
        await socket.send('421["presence:get",{"userIds":[]},{"userIds":[]}]')
        assert (await socket.answer(1))["error"]["code"] == "invalid_payload"


async def test_a_post_that_comes_in_parts_is_read_to_its_end(node: RunningHub) -> None:
    token = (await node.sign_up("ada"))["accessToken"]
    session = await signed_in_polling(node, token)
    packet = '421["presence:get",{"userIds":[],"more":"' + "x" * 300_000 + '"}]'
    await session.post(packet)
    assert (await session.answer(1))["error"]["code"] == "invalid_payload"


async def test_a_post_of_many_packets_is_handled_whole(node: RunningHub) -> None:
    token = (await node.sign_up("ada"))["accessToken"]
    session = await signed_in_polling(node, token)
    await session.post("\x1e".join(f'42{number}["presence:get",{{"userIds":[]}}]' for number in range(40)))
    for number in range(40):
        assert (await session.answer(number))["ok"]


async def test_closing_during_the_handshake_leaves_nothing(node: RunningHub, monkeypatch: pytest.MonkeyPatch) -> None:
    token = (await node.sign_up("ada"))["accessToken"]
    gate, goes_on, asked = node.hub.sockets._life._gate, asyncio.Event(), asyncio.Event()
    assert gate is not None
    admit = gate.admit

    async def slow_admit(*arguments: object) -> object:
        admission = await admit(*arguments)  # type: ignore[arg-type]
        asked.set()
        await goes_on.wait()
        return admission

    monkeypatch.setattr(gate, "admit", slow_admit)
    session = await polling_session(node)
    async with asyncio.TaskGroup() as group:
        group.create_task(session.connect(token))
        await asked.wait()
        await session.post("1")
        goes_on.set()
    await until(lambda: engine_sockets(node) == 0)
    assert len(node.hub.sockets) == 0
    assert node.hub.sockets._rooms.sockets == {}
    assert rooms_kept(node.hub.sockets._rooms) == set()


async def test_connects_of_one_client_that_are_looked_at_are_bounded(
    node: RunningHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.transport.socketio.client.MAX_IN_FLIGHT", 4)
    token = (await node.sign_up("ada"))["accessToken"]
    gate, goes_on = node.hub.sockets._life._gate, asyncio.Event()
    assert gate is not None
    admit, asked = gate.admit, list[object]()

    async def slow_admit(*arguments: object) -> object:
        asked.append(arguments)
        await goes_on.wait()
        return await admit(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(gate, "admit", slow_admit)
    async with raw_socket(node) as socket, raw_socket(node) as other:
        for _ in range(20):
            await socket.send("40" + json.dumps({"token": token}))
            await socket.send("41")
        await until(lambda: len(asked) == 4)
        await other.send("40" + json.dumps({"token": token}))
        await until(lambda: len(asked) == 5)
        goes_on.set()
        await until(lambda: len(asked) == 21)
        await other.packet("40")
    await until(lambda: len(node.hub.sockets) == 0)


async def test_a_client_that_does_not_read_is_cut_and_its_backlog_dropped(
    node: RunningHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.transport.engineio.session.MAX_HELD_BYTES", 100_000)
    ada, bob = await node.sign_up("ada"), await node.sign_up("bob")
    session = await signed_in_polling(node, ada["accessToken"])  # reads only when it polls
    async with signed_in_socket(node, bob["accessToken"]) as reader:
        text = b"x" * 10_000
        user_rooms = [user_room(person["user"]["id"]) for person in (ada, bob)]
        for number in range(30):
            news = b'{"number":%d,"text":"%b"}' % (number, text)
            node.hub.sockets.deliver(Delivery(user_rooms, "test:news", news))
            assert f'"number":{number},' in await reader.packet('42["test:news"')
        assert len(node.hub.sockets) == 1
    assert await session.closed()


async def test_the_hubs_own_origin_connects_when_others_are_allowed_too(database_url: str, redis_url: str) -> None:
    chosen = settings(database_url, redis_url, {"SPARKLE_ORIGINS": "https://app.example"})
    async with running_hub(chosen) as node:
        for origin in (node.url, "https://app.example"):
            async with raw_socket(node, Origin=origin):
                pass
            async with node.http.get(f"{node.url}/socket.io/?EIO=4&transport=polling", headers={"Origin": origin}) as r:
                assert r.status == 200
                assert r.headers["Access-Control-Allow-Origin"] == origin


async def test_a_failed_upgrade_leaves_polling_as_it_was(node: RunningHub, caplog: pytest.LogCaptureFixture) -> None:
    token = (await node.sign_up("ada"))["accessToken"]
    session = await signed_in_polling(node, token)
    url = f"{node.url}/socket.io/?EIO=4&transport=websocket&sid={session.sid}"
    for garbage in ("x", "2probe garbage", ""):
        async with node.http.ws_connect(url) as websocket:
            await websocket.send_str(garbage)
            assert (await websocket.receive(timeout=5)).type in (WSMsgType.CLOSE, WSMsgType.CLOSED)
    await session.post('421["presence:get",{"userIds":[]}]')
    assert (await session.answer(1))["ok"]
    assert complaints(caplog) == []
