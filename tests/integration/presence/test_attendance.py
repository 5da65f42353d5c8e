"""The attendance of two nodes over a real Valkey, with rooms that remember what was sent."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from redis.asyncio import Redis

from hub.kernel.clock import Clock
from hub.kernel.errors import Unavailable
from hub.kernel.ids import ConnectionId, NodeId, RoomName, UserId
from hub.kernel.tasks import Tasks
from presence.attendance import announcements
from presence.attendance.model import PARTS, Seat
from presence.schema import RoomCount, RoomMember
from presence.settings import PresenceSettings
from tests.support.attendance import NodeAttendance
from tests.support.clock import FrozenClock
from tests.support.presence import KnownNodes
from tests.support.rooms import RecordedRooms
from tests.support.wait import until

N1, N2 = NodeId("01NODE1"), NodeId("01NODE2")
ROOM, DOCUMENT = RoomName("room:one"), RoomName("doc:one")
ADA, BOB = UserId("ada"), UserId("bob")
A1, A2, B1 = ConnectionId("a1"), ConnectionId("a2"), ConnectionId("b1")
LARGE = 3


class Node:
    """Attendance of one node."""

    def __init__(self, redis: Redis, node_id: NodeId, clock: Clock, *, overdue_s: float = 2.0) -> None:
        self.rooms, self.tasks = RecordedRooms(), Tasks()
        self.nodes = KnownNodes(node_id, {N1, N2})
        settings = PresenceSettings(large_room=LARGE, overdue_s=overdue_s)
        self.attendance = NodeAttendance(redis, self.rooms, self.nodes, self.tasks, clock, settings)
        self.service, self.sweeper, self.store = (
            self.attendance.service,
            self.attendance.sweeper,
            self.attendance.store,
        )

    async def come(self, user_id: UserId, connection_id: ConnectionId, room: RoomName = ROOM) -> int:
        return await self.service.arrived(room, {connection_id: user_id})

    async def reconcile(self) -> None:
        for part in range(PARTS):
            await self.service.reconcile(part)

    def told(self, room: RoomName = ROOM) -> list[tuple[str, bool]]:
        """Who was said to have come or gone, in order."""
        events = self.rooms.events_to(room)
        return [(event.user_id, event.joined) for event in events if isinstance(event, RoomMember)]

    def counted(self) -> list[int]:
        """How many were said to be in the room."""
        return [event.count for event in self.rooms.events_to(ROOM) if isinstance(event, RoomCount)]

    async def people(self) -> list[str]:
        return [person.user_id for person in (await self.store.window(ROOM, 0, 100)).shown]


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
async def node(redis: Redis, clock: FrozenClock) -> AsyncIterator[Node]:
    node = Node(redis, N1, clock)
    yield node
    await node.tasks.close()


@pytest.fixture
async def other(redis: Redis, clock: FrozenClock) -> AsyncIterator[Node]:
    node = Node(redis, N2, clock)
    yield node
    await node.tasks.close()


@pytest.fixture
async def impatient(redis: Redis, clock: FrozenClock) -> AsyncIterator[Node]:
    """A node that takes over what is untold for a moment."""
    node = Node(redis, N1, clock, overdue_s=0.05)
    yield node
    await node.tasks.close()


@pytest.fixture
async def lonely(clock: FrozenClock) -> AsyncIterator[Node]:
    """A node without Redis."""
    async with Redis.from_url("redis://127.0.0.1:1") as nowhere:
        node = Node(nowhere, N1, clock)
        yield node
        await node.tasks.close()


async def test_people_and_not_devices_are_told_to_all_but_the_connection_that_came(node: Node, other: Node) -> None:
    await node.come(ADA, A1)
    await other.come(ADA, A2)
    await other.service.left(ROOM, [A2])
    assert (node.told(), other.told()) == ([("ada", True)], [])
    assert node.rooms.skipped == [A1]
    await node.service.left(ROOM, [A1])
    assert node.told() == [("ada", True), ("ada", False)]
    assert node.rooms.skipped == [A1, None]


async def test_each_node_is_answered_how_many_are_elsewhere(node: Node, other: Node) -> None:
    assert await node.come(ADA, A1) == 0
    assert await other.come(ADA, A2) == 1
    assert await node.come(BOB, B1) == 1
    assert await other.service.left(ROOM, [A2]) == 2
    assert await node.service.elsewhere(ROOM) == 0
    other.nodes.alive.remove(N1)
    assert await other.service.elsewhere(ROOM) == 0, "the dead do not count"


async def test_a_lost_connection_that_comes_back_on_another_node_is_told_nobody(
    node: Node, other: Node, clock: FrozenClock
) -> None:
    await node.come(ADA, A1)
    await node.service.lost(A1, [ROOM])
    assert await other.service.elsewhere(ROOM) == 0
    clock.advance(4.9)
    await other.sweeper.sweep()
    await other.come(ADA, A2)
    clock.advance(10)
    await node.sweeper.sweep()
    assert (node.told(), other.told()) == ([("ada", True)], [])


async def test_who_stays_away_is_told_as_gone_after_the_hold_once(node: Node, other: Node, clock: FrozenClock) -> None:
    await node.come(ADA, A1)
    await node.service.lost(A1, [ROOM])
    clock.advance(4.9)
    await node.sweeper.sweep()
    assert node.told() == [("ada", True)]
    clock.advance(0.1)
    await asyncio.gather(node.sweeper.sweep(), other.sweeper.sweep())
    assert sorted(node.told() + other.told()) == [("ada", False), ("ada", True)]


async def test_people_of_a_dead_node_leave_once_though_all_others_sweep(
    node: Node, other: Node, redis: Redis, clock: FrozenClock
) -> None:
    witness = Node(redis, NodeId("01NODE3"), clock)
    await other.come(ADA, A1)
    await other.come(BOB, B1)
    await node.come(BOB, ConnectionId("b2"))
    for one in (node, witness):
        one.nodes.alive.remove(N2)
    for _ in range(3):
        await asyncio.gather(node.sweeper.sweep(), witness.sweeper.sweep())
    assert node.told() + witness.told() == [("ada", False)]
    assert await node.people() == ["bob"]
    await witness.tasks.close()


async def test_a_node_whose_lease_is_seen_late_keeps_its_people(
    node: Node, other: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    await other.come(ADA, A1)
    for first in ({N1}, {N1, N2}, {N1}):
        looks = iter([first, {N1, N2}])

        async def live(looks: Iterator[set[NodeId]] = looks) -> frozenset[NodeId]:
            return frozenset(next(looks))

        monkeypatch.setattr(node.nodes, "live", live)
        await node.sweeper.sweep()
    assert await node.people() == ["ada"]


async def test_documents_and_posts_have_people_and_no_events(node: Node) -> None:
    await node.come(ADA, A1, DOCUMENT)
    await node.service.left(DOCUMENT, [A1])
    assert node.rooms.emitted == []


async def test_a_large_room_is_told_its_count_once_a_second_by_one_node(
    node: Node, other: Node, clock: FrozenClock
) -> None:
    for number in range(LARGE + 1):
        await node.come(UserId(f"u{number}"), ConnectionId(f"c{number}"))
    await asyncio.gather(node.sweeper.sweep(), other.sweeper.sweep())
    assert sorted(node.counted() + other.counted()) == [LARGE + 1]
    assert len(node.told()) == LARGE
    for number in range(10):
        await other.come(UserId(f"v{number}"), ConnectionId(f"d{number}"))
        clock.advance(0.1)
        await asyncio.gather(node.sweeper.sweep(), other.sweeper.sweep())
    assert sorted(node.counted() + other.counted()) == [LARGE + 1, LARGE + 11]
    assert other.told() == []


async def test_what_a_dead_node_left_untold_is_told_by_another(impatient: Node, other: Node) -> None:
    seats = [Seat(ROOM, user_id, ConnectionId(user_id)) for user_id in (ADA, BOB)]
    await other.store.arrive(N2, seats, 0)
    await other.store.leave(N2, seats[:1], 0)  # and dies before it tells anybody

    async def relayed() -> bool:
        await impatient.sweeper.sweep()
        return len(impatient.told()) == 2

    await until(relayed)
    # Ada's coming is over, and not worth telling. Her going is, to those who had heard of it.
    assert sorted(impatient.told()) == [("ada", False), ("bob", True)]
    assert impatient.rooms.skipped.count(ConnectionId("bob")) == 1

    async def nothing_left() -> bool:
        return await impatient.attendance.transitions.overdue(-1) == []

    await until(nothing_left)
    await impatient.sweeper.sweep()
    assert len(impatient.told()) == 2
    assert impatient.attendance.relay.relayed == 3


async def test_the_count_that_a_dead_node_left_untold_is_told_by_another(impatient: Node, other: Node) -> None:
    crowd = [Seat(ROOM, UserId(f"u{number}"), ConnectionId(f"c{number}")) for number in range(LARGE + 1)]
    await other.store.arrive(N2, crowd, 5000)
    assert len(await other.store.due(5000)) == 1

    async def counted() -> list[int]:
        await impatient.sweeper.sweep()
        return impatient.counted()

    assert await until(counted) == [LARGE + 1]


async def test_a_node_that_was_stopped_tells_of_nothing_that_is_long_past(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as stopped:
        stopped.setattr(announcements, "LATE_S", 0.0)  # anything is
        await node.come(ADA, A1)
    await node.come(BOB, B1)
    assert node.told() == [("bob", True)]


async def test_without_redis_nobody_is_told_and_all_is_made_up_for_later(
    lonely: Node, node: Node, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    assert await lonely.come(ADA, A1) == 0
    assert await lonely.come(BOB, B1) == 0
    assert await lonely.service.left(ROOM, [B1]) == 0
    assert await lonely.service.elsewhere(ROOM) == 0
    await lonely.service.lost(A2, [ROOM])
    assert lonely.told() == []
    with pytest.raises(Unavailable):
        await lonely.reconcile()
    lonely.service._store = node.store  # Redis is back
    await lonely.reconcile()
    assert lonely.told() == [("ada", True)]
    await lonely.reconcile()
    assert lonely.told() == [("ada", True)]


async def test_who_is_lost_while_redis_is_away_is_held_from_when_it_is_back(
    node: Node, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await node.come(ADA, A1)
    await node.come(BOB, B1)

    async def away(*_: object) -> None:
        raise Unavailable

    with monkeypatch.context() as outage:
        outage.setattr(node.store, "hold", away)
        await node.service.lost(A1, [ROOM])
        await node.service.lost(B1, [ROOM])
        clock.advance(60)
        with pytest.raises(Unavailable):
            await node.sweeper.sweep()
    await node.come(BOB, B1)
    for seconds in (0, 4.9):
        clock.advance(seconds)
        await node.sweeper.sweep()
        assert node.told() == [("ada", True), ("bob", True)]
    clock.advance(0.1)
    await node.sweeper.sweep()
    assert node.told()[2:] == [("ada", False)]
    assert await node.people() == ["bob"]


async def test_after_redis_lost_its_memory_people_are_there_again_and_nobody_hears_of_it(
    node: Node, other: Node, redis: Redis
) -> None:
    await node.come(ADA, A1)
    await redis.flushall()
    await node.reconcile()
    assert await node.people() == [], "it may have been buried, and is about to find that out"
    await node.reconcile()
    assert await node.people() == ["ada"]
    assert await other.service.elsewhere(ROOM) == 1
    assert node.told() == [("ada", True)]


async def test_what_redis_kept_of_connections_that_are_gone_is_cleared_away(node: Node, clock: FrozenClock) -> None:
    await node.store.arrive(N1, [Seat(ROOM, ADA, A1)], clock.now_ms())  # of before the last save
    await node.come(BOB, B1)
    await node.reconcile()
    clock.advance(5)
    await node.sweeper.sweep()
    assert await node.people() == ["bob"]
    assert await node.store.connections(ROOM) == {N1: 1}


async def test_a_connection_that_goes_while_it_is_stored_does_not_stay(
    node: Node, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrive = node.store.arrive

    async def slow(*arguments: Any, **more: Any) -> Any:
        await node.service.lost(A1, [ROOM])  # overtakes it
        return await arrive(*arguments, **more)

    monkeypatch.setattr(node.store, "arrive", slow)
    await node.come(ADA, A1)
    clock.advance(5)
    await node.sweeper.sweep()
    assert await node.people() == []
    assert await node.store.connections(ROOM) == {}


async def test_a_connection_that_comes_again_while_it_leaves_stays(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    await node.come(ADA, A1)
    leave = node.store.leave

    async def slow(*arguments: Any) -> Any:
        await node.come(ADA, A1)
        return await leave(*arguments)

    monkeypatch.setattr(node.store, "leave", slow)
    await node.service.left(ROOM, [A1])
    assert await node.people() == ["ada"]
    assert node.told()[-1] == ("ada", True)


async def test_a_node_that_ends_leaves_its_people_to_the_hold(node: Node, other: Node, clock: FrozenClock) -> None:
    await node.come(ADA, A1)
    await node.come(BOB, B1)
    await node.service.close()
    other.nodes.alive.remove(N1)
    for _ in range(2):
        await other.sweeper.sweep()
    clock.advance(10)  # longer than a connection is held that is merely lost
    await other.sweeper.sweep()
    await other.come(ADA, A2)
    clock.advance(5)
    await other.sweeper.sweep()
    assert other.told() == [("bob", False)]


async def test_who_is_lost_while_the_node_drains_has_longer_to_get_elsewhere(
    node: Node, other: Node, clock: FrozenClock
) -> None:
    await node.come(ADA, A1)
    await node.service.drain()
    await node.service.lost(A1, [ROOM])
    clock.advance(14.9)
    await other.sweeper.sweep()
    assert other.told() == []
    clock.advance(0.1)
    await other.sweeper.sweep()
    assert other.told() == [("ada", False)]
