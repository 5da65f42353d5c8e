"""Connections that come back to another node, by hand: what they have back, and when they begin anew instead."""

import json
from typing import Any

import asyncpg
import pytest

from tests.support.coming_back import Client, Scene, client, said
from tests.support.engineio_client import raw_socket
from tests.support.hub import running_hub, settings
from tests.support.rest import Person, Rest
from tests.support.socket_client import socket_client
from tests.support.wait import until
from tests.support.yjs import Writer


async def test_a_client_that_comes_back_has_its_id_its_rooms_and_what_it_missed_once(scene: Scene) -> None:
    async with scene.listener() as before:
        pass
    await scene.alone()
    await scene.say("missed", "missed too")
    async with client(scene.two, scene.ada, **before.claim) as after:
        assert (after.sid, after.pid) == (before.sid, before.pid)
        assert after.ready["recovered"] is True
        assert said(after.first) == ["missed", "missed too"]
        await scene.say("live")
        assert (await after.event("room:message"))[1]["body"] == "live"
        assert (await after.ok("room:leave", {"roomId": scene.room_id}))["memberCount"] == 1


async def test_the_connection_before_is_closed_where_it_still_seems_to_live(scene: Scene) -> None:
    async with scene.listener() as before:
        await scene.say("not read any more")
        async with client(scene.two, scene.ada, **before.claim) as after:
            assert after.ready["recovered"] is True
            assert said(after.first) == ["not read any more"]
            assert await before.socket.closed()
            await scene.say("live")
            assert (await after.event("room:message"))[1]["body"] == "live"


async def test_it_comes_back_again_and_again_and_hears_nothing_that_it_said_itself(scene: Scene) -> None:
    async with client(scene.one, scene.ada) as ada:
        await ada.ok("room:join", {"roomId": scene.room_id})
    claim, heard = ada.claim, []
    for number in range(12):
        node = (scene.one, scene.two)[number % 2]
        async with client(node, scene.ada, **claim) as again:
            assert again.ready["recovered"] is True
            assert again.sid == ada.sid
            heard += said(again.first)
            mine = {"roomId": scene.room_id, "clientId": f"mine{number}", "body": "mine"}
            await again.ok("room:send", mine)
            claim = again.claim
        await scene.say(f"{number}")
    assert heard == [f"{number}" for number in range(11)]


async def test_without_an_offset_it_has_everything_since_it_joined(scene: Scene) -> None:
    async with client(scene.one, scene.ada) as before:
        await before.ok("room:join", {"roomId": scene.room_id})
        await scene.say("before the first event was read")
    async with client(scene.two, scene.ada, pid=before.pid) as after:
        assert after.ready["recovered"] is True
        assert said(after.first) == ["before the first event was read"]


async def test_a_cut_in_the_middle_of_what_is_sent_again_leaves_no_hole_and_no_double(scene: Scene) -> None:
    async with scene.listener() as before:
        pass
    await scene.say(*map(str, range(10)))
    async with client(scene.two, scene.ada, **before.claim) as after:
        assert said(after.first) == [str(number) for number in range(10)]
        offsets = [arguments[-1] for arguments in after.first if arguments[0] == "room:message"]
    for read, offset in enumerate(offsets, 1):  # as if the connection had been cut after each of them
        async with client(scene.one, scene.ada, pid=before.pid, offset=offset) as again:
            assert again.ready["recovered"] is True
            assert said(again.first) == [str(number) for number in range(read, 10)]


async def test_a_room_that_was_left_stays_left(scene: Scene) -> None:
    async with scene.listener() as before:
        await before.ok("room:leave", {"roomId": scene.room_id})
    await scene.say("for others")
    async with client(scene.two, scene.ada, **before.claim) as after:
        assert after.ready["recovered"] is True
        assert said(after.first) == []
        assert (await after.ok("room:join", {"roomId": scene.room_id}))["memberCount"] == 2


@pytest.fixture
async def admin(scene: Scene, pool: asyncpg.Pool) -> Person:
    person = await scene.rest.sign_up("root")
    await pool.execute("UPDATE account_user SET role = 'admin' WHERE id = $1", person.id)
    return person


async def act(scene: Scene, admin: Person, path: str, **more: Any) -> None:
    """Have an admin do something with Ada's one connection."""
    done = (await scene.rest.post(f"/admin/{path}", admin, json={"userId": scene.ada.id, **more})).expect(200)
    assert done == {"connections": 1, "missingNodes": []}


async def test_who_was_put_into_a_room_by_an_admin_has_it_back_with_what_was_missed(
    scene: Scene, admin: Person
) -> None:
    async with client(scene.one, scene.ada) as before:
        await act(scene, admin, f"rooms/room:{scene.room_id}/join")
        await scene.say("first")
        await before.event("room:message")
    await scene.alone()
    await scene.say("missed")
    async with client(scene.two, scene.ada, **before.claim) as after:
        assert after.ready["recovered"] is True
        assert said(after.first) == ["missed"]


async def test_who_was_taken_out_of_a_room_by_an_admin_stays_out(scene: Scene, admin: Person) -> None:
    async with scene.listener() as before:
        await act(scene, admin, f"rooms/room:{scene.room_id}/leave")
    await scene.alone()
    await scene.say("for others")
    async with client(scene.two, scene.ada, **before.claim) as after:
        assert after.ready["recovered"] is True
        assert said(after.first) == []


async def test_whom_an_admin_has_disconnected_begins_anew(scene: Scene, admin: Person) -> None:
    async with scene.listener() as before:
        await act(scene, admin, "connections/disconnect", reason="maintenance")
        await before.event("hub:disconnected")
        await scene.alone()
    await until(lambda: not scene.one.hub.records.has(before.ready["connectionId"]))
    await is_told(scene, scene.ada, before)


async def test_whom_one_watches_is_watched_again(scene: Scene) -> None:
    async with client(scene.one, scene.ada) as before:
        await before.ok("presence:watch", {"userIds": [scene.bob.id]})
    await scene.alone()
    await scene.speaker.ok("presence:update", {"status": "busy"})
    async with client(scene.two, scene.ada, **before.claim) as after:
        assert after.ready["recovered"] is True
        shown = [user for name, *rest in after.first if name == "presence:diff" for user in rest[0]["users"]]
        while not any((user["userId"], user["status"]) == (scene.bob.id, "busy") for user in shown):
            shown += (await after.event("presence:diff"))[1]["users"]


async def is_told(scene: Scene, person: Person, before: Client, **claim: Any) -> None:
    """The client begins anew: nothing comes again, and nothing of what was is joined."""
    async with client(scene.two, person, **{**before.claim, **claim}) as after:
        assert after.ready["recovered"] is False
        assert after.sid != before.sid
        assert after.pid not in (None, before.pid)
        assert said(after.first) == []


PIDS: list[Any] = ["A" * 22, "", "x" * 65, 5, None, [], "a b", "\u0000"]
OFFSETS: list[Any] = ["", "1", "zz", "a7", "z.z", "-1", "1.2", "1" * 401, 7, [], {}, "~", "\u0661"]


@pytest.mark.parametrize(
    "claim",
    [
        *({"pid": pid} for pid in PIDS),
        *({"offset": offset} for offset in OFFSETS),
        {"offset": "zzzzzzzzzzzz"},  # from the future
    ],
    ids=repr,
)
async def test_a_claim_that_was_made_up_gets_nothing(scene: Scene, claim: dict[str, Any]) -> None:
    async with scene.listener() as before:
        pass
    await scene.say("missed")
    await is_told(scene, scene.ada, before, **claim)


async def test_an_offset_from_before_the_joining_gets_nothing_from_before_it(scene: Scene) -> None:
    async with scene.listener() as earlier:
        pass
    await scene.say("not for who joins later")
    async with client(scene.one, scene.ada) as before:
        await before.ok("room:join", {"roomId": scene.room_id})
        await scene.say("for all")
    async with client(scene.two, scene.ada, pid=before.pid, offset=earlier.offset) as after:
        assert after.ready["recovered"] is True
        assert said(after.first) == ["for all"]


async def test_a_private_id_of_somebody_else_gets_nothing_and_takes_nothing(scene: Scene) -> None:
    async with scene.listener() as before:
        pass
    await scene.say("missed")
    await is_told(scene, scene.bob, before)
    async with client(scene.two, scene.ada, **before.claim) as after:
        assert after.ready["recovered"] is True


async def test_another_sign_in_of_the_same_person_begins_anew(scene: Scene) -> None:
    async with scene.listener() as before:
        pass
    await is_told(scene, await scene.rest.sign_in(scene.ada.name), before)


async def test_a_client_that_left_on_purpose_begins_anew(scene: Scene) -> None:
    async with scene.listener() as before:
        await before.socket.send("41")
        await scene.alone()
    await until(lambda: not scene.one.hub.records.has(before.ready["connectionId"]))
    await is_told(scene, scene.ada, before)


async def test_who_lost_a_room_meanwhile_begins_anew(scene: Scene) -> None:
    private = await scene.rest.room(scene.bob, visibility="private")
    members = f"/rooms/{private}/members"
    (await scene.rest.post(members, scene.bob, json={"userId": scene.ada.id})).expect(201)
    async with scene.listener() as before:
        await before.ok("room:join", {"roomId": private})
    await scene.alone()
    (await scene.rest.request("DELETE", f"{members}/{scene.ada.id}", scene.bob)).expect(204)
    await is_told(scene, scene.ada, before)


async def test_whose_session_was_revoked_is_refused(scene: Scene) -> None:
    async with scene.listener() as before:
        pass
    await scene.alone()
    (await scene.rest.post("/auth/logout", scene.ada)).expect(204)
    async with raw_socket(scene.two) as socket:
        await socket.send("40" + json.dumps({"token": scene.ada.token, **before.claim}))
        assert json.loads((await socket.packet("44"))[2:])["data"]["code"] == "unauthorized"


async def test_an_open_document_is_open_again_and_up_to_date(scene: Scene) -> None:
    document_id = await scene.rest.document(scene.bob, scene.ada)
    writer = Writer()
    async with client(scene.one, scene.ada) as before:
        await before.socket.send(f'429["collab:join",{{"documentId":"{document_id}"}}]')
        await before.socket.packet("462-9")
    await scene.alone()
    async with socket_client(scene.two.url, scene.bob.token) as bob:
        await bob.ok("collab:join", document_id)
        await bob.ok("collab:change", {"documentId": document_id, "update": writer.write("missed")})
        async with client(scene.two, scene.ada, **before.claim) as after:
            assert after.ready["recovered"] is True
            mine = Writer()
            mine.take(after.attached[0])
            assert str(mine) == "missed"
            await bob.ok("collab:change", {"documentId": document_id, "update": writer.write(", live")})
            mine.take(await after.socket.binary())
            assert str(mine) == "missed, live"
            assert (await after.ok("collab:leave", {"documentId": document_id})) == {}


async def test_a_spent_ticket_is_enough_for_the_connection_that_was_made_with_it(scene: Scene) -> None:
    issued = (await scene.rest.post("/realtime/tickets", scene.ada)).expect(201)["ticket"]
    other = (await scene.rest.post("/realtime/tickets", scene.ada)).expect(201)["ticket"]
    async with client(scene.one, scene.ada, token=None, ticket=issued) as before:
        await before.ok("room:join", {"roomId": scene.room_id})
    async with client(scene.one, scene.ada, token=None, ticket=other):
        pass
    await scene.say("missed")
    for refused in ({"ticket": other, **before.claim}, {"ticket": issued}, {"ticket": issued, "pid": "A" * 22}):
        async with raw_socket(scene.two) as socket:
            await socket.send("40" + json.dumps(refused))
            assert json.loads((await socket.packet("44"))[2:])["data"]["code"] == "unauthorized"
    async with client(scene.two, scene.ada, token=None, ticket=issued, **before.claim) as after:
        assert after.ready["recovered"] is True
        assert after.ready["expiresAt"] == before.ready["expiresAt"]
        assert said(after.first) == ["missed"]


async def test_a_spent_ticket_is_not_enough_for_a_connection_that_would_begin_anew(scene: Scene) -> None:
    issued = (await scene.rest.post("/realtime/tickets", scene.ada)).expect(201)["ticket"]
    async with client(scene.one, scene.ada, token=None, ticket=issued) as before:
        pass
    async with raw_socket(scene.two) as socket:
        await socket.send("40" + json.dumps({"ticket": issued, "pid": before.pid, "offset": "zzzzzzzzzzzz"}))
        assert json.loads((await socket.packet("44"))[2:])["data"]["code"] == "unauthorized"
    await until(lambda: len(scene.two.hub.sockets) == 1)  # the speaker


async def test_a_client_of_python_socketio_gets_events_as_they_are(scene: Scene) -> None:
    heard: list[Any] = []
    async with socket_client(scene.one.url, scene.ada.token) as ada:
        ada.io.on("room:message", heard.append)  # one argument, or it would fail
        await ada.ok("room:join", {"roomId": scene.room_id})
        await scene.say("hello")
        await until(lambda: heard)
    assert heard[0]["body"] == "hello"


async def test_nobody_sees_a_client_go_that_comes_back_to_another_node(scene: Scene) -> None:
    await scene.speaker.ok("presence:watch", {"userIds": [scene.ada.id]})
    async with scene.listener() as before:
        pass
    await scene.alone()
    async with client(scene.two, scene.ada, **before.claim) as after:
        await after.ok("presence:update", {"status": "busy"})
        seen: list[str] = []
        while "busy" not in seen:
            _, diff, *_ = await scene.speaker.event("presence:diff")
            seen += [user["status"] for user in diff["users"] if user["userId"] == scene.ada.id]
    assert set(seen) == {"online", "busy"}


async def test_where_it_is_switched_off_everybody_begins_anew(database_url: str, redis_url: str) -> None:
    chosen = settings(database_url, redis_url, {"SPARKLE_CLUSTER_RECOVERY_S": "0"})
    async with running_hub(chosen) as node, Rest(node.url) as rest:
        ada = await rest.sign_up("ada")
        async with client(node, ada) as before:
            assert before.pid is None
        async with client(node, ada, pid="A" * 22, offset="1") as after:
            assert after.ready["recovered"] is False
