"""A blocked person sees absence, never the block: every door answers as it does for what does not exist."""

from typing import Any

import pytest

from hub.kernel.ids import new_uuid
from tests.support.hub_process import HubProcess
from tests.support.rest import Person, Rest
from tests.support.socket_client import socket_client


@pytest.fixture
async def things(rest: Rest, ada: Person) -> dict[str, Any]:
    """What Ada has that everybody may see."""
    document = (await rest.post("/documents", ada, json={"title": "Open", "visibility": "public"})).expect(201)
    return {"post": await rest.post_article(ada), "room": await rest.room(ada), "document": document["id"]}


async def test_what_a_stranger_may_read_is_not_there_for_somebody_blocked(
    rest: Rest, elsewhere: Rest, ada: Person, bob: Person, things: dict[str, Any]
) -> None:
    paths = {
        f"/users/{ada.id}": f"/users/{new_uuid()}",
        f"/users/{ada.id}/posts": f"/users/{new_uuid()}/posts",
        f"/users/{ada.id}/followers": f"/users/{new_uuid()}/followers",
        f"/posts/{things['post']['id']}": f"/posts/{new_uuid()}",
        f"/posts/{things['post']['slug']}": "/posts/never-written",
        f"/rooms/{things['room']}": f"/rooms/{new_uuid()}",
        f"/rooms/{things['room']}/messages": f"/rooms/{new_uuid()}/messages",
        f"/documents/{things['document']}": f"/documents/{new_uuid()}",
    }
    for path in paths:
        (await rest.get(path, bob)).expect(200)
    (await rest.post(f"/users/{ada.id}/follow", bob)).expect(204)
    (await rest.post(f"/users/{ada.id}/block", ada)).expect(403)
    (await rest.post(f"/users/{bob.id}/block", ada)).expect(204)
    (await rest.post(f"/users/{bob.id}/block", ada)).expect(204)

    for path, unknown in paths.items():
        absent = (await elsewhere.get(path, bob)).expect(404)
        assert absent == (await elsewhere.get(unknown, bob)).expect(404), path
    followed = await elsewhere.post(f"/users/{ada.id}/follow", bob)
    assert followed.expect(404) == (await elsewhere.post(f"/users/{new_uuid()}/follow", bob)).expect(404)
    for path, mine in (("/posts", things["post"]["id"]), ("/rooms", things["room"])):
        listed = (await rest.get(path, bob, params={"limit": 100})).expect(200)["data"]
        assert mine not in {one["id"] for one in listed}
    assert (await rest.get(f"/users/{ada.id}/followers", ada)).expect(200)["data"] == []

    (await rest.request("DELETE", f"/users/{bob.id}/block", ada)).expect(204)
    for path in paths:
        (await elsewhere.get(path, bob)).expect(200)


async def test_events_answer_somebody_blocked_as_if_nothing_were_there(
    hub: HubProcess, rest: Rest, ada: Person, bob: Person, things: dict[str, Any]
) -> None:
    (await rest.post(f"/users/{ada.id}/follow", bob)).expect(204)
    async with (
        socket_client(hub.nodes[0].url, ada.token) as here,
        socket_client(hub.nodes[1].url, bob.token) as there,
    ):
        (watched,) = (await there.ok("presence:watch", {"userIds": [ada.id]}))["users"]
        assert watched["status"] == "online"
        (await rest.post(f"/users/{bob.id}/block", ada)).expect(204)
        await there.expect("presence:diff", lambda diff: _says(diff, ada, "offline"))

        ghost = new_uuid()
        for person, other in ((there, ada.id), (here, bob.id)):  # the block counts both ways
            calls = [await person.refused("call:initiate", {"to": to, "type": "audio"}) for to in (other, ghost)]
            assert calls[0] == calls[1]
            assert calls[0]["code"] == "not_found"
            seen = (await person.ok("presence:get", {"userIds": [other, ghost]}))["users"]
            assert {**seen[0], "userId": ghost} == seen[1]
        for event, field, known in (
            ("content:subscribe", "contentId", things["post"]["id"]),
            ("room:join", "roomId", things["room"]),
            ("collab:join", "documentId", things["document"]),
        ):
            answers = [await there.refused(event, {field: one}) for one in (known, ghost)]
            assert answers[0] == answers[1], event
            assert answers[0]["code"] == "not_found"

        carol = await rest.sign_up("carol")
        async with socket_client(hub.nodes[1].url, carol.token) as beside:  # on Bob's node: what she hears he could
            await beside.ok("presence:watch", {"userIds": [ada.id]})
            await here.ok("presence:update", {"status": "busy"})
            await beside.expect("presence:diff", lambda diff: _says(diff, ada, "busy"))
        (await rest.post(f"/users/{ada.id}/follow", carol)).expect(204)
        (await rest.post(f"/users/{carol.id}/follow", bob)).expect(204)
        await rest.post_article(ada, "Not for Bob")
        await rest.post_article(carol, "For Bob")  # told after the other: the outbox keeps the order
        # What Ada wrote at the very beginning may have been told only when he followed her already.
        told = await there.expect("content:new", lambda new: new["content"]["title"] != "A title")
        assert told["content"]["title"] == "For Bob"
        assert there.count("content:new") == there.count("call:incoming") == 0
        assert not any(_says(payload, ada, "busy") for event, payload in there.received if event == "presence:diff")


def _says(diff: dict[str, Any], person: Person, status: str) -> bool:
    return any((one["userId"], one["status"]) == (person.id, status) for one in diff["users"])


@pytest.mark.parametrize("reason", ["blocks", "is blocked", "shows nobody", "shows friends"])
async def test_a_presence_that_is_hidden_is_that_of_somebody_unknown_at_every_door(
    hub: HubProcess, rest: Rest, elsewhere: Rest, ada: Person, bob: Person, reason: str
) -> None:
    if reason in ("blocks", "is blocked"):
        blocker, blocked = (ada, bob) if reason == "blocks" else (bob, ada)
        (await rest.post(f"/users/{blocked.id}/block", blocker)).expect(204)
    else:
        choice = {"presence": reason.removeprefix("shows ")}
        (await rest.request("PATCH", "/users/me/privacy", ada, json=choice)).expect(200)
        (await rest.post(f"/users/{ada.id}/follow", bob)).expect(204)  # which is not to be a friend
    ghost = new_uuid()
    async with (
        socket_client(hub.nodes[0].url, ada.token) as here,
        socket_client(hub.nodes[1].url, bob.token) as there,
    ):
        await here.ok("presence:update", {"status": "busy", "text": "at work"})
        asked = {"userIds": [ada.id, ghost]}
        answers = [
            (await rest.get("/presence", bob, params={"ids": f"{ada.id},{ghost}"})).expect(200),
            (await elsewhere.get("/presence", bob, params={"ids": f"{ada.id},{ghost}"})).expect(200),
            await there.ok("presence:get", asked),
            await there.ok("presence:watch", asked),
        ]
        for answer in answers:
            hidden, unknown = answer["users"]
            assert hidden == unknown | {"userId": ada.id}
            assert (unknown["version"], unknown["lastSeen"], unknown["devices"]) == (0, None, [])
        await there.ok("presence:watch", {"people": "following"})
        await here.ok("presence:update", "dnd")
        await here.expect("presence:diff", lambda diff: _says(diff, ada, "dnd"))
        await there.ok("presence:update", "away")
        await there.expect("presence:diff", lambda diff: _says(diff, bob, "away"))  # behind what Ada's would have been
        told = [diff for event, diff in there.received if event == "presence:diff"]
        assert ada.id not in {user["userId"] for diff in told for user in diff["users"]}


async def test_nothing_is_shared_across_a_block(rest: Rest, ada: Person, bob: Person) -> None:
    room, document = f"/rooms/{await rest.room(bob)}", f"/documents/{await rest.document(bob)}"
    (await rest.post(f"/users/{bob.id}/block", ada)).expect(204)
    for resource, role in ((room, {}), (document, {"role": "viewer"})):
        blocked, unknown = [
            await rest.post(f"{resource}/members", bob, json={"userId": user_id, **role})
            for user_id in (ada.id, new_uuid())
        ]
        assert blocked.expect(404) == unknown.expect(404)
