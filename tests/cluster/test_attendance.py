"""Who is in a room while nodes die, drain and lose their Redis: people, counts, and who is told of whom."""

import contextlib
import signal
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from socketio.exceptions import SocketIOError

from tests.support.hub_process import HubProcess
from tests.support.rest import Rest
from tests.support.socket_client import SocketClient, connected_to, socket_client
from tests.support.wait import until

GONE_WITHIN_S = 8.0
"""Of the death of a node: 5 s of lease, and the sweeper's next round."""


async def people(client: SocketClient, room_id: str) -> list[str]:
    """Those in a room."""
    window = await client.ok("presence:members", {"room": f"room:{room_id}"})
    assert window["count"] == len(window["members"])
    return [one["userId"] for one in window["members"]]


async def test_people_are_listed_over_both_nodes_as_each_may_see_them(hub: HubProcess, rest: Rest) -> None:
    ada, bob, eve = [await rest.sign_up(name) for name in ("ada", "bob", "eve")]
    room_id = await rest.room(ada)
    async with (
        socket_client(hub.nodes[0].url, ada.token) as here,
        socket_client(hub.nodes[1].url, bob.token) as there,
        socket_client(hub.nodes[1].url, bob.token) as tablet,
        socket_client(hub.nodes[1].url, eve.token) as hidden,
    ):
        for client in (here, there, tablet, hidden):
            await client.ok("room:join", {"roomId": room_id})
        await there.ok("presence:update", "busy")
        first = await here.ok("presence:members", {"room": f"room:{room_id}", "limit": 2})
        assert [(one["userId"], one["status"]) for one in first["members"]] == [(ada.id, "online"), (bob.id, "busy")]
        rest_of = await here.ok("presence:members", {"room": f"room:{room_id}", "limit": 2, "cursor": first["next"]})
        assert [one["userId"] for one in rest_of["members"]] == [eve.id]
        assert (first["count"], "next" in rest_of) == (3, False)

        (await rest.post(f"/users/{eve.id}/block", bob)).expect(204)
        window = await there.ok("presence:members", {"room": f"room:{room_id}"})
        assert [one["userId"] for one in window["members"]] == [ada.id, bob.id]
        await there.ok("room:leave", {"roomId": room_id})
        assert (await there.refused("presence:members", {"room": f"room:{room_id}"}))["code"] == "forbidden"
        assert (await here.refused("presence:members", {"room": f"room:{room_id}", "cursor": "x"}))["code"] == (
            "invalid_payload"
        )


async def test_people_of_a_dead_node_are_told_as_gone_once_and_those_who_moved_are_not(
    hub: HubProcess, rest: Rest
) -> None:
    survivor, dying = hub.nodes
    ada, bob, eve = [await rest.sign_up(name) for name in ("ada", "bob", "eve")]
    room_id = await rest.room(ada)
    async with (
        socket_client(survivor.url, ada.token) as watcher,
        socket_client(dying.url, bob.token) as lost,
        socket_client(dying.url, eve.token) as moving,
    ):
        for client in (watcher, lost, moving):
            await client.ok("room:join", {"roomId": room_id})
        for person in (bob, eve):
            await watcher.expect("room:member", _says(person.id, joined=True))
        dying.send(signal.SIGKILL)
        async with socket_client(survivor.url, eve.token) as moved:
            await moved.ok("room:join", {"roomId": room_id})
            await watcher.expect("room:member", _says(bob.id, joined=False), GONE_WITHIN_S)
            assert await people(watcher, room_id) == [ada.id, eve.id]
            assert (await watcher.ok("room:join", {"roomId": room_id}))["memberCount"] == 2
            await until(dying.is_ready, 20.0)  # its successor sweeps too, and finds nothing left to tell
            async with socket_client(dying.url, bob.token) as back:
                assert (await back.ok("room:join", {"roomId": room_id}))["memberCount"] == 3
                await watcher.expect("room:member", _says(bob.id, joined=True))
            assert watcher.count("room:member") == 0


async def test_who_comes_back_within_the_hold_on_another_node_has_not_been_away(hub: HubProcess, rest: Rest) -> None:
    ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
    room_id = await rest.room(ada)
    async with socket_client(hub.nodes[0].url, ada.token) as watcher:
        await watcher.ok("room:join", {"roomId": room_id})
        async with socket_client(hub.nodes[1].url, bob.token) as first:
            assert (await first.ok("room:join", {"roomId": room_id}))["memberCount"] == 2
            await watcher.expect("room:member", _says(bob.id, joined=True))
        await until(lambda: _count(watcher, room_id, 1))  # a connection less, and as many people
        assert await people(watcher, room_id) == [ada.id, bob.id]
        async with socket_client(hub.nodes[0].url, bob.token) as second:
            assert (await second.ok("room:join", {"roomId": room_id}))["memberCount"] == 2
            await second.ok("room:leave", {"roomId": room_id})
            assert (await watcher.expect("room:member"))["joined"] is False, "the next that is told is leaving, at once"


async def test_clients_of_a_draining_node_stay_in_their_rooms(hub: HubProcess, rest: Rest) -> None:
    ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
    room_id = await rest.room(ada)
    leaving, staying = hub.nodes
    async with contextlib.AsyncExitStack() as clients:
        watcher = await clients.enter_async_context(socket_client(staying.url, ada.token))
        await watcher.ok("room:join", {"roomId": room_id})
        client = await connected_to(leaving.node_id, hub.url, bob.token, clients)
        await client.ok("room:join", {"roomId": room_id})
        await watcher.expect("room:member", _says(bob.id, joined=True))
        leaving.send(signal.SIGTERM)
        await client.expect("session:ready", timeout_s=10.0)
        assert (await client.ok("room:join", {"roomId": room_id}))["memberCount"] == 2
        await until(leaving.is_ready, 20.0)
        assert await people(watcher, room_id) == [ada.id, bob.id]
        assert watcher.count("room:member") == 0


async def test_after_redis_lost_its_memory_those_who_come_back_are_listed_and_counted(
    hub: HubProcess, rest: Rest, redis_url: str
) -> None:
    ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
    room_id = await rest.room(ada)
    async with (
        socket_client(hub.nodes[0].url, ada.token, reconnects=True) as here,
        socket_client(hub.nodes[1].url, bob.token, reconnects=True) as there,
        socket_client(hub.nodes[1].url, bob.token, reconnects=True) as tablet,
    ):
        clients = (here, there, tablet)
        for client in clients:
            await client.ok("room:join", {"roomId": room_id})
            await client.expect("session:ready")
        async with Redis.from_url(redis_url) as redis:
            await redis.flushall()
        for client in clients:
            await client.expect("session:ready", timeout_s=15.0)
        # Nodes cut their clients once for the events, and once for the lease: whoever is there in the end is counted.
        await until(lambda: _all_are_back(clients, room_id, {ada.id, bob.id}), 20.0)


async def _all_are_back(clients: Sequence[SocketClient], room_id: str, expected: set[str]) -> bool:
    try:
        counts = [await _count(client, room_id, len(clients)) for client in clients]
        listed = [await people(client, room_id) for client in clients]
        return all(counts) and all(len(some) == len(expected) and set(some) == expected for some in listed)
    except (SocketIOError, AssertionError):  # it is being cut, or the hub says that it is not ready for it
        return False


async def _count(client: SocketClient, room_id: str, expected: int) -> bool:
    return bool((await client.ok("room:join", {"roomId": room_id}))["memberCount"] == expected)


def _says(user_id: str, *, joined: bool) -> Any:
    return lambda told: (told["userId"], told["joined"]) == (user_id, joined)
