"""Socket events as clients may rely on them, between two nodes."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import socketio

from collab import awareness
from collab.awareness import State
from core_api.accounts.settings import AccountsSettings
from core_api.accounts.signing_key import SigningKey
from core_api.accounts.tokens import TokenSigner
from hub.kernel.clock import SystemClock
from hub.kernel.ids import SessionId, UserId, new_uuid
from tests.support.clock import FrozenClock
from tests.support.hub_process import HubProcess
from tests.support.rest import Person, Rest
from tests.support.socket_client import SocketClient, socket_client
from tests.support.wait import until
from tests.support.yjs import Writer, text_of

WIRE = json.loads((Path(__file__).parents[3] / "docs" / "wire.json").read_text(encoding="utf-8"))
CALL_ID = "01J00000000000000000000000"


# Handshake


async def test_session_ready_has_its_fields_and_nothing_else(hub: HubProcess, ada: Person) -> None:
    async with socket_client(hub.nodes[1].url, ada.token) as socket:
        ready = await socket.expect("session:ready")
        assert ready.keys() == {
            *("userId", "sessionId", "connectionId", "nodeId", "expiresAt", "recovered", "unreadNotifications"),
        }
        assert (ready["userId"], ready["nodeId"]) == (ada.id, hub.nodes[1].node_id)
        assert (ready["recovered"], ready["unreadNotifications"]) == (False, 0)
        assert ready["connectionId"] == socket.io.get_sid()
        assert timedelta() < datetime.fromisoformat(ready["expiresAt"]) - datetime.now(UTC) <= timedelta(minutes=10)


async def test_a_ticket_of_one_node_opens_one_socket_on_another(hub: HubProcess, rest: Rest, ada: Person) -> None:
    ticket = (await rest.post("/realtime/tickets", ada)).expect(201)
    assert ticket.keys() == {"ticket", "expiresAt"}
    life = datetime.fromisoformat(ticket["expiresAt"]) - datetime.now(UTC)
    assert timedelta(seconds=20) < life <= timedelta(seconds=30)

    auth = {"ticket": ticket["ticket"]}
    socket = SocketClient()
    try:
        await socket.io.connect(hub.nodes[1].url, auth=auth, transports=["websocket"])
        assert (await socket.expect("session:ready"))["userId"] == ada.id
        assert (await refusal(hub.nodes[0].url, auth))["code"] == "unauthorized"
    finally:
        await socket.io.shutdown()


async def test_a_token_past_its_time_is_told_from_a_wrong_one(
    hub: HubProcess, rest: Rest, ada: Person, signing_key: SigningKey
) -> None:
    yesterday = FrozenClock(SystemClock().now_ms() - 86_400_000)
    signer = TokenSigner(signing_key, AccountsSettings(), yesterday)
    late = signer.sign(UserId(ada.id), SessionId(new_uuid())).text
    assert (await refusal(hub.nodes[0].url, {"token": late}))["code"] == "token_expired"
    assert (await refusal(hub.nodes[0].url, {"token": late[:-4]}))["code"] == "unauthorized"
    answer = await rest.get("/users/me", Person(ada.id, ada.name, late))
    assert answer.expect(401)["code"] == "token_expired"


async def refusal(url: str, auth: dict[str, str]) -> dict[str, Any]:
    """The ``data`` of the ``connect_error`` that a handshake is answered with."""
    refusals: list[dict[str, Any]] = []
    client = socketio.AsyncClient(reconnection=False)
    client.on("connect_error", refusals.append)
    with pytest.raises(socketio.exceptions.ConnectionError):
        await client.connect(url, auth=auth, transports=["websocket"])
    await client.shutdown()
    data: dict[str, Any] = refusals[0]["data"]
    return data


# Acknowledgements


@pytest.mark.parametrize("event", WIRE["clientEvents"])
async def test_what_does_not_fit_is_refused_by_every_event_and_the_connection_stays(
    hub: HubProcess, ada: Person, event: str
) -> None:
    struct = WIRE["structs"][WIRE["clientEvents"][event]["payload"]["$ref"].rpartition("/")[2]]
    required = struct["required"]
    unfit: list[Any] = [7, [], "", {"strange/field": 1}]
    for first in [*struct["properties"]][:1]:  # an event that takes nothing has none
        unfit += [{}, None, dict.fromkeys(required), {first: b"\0"}]
    async with socket_client(hub.nodes[0].url, ada.token) as socket:
        for payload in unfit:
            error = await socket.refused(event, payload)
            assert error["code"] == "invalid_payload", (payload, error)
            assert error["temporary"] is False
            assert error.keys() == {"code", "message", "temporary", "errors"}
            assert all(fault.keys() == {"pointer", "detail"} for fault in error["errors"])
        missing = await socket.refused(event, {"strange/field": 1})
        expected = {*(f"/{name}" for name in required), "/strange~1field"}
        assert {fault["pointer"] for fault in missing["errors"]} == expected
        assert await socket.ok("presence:get", {"userIds": []}) == {"users": []}


async def test_the_seeds_bare_strings_mean_the_same_as_their_objects(hub: HubProcess, rest: Rest, ada: Person) -> None:
    post, document = (await rest.post_article(ada))["id"], await rest.document(ada)
    async with socket_client(hub.nodes[0].url, ada.token) as socket:
        for event, bare, whole in (
            ("content:subscribe", post, {"contentId": post}),
            ("content:unsubscribe", post, {"contentId": post}),
            ("presence:update", "busy", {"status": "busy"}),
            ("collab:join", document, {"documentId": document}),
        ):
            one, other = await socket.ok(event, bare), await socket.ok(event, whole)
            for device in (*one.get("devices", []), *other.get("devices", [])):
                del device["lastActive"]  # that was now
            assert one == other, event


async def test_what_is_sent_right_behind_a_join_waits_for_it(hub: HubProcess, rest: Rest, ada: Person) -> None:
    post, room, document = (await rest.post_article(ada))["id"], await rest.room(ada), await rest.document(ada)
    cursor = awareness.encode([State(7, 1, b'{"name":"Ada"}')])
    async with socket_client(hub.nodes[0].url, ada.token) as socket:
        answers = await asyncio.gather(
            socket.call("content:subscribe", post),
            socket.call("typing:start", {"room": f"content:{post}"}),
            socket.call("room:join", {"roomId": room}),
            socket.call("room:send", {"roomId": room, "clientId": "1", "body": "Hi"}),
            socket.call("typing:start", {"room": f"room:{room}"}),
            socket.call("collab:join", document),
            socket.call("collab:awareness", {"documentId": document, "update": cursor}),
            socket.call("collab:change", {"documentId": document, "update": Writer().write("Hi")}),
            socket.call("typing:start", {"room": f"doc:{document}"}),
        )
        assert [answer["ok"] for answer in answers] == [True] * 9, answers


# Rooms


async def test_a_repeated_client_id_is_one_message_and_numbers_are_dense_whoever_sends(
    hub: HubProcess, rest: Rest, ada: Person, bob: Person
) -> None:
    room_id = await rest.room(ada)
    async with (
        socket_client(hub.nodes[0].url, ada.token) as here,
        socket_client(hub.nodes[1].url, ada.token) as other_tab,
        socket_client(hub.nodes[1].url, bob.token) as there,
    ):
        for socket in (here, other_tab, there):
            await socket.ok("room:join", {"roomId": room_id})

        def send(socket: SocketClient, number: int) -> Any:
            return socket.ok("room:send", {"roomId": room_id, "clientId": f"c{number}", "body": number})

        senders = [socket for socket in (here, other_tab, there) for _ in range(8)]
        answers = await asyncio.gather(*(send(socket, number % 8) for number, socket in enumerate(senders)))
        assert answers[:8] == answers[8:16]  # one person's two tabs, repeating each other
        assert sorted(answer["seq"] for answer in (*answers[:8], *answers[16:])) == list(range(1, 17))
        assert all(answer.keys() == {"messageId", "seq"} for answer in answers)
        heard = [await there.expect("room:message") for _ in range(8)]
        assert {message["from"] for message in heard} == {ada.id}
        assert {message["seq"] for message in heard} == {answer["seq"] for answer in answers[:8]}
        assert heard[0].keys() == {"roomId", "messageId", "seq", "from", "body", "sentAt"}
        await here.ok("room:send", {"roomId": room_id, "clientId": "last", "body": "last"})
        await there.expect("room:message", lambda message: message["body"] == "last")
        assert there.count("room:message") == 0


async def test_somebody_taken_out_of_a_private_room_hears_no_more(
    hub: HubProcess, rest: Rest, ada: Person, bob: Person
) -> None:
    room_id = await rest.room(ada, visibility="private")
    async with (
        socket_client(hub.nodes[0].url, ada.token) as here,
        socket_client(hub.nodes[1].url, bob.token) as there,
    ):
        assert (await there.refused("room:join", {"roomId": room_id}))["code"] == "not_found"
        (await rest.post(f"/rooms/{room_id}/members", ada, json={"userId": bob.id})).expect(201)
        await here.ok("room:join", {"roomId": room_id})
        await there.ok("room:join", {"roomId": room_id})
        told = await here.expect("room:member")
        assert (told["roomId"], told["userId"], told["joined"]) == (room_id, bob.id, True)
        (await rest.request("DELETE", f"/rooms/{room_id}/members/{bob.id}", ada)).expect(204)
        told = await here.expect("room:member")
        assert (told["roomId"], told["userId"], told["joined"]) == (room_id, bob.id, False)
        assert (await there.refused("typing:start", {"room": f"room:{room_id}"}))["code"] == "forbidden"
        message = {"roomId": room_id, "clientId": "1", "body": "Hi"}
        assert (await there.refused("room:send", message))["code"] == "not_found"


# Presence


async def test_a_presence_has_its_fields_the_truth_to_oneself_and_offline_to_others_while_invisible(
    hub: HubProcess, ada: Person, bob: Person
) -> None:
    async with (
        socket_client(hub.nodes[0].url, ada.token, device="desk") as here,
        socket_client(hub.nodes[1].url, bob.token) as there,
    ):
        own = await here.ok("presence:update", {"status": "busy", "text": "at work", "device": "lap"})
        assert own.keys() == {"userId", "status", "text", "lastSeen", "devices", "version"}
        (device,) = own["devices"]
        assert device.keys() == {"device", "kind", "status", "since", "lastActive"}
        assert (own["userId"], own["status"], device["device"]) == (ada.id, "busy", "lap")
        (watched,) = (await there.ok("presence:watch", {"userIds": [ada.id]}))["users"]
        assert (watched["status"], watched["text"]) == ("busy", "at work")
        assert (await here.ok("presence:update", "invisible"))["status"] == "invisible"
        diff = await there.expect(
            "presence:diff",
            lambda diff: (diff["users"][0]["userId"], diff["users"][0]["status"]) == (ada.id, "offline"),
        )
        assert diff["users"][0]["devices"] == []
        assert diff["users"][0]["version"] > watched["version"]
        assert "text" not in diff["users"][0]


# Content


async def test_a_new_post_reaches_followers_and_nobody_else(
    hub: HubProcess, rest: Rest, ada: Person, bob: Person
) -> None:
    stranger = await rest.sign_up("stranger")
    (await rest.post(f"/users/{ada.id}/follow", bob)).expect(204)
    async with (
        socket_client(hub.nodes[1].url, bob.token) as follower,
        socket_client(hub.nodes[0].url, stranger.token) as other,
    ):
        draft = await rest.post_article(ada, "Not yet", status="DRAFT")
        assert (await follower.refused("content:subscribe", draft["id"]))["code"] == "not_found"
        post = await rest.post_article(ada, "News")
        news = await follower.expect("content:new")
        assert news.keys() == {"content", "timestamp"}
        assert news["content"] == post
        path = f"/posts/{draft['id']}"
        (await rest.request("PATCH", path, ada, json={"status": "PUBLISHED"})).expect(200)
        assert (await follower.expect("content:new"))["content"]["id"] == draft["id"]
        await other.ok("content:subscribe", draft["id"])
        (await rest.request("PATCH", path, ada, json={"title": "Now"})).expect(200)
        updated = await other.expect("content:updated")
        assert (updated["contentId"], updated["content"]["title"]) == (draft["id"], "Now")
        (await rest.request("DELETE", path, ada)).expect(204)
        assert await other.expect("content:removed") == {"contentId": draft["id"]}
        assert other.count("content:new") == follower.count("content:new") == 0


# Documents


async def test_rights_on_an_open_document_follow_its_members(
    hub: HubProcess, rest: Rest, ada: Person, bob: Person
) -> None:
    document_id = await rest.document(ada)
    members = f"/documents/{document_id}/members"
    writer, reader = Writer(), Writer()
    async with (
        socket_client(hub.nodes[0].url, ada.token) as here,
        socket_client(hub.nodes[1].url, bob.token) as there,
    ):
        await here.ok("collab:join", document_id)
        assert (await there.refused("collab:join", document_id))["code"] == "not_found"

        (await rest.post(members, ada, json={"userId": bob.id, "role": "viewer"})).expect(201)
        joined = await there.ok("collab:join", {"documentId": document_id, "stateVector": reader.doc.get_state()})
        assert joined.keys() == {"documentId", "access", "update", "stateVector"}
        assert (joined["access"], type(joined["update"]), type(joined["stateVector"])) == ("read", bytes, bytes)
        change = {"documentId": document_id, "update": reader.write("Hi")}
        assert (await there.refused("collab:change", change))["code"] == "forbidden"

        async def refused_as(code: str | None) -> bool:
            return bool((await there.call("collab:change", change)).get("error", {}).get("code") == code)

        (await rest.request("PATCH", f"{members}/{bob.id}", ada, json={"role": "editor"})).expect(200)
        await until(lambda: refused_as(None))
        seen = await here.expect("collab:update")
        assert text_of(seen["update"]) == "Hi"
        writer.take(seen["update"])
        (await rest.request("PATCH", f"{members}/{bob.id}", ada, json={"role": "commenter"})).expect(200)
        await until(lambda: refused_as("forbidden"))
        (await rest.request("DELETE", f"{members}/{bob.id}", ada)).expect(204)
        await until(lambda: refused_as("not_joined"))
        saved = await here.ok("collab:change", {"documentId": document_id, "update": writer.write("!")})
        assert isinstance(saved["seq"], str)
        assert (await there.refused("collab:join", document_id))["code"] == "not_found"
        assert there.count("collab:update") == 0


# Calls


async def test_a_call_id_makes_a_repeat_harmless_and_is_nobody_elses(
    hub: HubProcess, rest: Rest, ada: Person, bob: Person
) -> None:
    mallory = await rest.sign_up("mallory")
    async with (
        socket_client(hub.nodes[0].url, ada.token) as here,
        socket_client(hub.nodes[1].url, bob.token) as there,
        socket_client(hub.nodes[1].url, mallory.token) as other,
    ):
        call = {"to": bob.id, "type": "audio", "callId": CALL_ID}
        placed = await here.ok("call:initiate", call)
        assert placed.keys() >= {"callId", "state", "iceServers", "expiresAt"}
        assert await here.ok("call:initiate", {**call, "to": [bob.id]}) == placed
        incoming = await there.expect("call:incoming")
        assert incoming.keys() >= {"callId", "initiator", "type", "expiresAt"}
        assert (incoming["callId"], incoming["initiator"]) == (CALL_ID, ada.id)
        assert (await other.refused("call:initiate", call))["code"] == "unknown_call"
        for event in ("accept", "reject", "ignore", "ringing", "hangup"):
            assert (await other.refused(f"call:{event}", {"callId": CALL_ID}))["code"] == "unknown_call", event
        assert (await other.refused("call:sync", {"callId": CALL_ID, "sinceVersion": 0}))["code"] == "unknown_call"
        assert (await here.refused("call:accept", {"callId": CALL_ID}))["code"] == "forbidden"
        assert (await there.ok("call:reject", {"callId": CALL_ID}))["state"] == "ended"
        ended = await here.expect("call:ended")
        assert (ended["callId"], ended["reason"]) == (CALL_ID, "rejected")
        assert (await there.refused("call:accept", {"callId": CALL_ID}))["code"] == "call_ended"


async def test_the_first_device_to_accept_wins_and_the_others_stop_ringing(
    hub: HubProcess, ada: Person, bob: Person
) -> None:
    async with (
        socket_client(hub.nodes[0].url, ada.token) as here,
        socket_client(hub.nodes[0].url, bob.token, device="phone") as phone,
        socket_client(hub.nodes[1].url, bob.token, device="desk") as desk,
    ):
        call_id = (await here.ok("call:initiate", {"to": bob.id, "type": "video"}))["callId"]
        for device in (phone, desk):
            assert (await device.expect("call:incoming"))["callId"] == call_id
        answers = await asyncio.gather(*(device.call("call:accept", {"callId": call_id}) for device in (phone, desk)))
        won, lost = sorted(zip(answers, (phone, desk), strict=True), key=lambda one: not one[0]["ok"])
        assert won[0]["data"].keys() >= {"callId", "state", "iceServers"}
        assert lost[0]["error"]["code"] == "answered_elsewhere"
        assert (await lost[1].expect("call:cancelled"))["reason"] == "answered_elsewhere"
        assert (await here.expect("call:accepted"))["callId"] == call_id
        assert won[1].count("call:cancelled") == 0

        signal = {"callId": call_id, "seq": 1, "signal": {"type": "offer", "sdp": "v=0"}}
        first = await here.ok("call:signal", signal)
        assert await here.ok("call:signal", signal) == first
        heard = await won[1].expect("call:signal")
        assert heard == {"callId": call_id, "from": ada.id, "version": first["version"], "signal": signal["signal"]}
        assert (await here.refused("call:signal", {**signal, "seq": 3}))["code"] == "signal_gap"
        snapshot = await won[1].ok("call:sync", {"callId": call_id, "sinceVersion": 0})
        assert [event["version"] for event in snapshot["events"]] == list(range(1, snapshot["version"] + 1))
        assert (await lost[1].refused("call:hangup", {"callId": call_id}))["code"] == "answered_elsewhere"
        await won[1].ok("call:hangup", {"callId": call_id, "reason": "user_busy"})
        assert (await here.expect("call:ended"))["reason"] == "user_busy"
        assert won[1].count("call:signal") == lost[1].count("call:signal") == 0
