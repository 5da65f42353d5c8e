"""Connections that come back while something else happens: no right is got back, nothing is lost or heard twice."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from hub.cluster.shard_commands import RoomRead
from hub.kernel.delivery import Delivery
from hub.kernel.errors import NotFound, Unauthorized
from hub.kernel.events import Caller
from hub.kernel.ids import ConnectionId, RoomName, UserId, user_room
from hub.transport.socketio.socket import Lobby
from tests.support.coming_back import Client, Scene, client, said
from tests.support.engineio_client import raw_socket
from tests.support.hub import RunningHub
from tests.support.wait import until

Restore = Callable[[Caller, Mapping[str, bytes]], Awaitable[None]]


def room_of(scene: Scene) -> RoomName:
    return RoomName(f"room:{scene.room_id}")


def during_restore(node: RunningHub, do: Callable[[Caller], Awaitable[None]]) -> None:
    """Have something happen on a node while a connection is in its rooms, and not answered yet."""
    restores = node.hub.sockets._life._router.restores
    as_ever: Restore = restores["room"]

    async def restore(caller: Caller, rooms: Mapping[str, bytes]) -> None:
        await do(caller)
        await as_ever(caller, rooms)

    restores["room"] = restore


async def waits(node: RunningHub, caller: Caller) -> None:
    """Return when something waits for a connection that is not answered."""
    lobby = node.hub.sockets._connections[caller.connection_id].socket.sink
    assert isinstance(lobby, Lobby)
    await until(lambda: lobby.packets or lobby.outbox)


async def test_who_may_not_be_in_a_room_gets_nothing_that_came_before_that_was_seen(scene: Scene) -> None:
    async def hear_and_be_refused(caller: Caller) -> None:
        await scene.say("not for her")
        await waits(scene.two, caller)
        raise NotFound

    async with scene.listener() as before:
        pass
    await scene.alone()
    during_restore(scene.two, hear_and_be_refused)
    async with client(scene.two, scene.ada, **before.claim) as after:
        assert after.ready["recovered"] is False
        assert said(after.first) == []


async def test_what_cannot_be_given_back_whole_is_not_given_in_part(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scene.listener() as before:
        pass
    await scene.alone()
    await scene.say("missed")
    bus = scene.two.hub.bus
    read = bus.read

    async def read_too_late(index: int, since: Mapping[RoomName, int]) -> Any:
        if room_of(scene) in since:
            await scene.say("meanwhile")
            await until(lambda: bus.position_of(room_of(scene)) >= scene.one.hub.bus.position_of(room_of(scene)))
        found = await read(index, since)
        if found is not None and room_of(scene) in found:
            was = found[room_of(scene)]
            found[room_of(scene)] = RoomRead(was.last, was.entries[1:])
        return found

    monkeypatch.setattr(bus, "read", read_too_late)
    async with client(scene.two, scene.ada, **before.claim) as after:
        assert after.ready["recovered"] is False
        assert said(after.first) == []


async def test_it_does_not_hear_what_its_lost_connection_said_while_it_comes_back(scene: Scene) -> None:
    async with scene.listener() as before:
        lost = ConnectionId(before.ready["connectionId"])

    async def said_late(_caller: Caller) -> None:
        room = room_of(scene)
        mine = {"roomId": scene.room_id, "body": "mine"}
        scene.one.hub.bus.emit(Delivery([room], "room:message", None, mine, lost, False))
        await scene.say("after it")
        await until(lambda: scene.two.hub.bus.position_of(room) >= scene.one.hub.bus.position_of(room))

    await scene.alone()
    during_restore(scene.two, said_late)
    async with client(scene.two, scene.ada, **before.claim) as after:
        assert after.ready["recovered"] is True
        assert said(after.first) == ["after it"]


async def test_a_connection_that_is_cut_as_it_comes_back_leaves_no_trace(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = scene.two.hub.sockets
    live = two._life._router.restores["room"].__self__  # type: ignore[attr-defined]

    def seats() -> set[object]:
        return {seat for part in live._rooms.attendance._here for seat in part}

    async with scene.listener() as before:
        pass
    await scene.alone()
    gate = two._life._gate
    assert gate is not None
    before_it_came = seats()

    async def cut(_session_id: str) -> None:
        for connection_id in two.members(user_room(UserId(scene.ada.id))):
            two.drop(connection_id)

    monkeypatch.setattr(gate, "recheck", cut)
    async with raw_socket(scene.two) as socket:
        await socket.send("40" + json.dumps({"token": scene.ada.token, **before.claim}))
        assert await socket.closed()
    await until(lambda: len(two) == 1)
    await two.settled()
    await until(lambda: seats() == before_it_came)


async def test_an_event_for_several_rooms_skips_one_who_is_in_two_of_them(scene: Scene) -> None:
    async with scene.listener() as ada:
        room, sockets = room_of(scene), scene.one.hub.sockets
        both = {"roomId": scene.room_id, "body": "both"}
        skip = ConnectionId(ada.ready["connectionId"])
        sockets.deliver(Delivery([room], "room:message", None, both, skip, False, [user_room(UserId(scene.ada.id))]))
        await scene.say("next")
        assert said([await ada.event("room:message")]) == ["next"]


async def is_told(scene: Scene, before: Client) -> None:
    async with client(scene.two, scene.ada, **before.claim) as after:
        assert after.ready["recovered"] is False
        assert said(after.first) == []


async def test_who_was_put_out_of_a_room_and_let_in_again_gets_nothing_of_between(scene: Scene) -> None:
    private = await scene.rest.room(scene.bob, visibility="private")
    members = f"/rooms/{private}/members"
    (await scene.rest.post(members, scene.bob, json={"userId": scene.ada.id})).expect(201)
    await scene.speaker.ok("room:join", {"roomId": private})
    async with scene.listener() as before:
        await before.ok("room:join", {"roomId": private})
    await scene.alone()
    (await scene.rest.request("DELETE", f"{members}/{scene.ada.id}", scene.bob)).expect(204)
    await scene.say("among ourselves", room_id=private)
    (await scene.rest.post(members, scene.bob, json={"userId": scene.ada.id})).expect(201)
    await is_told(scene, before)


async def test_who_was_put_out_and_joined_again_before_it_was_lost_has_everything_back(scene: Scene) -> None:
    private = await scene.rest.room(scene.bob, visibility="private")
    members = f"/rooms/{private}/members"
    (await scene.rest.post(members, scene.bob, json={"userId": scene.ada.id})).expect(201)
    await scene.speaker.ok("room:join", {"roomId": private})
    async with scene.listener() as before:
        await before.ok("room:join", {"roomId": private})
        (await scene.rest.request("DELETE", f"{members}/{scene.ada.id}", scene.bob)).expect(204)
        room, ada = RoomName(f"room:{private}"), ConnectionId(before.ready["connectionId"])
        await until(lambda: not scene.one.hub.sockets.is_member(ada, room))
        (await scene.rest.post(members, scene.bob, json={"userId": scene.ada.id})).expect(201)
        claim = before.claim  # as if nothing had been read since
        await before.ok("room:join", {"roomId": private})
    await scene.alone()
    await scene.say("missed", room_id=private)
    async with client(scene.two, scene.ada, **claim) as after:
        assert after.ready["recovered"] is True
        assert said(after.first) == ["missed"]


@pytest.mark.parametrize("how", ["block", "privacy"])
async def test_who_could_not_see_somebody_for_a_while_sees_what_is_so_and_not_what_they_did_meanwhile(
    scene: Scene, how: str
) -> None:
    hiding, showing = {
        "block": (("POST", f"/users/{scene.ada.id}/block", {}), ("DELETE", f"/users/{scene.ada.id}/block", {})),
        "privacy": (
            ("PATCH", "/users/me/privacy", {"json": {"presence": "nobody"}}),
            ("PATCH", "/users/me/privacy", {"json": {"presence": "everyone"}}),
        ),
    }[how]

    async def act(method: str, path: str, options: dict[str, Any]) -> None:
        assert (await scene.rest.request(method, path, scene.bob, **options)).status in (200, 204)

    async with client(scene.one, scene.ada) as before:
        await before.ok("presence:watch", {"userIds": [scene.bob.id]})
    await scene.alone()
    await act(*hiding)
    await scene.speaker.ok("presence:update", {"status": "busy", "text": "with somebody else"})
    await scene.speaker.event("presence:diff")
    await scene.speaker.ok("presence:update", {"status": "online", "text": ""})
    await act(*showing)
    async with client(scene.two, scene.ada, **before.claim) as after:
        assert after.ready["recovered"] is True, "who hides is seen by nobody"
        events = [rest[0] for name, *rest in after.first if name == "presence:diff"]
        await scene.speaker.ok("presence:update", {"status": "dnd"})
        while not events or events[-1]["users"][0]["status"] != "dnd":
            events.append((await after.event("presence:diff"))[1])
        shown = [user["status"] for diff in events for user in diff["users"] if user["userId"] == scene.bob.id]
        assert (shown[0], shown[-1]) == ("online", "dnd")
        assert "busy" not in shown


async def test_whose_call_ended_meanwhile_is_told(scene: Scene) -> None:
    async with client(scene.one, scene.ada) as before:
        call = await before.ok("call:initiate", {"to": scene.bob.id, "type": "audio"})
        await scene.speaker.ok("call:accept", {"callId": call["callId"]})
    await scene.alone()
    await scene.speaker.ok("call:hangup", {"callId": call["callId"]})
    await is_told(scene, before)


async def test_a_session_that_ends_while_it_comes_back_gets_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = scene.two.hub.sockets._life._gate
    assert gate is not None

    async def refused(_caller: Caller) -> None:
        raise Unauthorized

    async def end(_caller: Caller) -> None:
        monkeypatch.setattr(gate, "confirm", refused)

    async with scene.listener() as before:
        pass
    await scene.alone()
    await scene.say("missed")
    during_restore(scene.two, end)
    async with raw_socket(scene.two) as socket:
        await socket.send("40" + json.dumps({"token": scene.ada.token, **before.claim}))
        assert json.loads((await socket.packet("4"))[2:])["data"]["code"] == "unauthorized"
    await until(lambda: len(scene.two.hub.sockets) == 1)


async def test_more_than_is_ever_kept_for_a_client_is_not_sent_again(scene: Scene) -> None:
    async with scene.listener() as before:
        pass
    await scene.say(*("x" * 16_000 for _ in range(70)))
    await is_told(scene, before)


async def test_what_cannot_be_encoded_leaves_no_connection_behind(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scene.listener() as before:
        pass
    await scene.say("missed")

    def fail(*_arguments: object) -> bytes:
        raise TypeError("a value that the parser does not have")

    with monkeypatch.context() as patched:
        patched.setattr("hub.transport.connection_life.DeliveryPackets.__call__", fail)
        async with raw_socket(scene.two) as socket:
            await socket.send("40" + json.dumps({"token": scene.ada.token, **before.claim}))
            await socket.packet("44")
    await until(lambda: len(scene.two.hub.sockets) == 1)


async def test_a_client_that_came_back_with_another_ticket_needs_no_more_than_that(scene: Scene) -> None:
    async def issued() -> str:
        ticket: str = (await scene.rest.post("/realtime/tickets", scene.ada)).expect(201)["ticket"]
        return ticket

    first, second = await issued(), await issued()
    async with client(scene.one, scene.ada, token=None, ticket=first) as before:
        pass
    async with client(scene.two, scene.ada, token=None, ticket=second, **before.claim) as again:
        assert again.ready["recovered"] is True
    async with client(scene.one, scene.ada, token=None, ticket=second, **before.claim) as once_more:
        assert once_more.ready["recovered"] is True
        assert once_more.ready["expiresAt"] == again.ready["expiresAt"]


async def test_what_was_missed_comes_before_what_came_while_it_was_read(scene: Scene) -> None:
    async def say_more(caller: Caller) -> None:
        await scene.say("meanwhile")
        await waits(scene.two, caller)

    async with scene.listener() as before:
        pass
    await scene.alone()
    await scene.say("missed")
    during_restore(scene.two, say_more)
    async with client(scene.two, scene.ada, **before.claim) as after:
        assert said(after.first) == ["missed", "meanwhile"]


async def test_a_room_that_no_feature_restores_is_not_given_back_without_it(scene: Scene) -> None:
    async with scene.listener() as before:
        lost, records = ConnectionId(before.ready["connectionId"]), scene.one.hub.records
        await records.moved(lost, {RoomName("strange:room"): scene.one.hub.bus.position_of(RoomName("strange:room"))})
    await is_told(scene, before)
