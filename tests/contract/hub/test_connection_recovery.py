"""hub.cluster.recovery on a real Redis, two shards: nothing twice and nothing missing, wherever the nodes stand."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
from redis.asyncio import Redis

from hub.cluster.bus import Bus
from hub.cluster.records import Records
from hub.cluster.recovery import ConnectionRecovery
from hub.cluster.rooms import ClusterRooms
from hub.cluster.servers import servers_of
from hub.kernel.errors import Unavailable
from hub.kernel.events import Caller
from hub.kernel.ids import ConnectionId, NodeId, RoomName, SessionId, UserId, session_room, user_room
from hub.kernel.recovery import Claim, Recovered
from hub.kernel.tasks import Tasks
from tests.support.bus_nodes import Said
from tests.support.local_rooms import MemoryLocalRooms
from tests.support.wait import until

PID = "p" * 22
SHARDS = 2


def room(name: str, shard: int) -> RoomName:
    """A room on a shard."""
    found = (RoomName(f"room:{name}{number}") for number in range(1000))
    return next(one for one in found if zlib.crc32(one.encode()) % SHARDS == shard)


A, B, C = room("a", 0), room("b", 1), room("c", 0)


def caller(connection: str) -> Caller:
    return Caller(UserId("ada"), SessionId("login"), ConnectionId(connection))


class Node:
    """What a node has of the cluster, with connections in memory."""

    def __init__(self, redis: Redis, url: str, name: str, tasks: Tasks) -> None:
        self.bus = Bus(servers_of(url), NodeId(name), tasks, shards=SHARDS)
        self.local = MemoryLocalRooms()
        self.records = Records(self.bus, self.local.drop)
        self.rooms = ClusterRooms(self.local, self.bus, self.records, tasks)
        self.recovery = ConnectionRecovery(self.bus, self.rooms, self.records)

    async def begin(self, connection: str, *rooms: RoomName) -> str:
        """Have a connection in these rooms, and give the offset of a client that has seen everything until then."""
        own = [user_room(UserId("ada")), session_room(SessionId("login"))]
        await self.recovery.open(PID, caller(connection), own, ticket=None, ends_at_ms=0)
        for one in rooms:
            await self.rooms.join(ConnectionId(connection), one)
        return self.bus.offset

    async def resume(self, connection: str, offset: str | None, pid: str = PID) -> Recovered | None:
        return await self.recovery.resume(Claim(pid, offset), caller(connection), ticket=None, ends_at_ms=0)

    async def say(self, to: RoomName, *numbers: int, also: tuple[RoomName, ...] = ()) -> None:
        """Events that are delivered here on return."""
        for number in numbers:
            await self.rooms.emit([to, *also], Said(number=number))
        await self.bus.flushed()
        await self.bus.catch_up([commands.commands.known for commands in self.bus._shards])

    def heard(self, connection: str) -> list[int]:
        return [payload["number"] for payload in self.local.received(connection)]

    def lags(self) -> Callable[[], None]:
        """Have nothing reach the node any more, until what is returned is called."""
        links = [shard._link for shard in self.bus._shards if shard._link is not None]
        for link in links:
            link.hold()

        def goes_on() -> None:
            for link in links:
                link.release()

        return goes_on

    @property
    def followed(self) -> set[str]:
        return {room for shard in self.bus._shards for room in shard.rooms}


@pytest.fixture
async def pair(redis: Redis, redis_url: str) -> AsyncIterator[tuple[Node, Node]]:
    tasks = Tasks()
    one, two = Node(redis, redis_url, "one", tasks), Node(redis, redis_url, "two", tasks)
    for node in (one, two):
        await node.bus.start()
    yield one, two
    await tasks.close()
    for node in (one, two):
        node.bus.close()


def missed(recovered: Recovered | None) -> list[int]:
    assert recovered is not None
    return [delivery.payload["number"] for _, delivery in recovered.missed]


async def test_who_is_joining_hears_at_once_and_has_the_room_again_behind_it(pair: tuple[Node, Node]) -> None:
    one, two = pair
    await one.begin("a")
    async with one.rooms.joining(ConnectionId("a"), A):
        await one.say(A, 1)
        assert one.heard("a") == [1]
    offset = one.bus.offset
    await one.say(A, 2)
    assert missed(await two.resume("b", offset)) == [2]


async def test_who_would_not_have_the_room_again_is_not_in_it_and_it_is_said(
    pair: tuple[Node, Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = pair
    await one.begin("a")

    async def fails(*_: object) -> None:
        raise Unavailable

    monkeypatch.setattr(one.records, "moved", fails)
    with pytest.raises(Unavailable):
        async with one.rooms.joining(ConnectionId("a"), A):
            assert one.rooms.is_member(ConnectionId("a"), A)
    assert not one.rooms.is_member(ConnectionId("a"), A)
    assert A not in one.followed


async def test_a_room_is_followed_while_somebody_is_expected_and_then_if_they_came(pair: tuple[Node, Node]) -> None:
    one, _ = pair
    await one.begin("a")
    with one.rooms.expect(A):
        assert A in one.followed
    assert A not in one.followed
    with one.rooms.expect(A):
        await one.rooms.join(ConnectionId("a"), A)
    assert A in one.followed
    await one.say(A, 1)
    assert one.heard("a") == [1]


async def test_on_a_node_that_lags_nothing_comes_twice(pair: tuple[Node, Node]) -> None:
    one, two = pair
    await one.begin("a", A)
    for own in (A, user_room(UserId("ada")), session_room(SessionId("login"))):
        await two.rooms.join(ConnectionId("other"), own)  # so that the node follows them already
    catches_up = two.lags()
    await one.say(A, 1, 2)
    async with asyncio.TaskGroup() as group:
        coming_back = group.create_task(two.resume("b", one.bus.offset))
        await until(lambda: two.local.earlier)
        catches_up()
    assert missed(coming_back.result()) == []
    await one.say(A, 3)
    await until(lambda: 3 in two.heard("b"))
    assert two.heard("b") == [3]


async def test_what_comes_between_standing_in_the_rooms_and_reading_comes_once(
    pair: tuple[Node, Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    offset = await one.begin("a", A)
    await one.say(A, 1)
    read = two.bus.read

    async def read_late(index: int, since: Mapping[RoomName, int]) -> Any:
        if A in since:
            await one.say(A, 2)
            await until(lambda: two.heard("b"))
        return await read(index, since)

    monkeypatch.setattr(two.bus, "read", read_late)
    assert missed(await two.resume("b", offset)) == [1]
    assert two.heard("b") == [2]


async def test_a_cut_after_any_event_that_is_sent_again_leaves_no_hole_on_another_shard(
    pair: tuple[Node, Node],
) -> None:
    one, two = pair
    offset: str | None = await one.begin("a", A, B, C)
    await one.say(A, 1, 2)
    await one.say(B, 3, 4)
    await one.say(C, 5)
    await one.say(A, 6)
    whole, seen = {1, 2, 3, 4, 5, 6}, list[int]()
    for number in range(7):
        recovered = await (two, one)[number % 2].resume(f"b{number}", offset)
        assert set(missed(recovered)) == whole - set(seen)
        if recovered is not None and recovered.missed:
            _, first = recovered.missed[0]
            seen.append(first.payload["number"])
            offset = first.offset
    assert sorted(seen) == sorted(whole), "each once"
    assert [one for one in seen if one in (1, 2, 5, 6)] == [1, 2, 5, 6], "the rooms of a shard in their common order"


async def test_an_event_for_two_of_its_rooms_comes_once(pair: tuple[Node, Node]) -> None:
    one, two = pair
    offset = await one.begin("a", A, B)
    await one.say(A, 1, also=(B,))
    await one.say(C, 2, also=(B,))
    assert sorted(missed(await two.resume("b", offset))) == [1, 2]


async def test_what_a_client_said_itself_stays_its_own_however_often_it_flaps(pair: tuple[Node, Node]) -> None:
    one, two = pair
    offset = await one.begin("a", A)
    await one.rooms.emit(A, Said(number=1), skip=ConnectionId("a"))
    await one.say(B, 2)
    for number in range(30):
        assert missed(await (two, one)[number % 2].resume(f"b{number}", offset)) == []


async def test_an_event_for_two_rooms_comes_to_who_was_only_in_the_second_then(pair: tuple[Node, Node]) -> None:
    one, two = pair
    offset = await one.begin("a", C)
    await one.say(A, 1, also=(C,))
    await one.rooms.join(ConnectionId("a"), A)
    await one.say(A, 2, also=(C,))
    assert missed(await two.resume("b", offset)) == [1, 2]


async def test_a_connection_that_begins_anew_does_so_above_what_its_client_will_claim(pair: tuple[Node, Node]) -> None:
    one, two = pair
    await two.rooms.join(ConnectionId("other"), A)
    await one.begin("a", A)
    catches_up = two.lags()
    await one.say(A, 1)
    stood: list[int] = []

    async def begin_anew() -> None:
        assert await two.resume("b", one.bus.offset, pid="unknown") is None
        stood.append(two.bus.position_of(A))

    async with asyncio.TaskGroup() as group:
        coming_back = group.create_task(begin_anew())
        await until(lambda: coming_back.done() or two.bus._shards[0]._markers.are_waited_for)
        catches_up()
    assert stood >= [one.bus.position_of(A)]


async def test_what_is_not_whole_any_more_is_not_given_back(pair: tuple[Node, Node], redis: Redis) -> None:
    one, two = pair
    offset = await one.begin("a", A)
    await one.say(A, 1)
    await redis.delete(f"{{s0}}:x:{A}")
    assert await two.resume("b", offset) is None
    assert not two.local.rooms_of(ConnectionId("b"))
    assert await one.records.take(PID, caller("c")) is None, "and nobody comes back to it any more"


async def test_a_record_of_another_epoch_is_none(pair: tuple[Node, Node], redis: Redis) -> None:
    one, two = pair
    offset = await one.begin("a", A)
    await redis.hset(f"{{s{one.bus.commands_of(PID).index}}}:back:{PID}", "base", "1")
    assert await two.resume("b", offset) is None


async def test_of_two_claims_at_once_one_connection_stays(pair: tuple[Node, Node]) -> None:
    one, two = pair
    offset = await one.begin("a", A)
    await one.say(A, 1)
    both = await asyncio.gather(one.resume("b", offset), two.resume("c", offset))
    assert [missed(recovered) for recovered in both] == [[1], [1]]
    for node in pair:
        await node.records._renew()
    await until(lambda: one.local.dropped + two.local.dropped)
    assert len({"b", "c"} - {*one.local.dropped, *two.local.dropped}) == 1


async def test_joining_is_over_when_whoever_comes_back_is_in_the_room(
    pair: tuple[Node, Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    offset = await one.begin("a")
    commands, asked, goes_on = one.bus.commands_of(PID), asyncio.Event(), asyncio.Event()
    as_ever = commands.function

    async def slow(name: str, *arguments: Any, **more: Any) -> Any:
        if "change" in name:
            asked.set()
            await goes_on.wait()
        return await as_ever(name, *arguments, **more)

    monkeypatch.setattr(commands, "function", slow)
    async with asyncio.TaskGroup() as group:
        joining = group.create_task(one.rooms.join(ConnectionId("a"), A))
        await asked.wait()
        for _ in range(20):  # round trips, in which it could have answered too early
            assert await one.rooms.member_count(A) == 1
        assert not joining.done()
        goes_on.set()
    recovered = await two.resume("b", offset)
    assert recovered is not None
    assert A in recovered.rooms


async def test_rooms_of_an_epoch_that_has_ended_are_not_given_back(pair: tuple[Node, Node], redis: Redis) -> None:
    one, two = pair
    elsewhere = B if one.bus.commands_of(PID).index == 0 else A
    offset = await one.begin("a", elsewhere)
    head = one.bus.commands_of(elsewhere).head
    later = str(one.bus.position_of(elsewhere) + (1 << 20))
    await redis.hset(head, mapping={"base": later, "seq": later})
    await until(lambda: two.bus.base_of(elsewhere) == one.bus.base_of(elsewhere) == int(later))
    assert await two.resume("b", offset) is None
