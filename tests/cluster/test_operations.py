"""What an admin does by REST with live connections, over three nodes: done everywhere, and what is unknown is named."""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.support.hub_process import HubProcess, running_hub_process
from tests.support.rest import Answer, Person, Rest
from tests.support.servers import Servers
from tests.support.socket_client import SocketClient, socket_client
from tests.support.wait import until

WITHIN_S = 1.0
NOBODY = "00000000-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
def processes(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    with running_hub_process(servers, tmp_path_factory.mktemp("hub"), nodes=3) as running:
        yield running
    assert "Traceback" not in running.output, running.output


@pytest.fixture
async def admin(hub: HubProcess, rest: Rest) -> Person:
    person = await rest.sign_up("root")
    await asyncio.to_thread(hub.admin, "grant", person.id, "admin")
    return person


@contextlib.asynccontextmanager
async def everywhere(hub: HubProcess, person: Person) -> AsyncIterator[list[SocketClient]]:
    """A connection of the person to each node."""
    async with contextlib.AsyncExitStack() as held:
        yield [
            await held.enter_async_context(socket_client(node.url, person.token, reconnects=True)) for node in hub.nodes
        ]


async def connections(rest: Rest, admin: Person, **query: str) -> dict[str, Any]:
    listing: dict[str, Any] = (await rest.get("/admin/connections", admin, params=query)).expect(200)
    return listing


async def broadcast(rest: Rest, admin: Person, room: str, **body: Any) -> Any:
    answer = await rest.post(f"/admin/rooms/{room}/broadcast", admin, json={"event": "ops:hello", **body})
    return answer.expect(200)["acknowledgements"]


async def test_every_node_is_listed_as_it_describes_itself(hub: HubProcess, rest: Rest, admin: Person) -> None:
    async with everywhere(hub, admin):
        listing = (await rest.get("/admin/nodes", admin)).expect(200)
    assert listing["missingNodes"] == []
    assert {one["name"]: one["nodeId"] for one in listing["nodes"]} == {one.name: one.node_id for one in hub.nodes}
    assert [one["connections"] for one in listing["nodes"]] == [1, 1, 1]


async def test_connections_of_a_user_and_of_a_room_are_listed_with_their_nodes_page_by_page(
    hub: HubProcess, rest: Rest, admin: Person
) -> None:
    ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
    room = await rest.room(ada)
    async with everywhere(hub, ada) as clients, everywhere(hub, bob) as others:
        await clients[0].ok("room:join", {"roomId": room})
        await others[2].ok("room:join", {"roomId": room})
        of_ada = await connections(rest, admin, userId=ada.id)
        assert (of_ada["total"], of_ada["missingNodes"], of_ada["pageInfo"]["hasNext"]) == (3, [], False)
        assert {one["nodeId"] for one in of_ada["data"]} == {node.node_id for node in hub.nodes}
        assert {one["userId"] for one in of_ada["data"]} == {ada.id}
        here = next(one for one in of_ada["data"] if f"room:{room}" in one["rooms"])
        assert here["connectionId"] == clients[0].io.get_sid()
        assert (here["device"], here["roomCount"]) == ("test", len(here["rooms"]))
        assert f"session:{here['sessionId']}" in here["rooms"]
        in_room = await connections(rest, admin, room=f"room:{room}")
        assert {one["userId"] for one in in_room["data"]} == {ada.id, bob.id}

        found: list[str] = []
        query = {"userId": ada.id, "limit": "1"}
        for _ in range(3):
            page = await connections(rest, admin, **query)
            found += [one["connectionId"] for one in page["data"]]
            query["cursor"] = page["pageInfo"]["nextCursor"] or ""
        assert found == sorted(client.io.get_sid() for client in clients)
        assert not query["cursor"]


async def test_connections_of_a_user_are_put_into_a_room_and_taken_out_on_all_nodes(
    hub: HubProcess, rest: Rest, admin: Person
) -> None:
    ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
    room = await rest.room(bob)
    async with everywhere(hub, ada) as clients, socket_client(hub.nodes[0].url, bob.token) as owner:
        await owner.ok("room:join", {"roomId": room})
        path = f"/admin/rooms/room:{room}"
        done = {"connections": 3, "missingNodes": []}
        assert (await rest.post(f"{path}/join", admin, json={"userId": ada.id})).expect(200) == done
        await owner.ok("room:send", {"roomId": room, "clientId": "1", "body": "for all"})
        for client in clients:
            assert (await client.expect("room:message"))["body"] == "for all"
        assert (await connections(rest, admin, room=f"room:{room}"))["total"] == 4

        one = {"connectionId": clients[1].io.get_sid()}
        assert (await rest.post(f"{path}/leave", admin, json=one)).expect(200)["connections"] == 1
        assert (await rest.post(f"{path}/leave", admin, json=one)).expect(200)["connections"] == 0
        await owner.ok("room:send", {"roomId": room, "clientId": "2", "body": "for two"})
        for client in (clients[0], clients[2]):
            assert (await client.expect("room:message"))["body"] == "for two"
        await broadcast(rest, admin, f"user:{ada.id}", payload={"last": True})
        await clients[1].expect("ops:hello")
        assert clients[1].count("room:message") == 0
        everybody = {"room": f"room:{room}"}
        assert (await rest.post(f"{path}/leave", admin, json=everybody)).expect(200)["connections"] == 3
        assert (await connections(rest, admin, room=f"room:{room}"))["total"] == 0


@pytest.mark.parametrize("by", ["user", "room"])
async def test_disconnected_connections_are_told_why_and_do_not_come_back_and_others_stay(
    hub: HubProcess, rest: Rest, admin: Person, by: str
) -> None:
    ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
    room = await rest.room(ada)
    async with everywhere(hub, ada) as clients, everywhere(hub, bob) as others:
        for client in clients:
            await client.ok("room:join", {"roomId": room})
        target = {"userId": ada.id} if by == "user" else {"room": f"room:{room}"}
        body = {**target, "reason": "maintenance of the room"}
        answer = await rest.post("/admin/connections/disconnect", admin, json=body)
        assert answer.expect(200) == {"connections": 3, "missingNodes": []}
        for client in clients:
            told = await client.expect("hub:disconnected", timeout_s=WITHIN_S)
            assert told == {"reason": "maintenance of the room"}
        await until(lambda: not any(client.connected for client in clients), WITHIN_S)
        for other in others:
            assert await other.ok("presence:get", {"userIds": []}) == {"users": []}
        (await rest.get("/users/me", ada)).expect(200)
        async with socket_client(hub.nodes[1].url, ada.token):
            pass
    assert f"admin {admin.id} disconnects" in hub.output


async def test_a_broadcast_brings_the_answers_of_all_members_and_names_the_silent(
    hub: HubProcess, rest: Rest, admin: Person
) -> None:
    ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
    room, release = await rest.room(ada), asyncio.Event()

    async def answer(payload: Any) -> Any:
        return {"had": payload["n"]}

    async def wait(_: Any) -> None:
        await release.wait()

    async with everywhere(hub, ada) as clients, socket_client(hub.nodes[1].url, bob.token) as silent:
        for client in clients:
            client.io.on("ops:hello", answer)
        silent.io.on("ops:hello", wait)
        for client in (*clients, silent):
            await client.ok("room:join", {"roomId": room})
        outcome = await broadcast(rest, admin, f"room:{room}", payload={"n": 7}, expectAck=True, timeoutMs=500)
        release.set()
        ids = {node.node_id for node in hub.nodes}
        assert {(one["connectionId"], one["answer"][0]["had"]) for one in outcome["answers"]} == {
            (client.io.get_sid(), 7) for client in clients
        }
        assert {one["nodeId"] for one in outcome["answers"]} == ids
        assert outcome["silent"] == [silent.io.get_sid()]
        assert (outcome["answered"], outcome["members"], outcome["truncated"]) == (3, 4, False)
        assert outcome["missingNodes"] == []


async def test_a_broadcast_without_acknowledgements_reaches_all_members(
    hub: HubProcess, rest: Rest, admin: Person
) -> None:
    ada = await rest.sign_up("ada")
    async with everywhere(hub, ada) as clients:
        assert await broadcast(rest, admin, f"user:{ada.id}", payload={"text": "é"}) is None
        for client in clients:
            assert await client.expect("ops:hello") == {"text": "é"}


async def test_a_node_that_is_stopped_is_named_in_time_by_every_operation(
    hub: HubProcess, rest: Rest, admin: Person
) -> None:
    ada = await rest.sign_up("ada")
    room = await rest.room(ada)
    stopped, asked = hub.nodes[2], hub.nodes[0]
    missing = stopped.node_id
    async with everywhere(hub, ada) as clients, Rest(asked.url) as here:
        for client in clients:
            await client.ok("room:join", {"roomId": room})
        with stopped.paused():
            began = time.monotonic()
            target = {"userId": ada.id}
            listed, nodes, joined, told, closed = await asyncio.gather(
                connections(here, admin, userId=ada.id),
                here.get("/admin/nodes", admin),
                here.post(f"/admin/rooms/room:{room}/join", admin, json=target),
                broadcast(here, admin, f"room:{room}", expectAck=True, timeoutMs=500),
                here.post("/admin/connections/disconnect", admin, json={"room": "room:nobody", "reason": "none"}),
            )
            assert time.monotonic() - began < 4
        assert [listed["missingNodes"], told["missingNodes"]] == [[missing], [missing]]
        for answer in (nodes, joined, closed):
            assert answer.expect(200)["missingNodes"] == [missing]
        assert (listed["total"], told["members"], joined.body["connections"]) == (2, 2, 2)
        assert {one["nodeId"] for one in nodes.body["nodes"]} == {one.node_id for one in hub.nodes} - {missing}

        async def is_back() -> bool:
            found = await connections(here, admin, userId=ada.id)
            return not found["missingNodes"] and bool(found["total"] == 3)

        await until(is_back)


async def test_a_node_that_was_killed_is_named_until_it_counts_as_dead(
    hub: HubProcess, rest: Rest, admin: Person
) -> None:
    killed, asked = hub.nodes[1], hub.nodes[0]
    dead = killed.node_id
    async with Rest(asked.url) as here:
        killed.send(signal.SIGKILL)
        assert dead in (await here.get("/admin/nodes", admin)).expect(200)["missingNodes"]

        async def is_forgotten() -> bool:
            listing = (await here.get("/admin/nodes", admin)).expect(200)
            return not listing["missingNodes"] and len(listing["nodes"]) == 3

        await until(is_forgotten, 30)


async def test_nobody_there_is_no_error(hub: HubProcess, rest: Rest, admin: Person) -> None:
    listing = await connections(rest, admin, userId=NOBODY)
    assert (listing["data"], listing["total"], listing["missingNodes"]) == ([], 0, [])
    none = {"connections": 0, "missingNodes": []}
    for path in ("rooms/room:empty/join", "rooms/room:empty/leave"):
        assert (await rest.post(f"/admin/{path}", admin, json={"userId": NOBODY})).expect(200) == none
    body = {"connectionId": "nobody", "reason": "tidying up"}
    assert (await rest.post("/admin/connections/disconnect", admin, json=body)).expect(200) == none
    outcome = await broadcast(rest, admin, "room:empty", expectAck=True)
    assert (outcome["answers"], outcome["members"], outcome["missingNodes"]) == ([], 0, [])


async def test_what_does_not_fit_is_refused_before_any_node_is_asked(
    hub: HubProcess, rest: Rest, admin: Person
) -> None:
    long = "room:" + "a" * 10_000
    event = {"event": "ops:hello"}
    deep: Any = []
    for _ in range(40):
        deep = [deep]
    answers: list[Answer] = [
        await rest.post(f"/admin/rooms/{path}", admin, json=body)
        for path, body in (
            (f"{long[:7000]}/join", {"userId": NOBODY}),
            ("user:somebody/join", {"userId": NOBODY}),
            ("session:somebody/leave", {"userId": NOBODY}),
            ("nothing/join", {"userId": NOBODY}),
            ("room:a%0A/join", {"userId": NOBODY}),
            ("room:a/join", {"room": long}),
            ("room:a/join", {}),
            ("room:a/join", {"userId": NOBODY, "room": "room:b"}),
            ("room:a/join", {"connectionId": "../a"}),
            ("room:a/broadcast", {"event": "disconnect"}),
            ("room:a/broadcast", {"event": "presence:diff", "payload": {"users": 5}}),
            ("room:a/broadcast", event | {"payload": {"a": deep}}),
            ("room:a/broadcast", event | {"payload": {"a": 2**80}}),
            ("room:a/broadcast", event | {"timeoutMs": 60_000}),
        )
    ]
    answers += [
        await rest.get("/admin/connections", admin, params=query)
        for query in ({}, {"room": long[:3000]}, {"userId": "ada"}, {"userId": NOBODY, "room": "room:a"})
    ]
    for answer in answers:
        assert answer.expect(422)["code"] == "invalid_payload"
    large = event | {"payload": {"text": "a" * 70_000}}
    answer = await rest.post("/admin/rooms/room:a/broadcast", admin, json=large)
    assert answer.expect(413)["code"] == "payload_too_large"


async def test_only_an_admin_may_and_that_as_the_database_says_at_this_moment(hub: HubProcess, rest: Rest) -> None:
    ada = await rest.sign_up("ada")

    async def is_refused() -> bool:
        answers = [
            await rest.get("/admin/nodes", ada),
            await rest.get("/admin/connections", ada, params={"userId": ada.id}),
            await rest.post("/admin/connections/disconnect", ada, json={"userId": ada.id, "reason": "x"}),
            await rest.post(f"/admin/users/{NOBODY}/suspend", ada, data=b"not even JSON"),
        ]
        return {(answer.status, answer.body["code"]) for answer in answers} == {(403, "forbidden")}

    assert await is_refused()
    await asyncio.to_thread(hub.admin, "grant", ada.id, "moderator")
    assert await is_refused()
    await asyncio.to_thread(hub.admin, "grant", ada.id, "admin")
    (await rest.get("/admin/nodes", ada)).expect(200)
    await asyncio.to_thread(hub.admin, "grant", ada.id, "user")
    assert await is_refused()
    assert f"user {ada.id}, who is not admin" in hub.output


async def test_a_suspension_by_rest_acts_as_that_of_the_command(hub: HubProcess, rest: Rest, admin: Person) -> None:
    ada = await rest.sign_up("ada")
    path = f"/admin/users/{ada.id}"
    async with everywhere(hub, ada) as clients:
        answer = await rest.post(f"{path}/suspend", admin, json={"reason": "spam"})
        assert answer.expect(200) == {"userId": ada.id, "status": "suspended", "changed": True}
        end = time.monotonic() + WITHIN_S
        for client in clients:
            told = await client.expect("session:revoked", timeout_s=end - time.monotonic())
            assert told == {"reason": "suspended"}
    assert (await rest.get("/users/me", ada)).expect(403)["code"] == "suspended"
    assert (await rest.post(f"{path}/suspend", admin, json={"reason": "more"})).expect(200)["changed"] is False
    answer = await rest.post(f"{path}/unsuspend", admin)
    assert answer.expect(200) == {"userId": ada.id, "status": "active", "changed": True}
    await rest.sign_in(ada.name)
    assert (await rest.post(f"/admin/users/{NOBODY}/unsuspend", admin)).expect(404)["code"] == "not_found"
    own = await rest.post(f"/admin/users/{admin.id}/suspend", admin, json={"reason": "tired"})
    assert own.expect(403)["code"] == "forbidden"
