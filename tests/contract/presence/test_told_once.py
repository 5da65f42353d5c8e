"""Each transition is told once, whoever dies, sleeps or looks at the same moment. Over a real Valkey and bus."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from hub.cluster.bus import Bus
from hub.cluster.records import Records
from hub.cluster.rooms import ClusterRooms
from hub.cluster.servers import servers_of
from hub.kernel.ids import ConnectionId, NodeId, UserId, user_room
from hub.kernel.tasks import Tasks
from presence.diffs import Diffs
from presence.model import Change, Connection, Record, Status, part_of
from presence.relay import Relay
from presence.store_redis import TRANSITIONS, RedisPresenceStore
from presence.transitions import Told
from presence.transitions_redis import RedisTransitions
from presence.views import watch_room
from tests.support.clock import FrozenClock
from tests.support.local_rooms import MemoryLocalRooms
from tests.support.presence import some_user
from tests.support.wait import until

T0 = 1_800_000_000_000
OVERDUE_S = 0.6
"""More than the half second from which on an event is looked for before it is published."""


class Node:
    """What telling takes of a node: its rooms on the bus, and presence without connections."""

    def __init__(self, redis: Redis, url: str, name: str) -> None:
        self.tasks = Tasks()
        self.bus = Bus(servers_of(url), NodeId(name), self.tasks)
        self.local = MemoryLocalRooms()
        records = Records(self.bus, self.local.drop)
        self.rooms = ClusterRooms(self.local, self.bus, records, self.tasks)
        self.store = RedisPresenceStore(redis)
        self.transitions = RedisTransitions(redis, TRANSITIONS)
        self.told = Told(self.transitions, self.rooms, self.tasks)
        self.diffs = Diffs(self.rooms, self.told, self.tasks, window_s=0)
        self.relay = Relay(self.store, self.transitions, self.told, self.diffs, FrozenClock(T0), OVERDUE_S)

    async def die(self) -> None:
        """Nothing more leaves it."""
        await self.tasks.close()
        self.bus.close()


class Witness:
    """Whoever is in the rooms of somebody: a device of theirs, and a watcher."""

    def __init__(self, node: Node, of: UserId) -> None:
        self._node = node
        self._own, self._watcher = ConnectionId(f"own {of}"), ConnectionId(f"watcher {of}")
        self._rooms = {self._own: user_room(of), self._watcher: watch_room(of)}

    async def begin(self) -> "Witness":
        for connection_id, room in self._rooms.items():
            await self._node.rooms.enter(connection_id, [room])
        return self

    async def told(self) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
        """Status and version of what came, to each of the two."""
        await self._node.rooms.flushed()
        await self._node.bus.catch_up([self._node.bus._shards[0].commands.known])
        return self._heard(self._own), self._heard(self._watcher)

    def _heard(self, connection_id: ConnectionId) -> list[tuple[str, int]]:
        diffs = self._node.local.received(connection_id)
        return [(user["status"], user["version"]) for diff in diffs for user in diff["users"]]


@pytest.fixture
async def nodes(redis: Redis, redis_url: str) -> AsyncIterator[list[Node]]:
    started = [Node(redis, redis_url, name) for name in ("one", "two", "three")]
    for node in started:
        await node.bus.start()
    yield started
    for node in started:
        await node.die()


def connection(user_id: UserId, name: str = "c1", device: str = "web") -> Connection:
    return Connection(ConnectionId(name), user_id, NodeId("one"), device)


async def overdue(node: Node, count: int = 1) -> None:
    async def enough() -> bool:
        return len(await node.transitions.overdue(OVERDUE_S)) >= count

    await until(enough)


async def untold(redis: Redis, user_id: UserId) -> int:
    return int(await redis.xlen(TRANSITIONS[part_of(user_id)]))


async def nothing_is_left(redis: Redis, user_id: UserId) -> None:
    async def none() -> bool:
        return await untold(redis, user_id) == 0

    await until(none)


async def test_what_a_node_tells_it_takes_out_of_the_stream(nodes: list[Node], redis: Redis) -> None:
    one, _, three = nodes
    ann = some_user()
    witness = await Witness(three, ann).begin()
    await one.diffs.announce(await one.store.connect(connection(ann), T0))
    await nothing_is_left(redis, ann)
    assert await witness.told() == ([("online", T0)], [("online", T0)])


async def test_what_a_node_changed_and_did_not_tell_before_its_death_two_relays_tell_once(
    nodes: list[Node], redis: Redis
) -> None:
    one, two, three = nodes
    ann = some_user()
    witness = await Witness(three, ann).begin()
    await one.store.connect(connection(ann), T0)
    await one.die()
    await overdue(two)
    await asyncio.gather(two.relay.relay(), three.relay.relay())
    await nothing_is_left(redis, ann)
    assert await witness.told() == ([("online", T0)], [("online", T0)])


async def test_what_a_node_told_and_did_not_take_out_before_its_death_is_not_told_again(
    nodes: list[Node], redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two, three = nodes
    ann = some_user()
    witness = await Witness(three, ann).begin()
    monkeypatch.setattr(one.told, "add", lambda _entries: None)
    await one.diffs.announce(await one.store.connect(connection(ann), T0))
    await one.rooms.flushed()
    await one.die()
    await overdue(two)
    await asyncio.gather(two.relay.relay(), three.relay.relay())
    await nothing_is_left(redis, ann)
    assert await witness.told() == ([("online", T0)], [("online", T0)])


@pytest.mark.parametrize("stopped_s", [1, 3, 60])
async def test_a_node_that_is_stopped_before_it_tells_and_goes_on_later_doubles_nothing(
    nodes: list[Node], redis: Redis, stopped_s: float
) -> None:
    one, two, three = nodes
    ann = some_user()
    witness = await Witness(three, ann).begin()
    change = await one.store.connect(connection(ann), T0)
    await overdue(two)
    await two.relay.relay()
    await nothing_is_left(redis, ann)
    await one.diffs.announce(replace(change, asked_s=change.asked_s - stopped_s))
    await one.rooms.flushed()
    assert await witness.told() == ([("online", T0)], [("online", T0)])


async def test_a_relay_tells_nothing_that_has_changed_since(nodes: list[Node], redis: Redis) -> None:
    one, two, three = nodes
    ann = some_user()
    witness = await Witness(three, ann).begin()
    await one.store.connect(connection(ann), T0)  # and one dies
    await two.diffs.announce(await two.store.update(replace(connection(ann), status=Status.BUSY), T0 + 1))
    await overdue(three)
    await three.relay.relay()
    await nothing_is_left(redis, ann)
    assert await witness.told() == ([("busy", T0 + 1)], [("busy", T0 + 1)])


async def test_a_relay_tells_of_one_user_what_was_last_and_to_whom_it_shows(nodes: list[Node], redis: Redis) -> None:
    one, two, three = nodes
    ann = some_user()
    witness = await Witness(three, ann).begin()
    web, phone = connection(ann), connection(ann, "c2", "phone")
    await one.store.connect(web, T0)
    await one.store.update(replace(web, status=Status.INVISIBLE), T0 + 1)
    await one.store.connect(phone, T0 + 2)  # shows to nobody else
    await overdue(two, 3)
    await asyncio.gather(two.relay.relay(), three.relay.relay())
    await nothing_is_left(redis, ann)
    assert await witness.told() == ([("invisible", T0 + 2)], [("offline", T0 + 1)])


async def test_the_offline_of_a_node_that_dies_while_it_buries_another_is_told_by_a_third(
    nodes: list[Node], redis: Redis
) -> None:
    one, two, three = nodes
    users = [some_user() for _ in range(5)]
    witnesses = [await Witness(three, user_id).begin() for user_id in users]
    for number, user_id in enumerate(users):
        await one.diffs.announce(await one.store.connect(connection(user_id, f"c{number}"), T0))
    for user_id in users:
        await nothing_is_left(redis, user_id)
    buried: list[Change] = [change async for change in two.store.bury(NodeId("one"), T0 + 7000)]
    await two.diffs.announce(buried[0])  # and of the other four nobody hears from it
    await two.rooms.flushed()
    await two.die()

    async def relayed() -> bool:
        await three.relay.relay()
        return sum([await untold(redis, user_id) for user_id in users]) == 0

    await until(relayed)
    for witness in witnesses:
        assert await witness.told() == ([("online", T0)], [("online", T0), ("offline", T0 + 7000)])


async def test_an_entry_that_no_version_of_the_hub_understands_holds_up_nothing(
    nodes: list[Node], redis: Redis
) -> None:
    one, two, three = nodes
    ann = some_user()
    witness = await Witness(three, ann).begin()
    await redis.xadd(TRANSITIONS[part_of(ann)], {"from": "the future"})
    await redis.xadd(TRANSITIONS[part_of(ann)], {"user": ann, "version": "soon"})
    await one.store.connect(connection(ann), T0)
    await overdue(two, 3)
    await two.relay.relay()
    await nothing_is_left(redis, ann)
    assert await witness.told() == ([("online", T0)], [("online", T0)])


async def test_a_transition_that_cannot_be_told_holds_up_no_other(
    nodes: list[Node], redis: Redis, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    one, two, three = nodes
    ann, ben = some_user(), some_user()
    witness = await Witness(three, ben).begin()
    await one.store.connect(connection(ann, "c1"), T0)
    await one.store.connect(connection(ben, "c2"), T0)
    await overdue(two, 2)
    send = two.diffs.send

    async def fails_for_ann(record: Record, *, own: bool, shown: bool, age_s: float) -> None:
        if record.user_id == ann:
            raise OverflowError
        await send(record, own=own, shown=shown, age_s=age_s)

    monkeypatch.setattr(two.diffs, "send", fails_for_ann)
    await two.relay.relay()
    for user_id in (ann, ben):
        await nothing_is_left(redis, user_id)
    assert await witness.told() == ([("online", T0)], [("online", T0)])
    assert "cannot be told" in caplog.text
