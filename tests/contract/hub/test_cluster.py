"""hub.cluster on a real Valkey: leases, the bus, member counts over nodes."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from redis.asyncio import Redis

from hub.cluster.bus import Bus
from hub.cluster.leases import ADDRESSES, KEY, RedisNodes
from hub.cluster.records import Records
from hub.cluster.rooms import ClusterRooms
from hub.cluster.servers import servers_of
from hub.kernel.errors import Unavailable
from hub.kernel.ids import ConnectionId, NodeId, NodeTag, RoomName, UserId, tag_of
from hub.kernel.ports import NodeAddress
from hub.kernel.tasks import Tasks
from hub.kernel.wire import ServerEvent
from hub.storage.redis import connect
from presence.attendance.model import Seat
from tests.support.attendance import NodeAttendance
from tests.support.local_rooms import MemoryLocalRooms
from tests.support.wait import until

LOBBY = RoomName("room:lobby")
NOWHERE = servers_of("unix:///nowhere/v.sock")


class Said(ServerEvent):
    event = "test:said"
    text: str


class Node:
    """What a node has of the cluster."""

    def __init__(self, redis: Redis, url: str, name: str, tasks: Tasks) -> None:
        self.nodes = RedisNodes(redis, NodeId(name), tasks)
        self.bus = Bus(servers_of(url), NodeId(name), tasks)
        self.local = MemoryLocalRooms()
        self.records = Records(self.bus, self.local.drop)
        self.rooms = ClusterRooms(self.local, self.bus, self.records, tasks)

    def has_received(self, connection: str, count: int) -> bool:
        return len(self.local.received(connection)) >= count

    async def start(self) -> "Node":
        await self.nodes.start()
        await self.bus.start()
        return self


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    started = Tasks()
    yield started
    await started.close()


@pytest.fixture
async def pair(redis: Redis, redis_url: str, tasks: Tasks) -> tuple[Node, Node]:
    return await Node(redis, redis_url, "one", tasks).start(), await Node(redis, redis_url, "two", tasks).start()


async def test_nodes_see_each_other_until_one_gives_its_lease_back(pair: tuple[Node, Node]) -> None:
    one, two = pair
    await until(one.nodes.live)
    assert await two.nodes.live() == {"one", "two"}
    await one.nodes.release()

    async def gone() -> bool:
        return await two.nodes.live() == {"two"}

    await until(gone)


async def test_a_node_whose_lease_ran_out_is_told_so(pair: tuple[Node, Node], redis: Redis) -> None:
    lapsed: list[bool] = []

    async def note() -> None:
        lapsed.append(True)

    pair[0].nodes.lapsed = note
    await redis.zadd(KEY, {"one": 1})
    await until(lambda: lapsed)


async def test_a_node_that_is_known_is_alive_for_who_has_looked_just_before_it_came(redis: Redis, tasks: Tasks) -> None:
    one, two = RedisNodes(redis, NodeId("one"), tasks), RedisNodes(redis, NodeId("two"), tasks)
    await one.start()
    assert await one.live() == {"one"}
    await two.start()
    await two.known()
    assert await one.live() == {"one", "two"}


async def test_a_redis_that_lost_its_memory_makes_nobody_dead(
    redis: Redis, tasks: Tasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.cluster.leases.BEAT_S", 30.0)
    monkeypatch.setattr("hub.cluster.leases.FRESH_S", 0.0)
    lapsed: list[bool] = []

    async def note() -> None:
        lapsed.append(True)

    one, two = RedisNodes(redis, NodeId("one"), tasks), RedisNodes(redis, NodeId("two"), tasks)
    two.lapsed = note
    for nodes in (one, two):
        await nodes.start()
    assert await two.live() == {"one", "two"}
    await redis.flushall()
    assert await two.live() == {"one", "two"}  # before either has beaten

    async def has_beaten() -> bool:
        return await redis.zscore(KEY, "two") is not None

    await until(has_beaten)  # and not in half a minute
    assert await two.live() == {"one", "two"}
    assert not lapsed


async def test_who_died_with_the_memory_of_redis_is_dead_two_beats_later(
    redis: Redis, tasks: Tasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.cluster.leases.BEAT_S", 0.1)
    monkeypatch.setattr("hub.cluster.leases.FRESH_S", 0.0)
    one, two = RedisNodes(redis, NodeId("one"), tasks), RedisNodes(redis, NodeId("two"), tasks)
    for nodes in (one, two):
        await nodes.start()
    assert await two.live() == {"one", "two"}
    await one.release()
    await redis.flushall()

    async def is_alone() -> bool:
        return await two.live() == {"two"}

    await until(is_alone)


async def test_a_lease_that_was_given_back_is_not_taken_again(
    redis: Redis, tasks: Tasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.cluster.leases.BEAT_S", 0.01)
    nodes = RedisNodes(redis, NodeId("one"), tasks)
    await nodes.start()
    await nodes.release()
    await asyncio.wait_for(tasks.close(), 1)
    assert await redis.zscore(KEY, "one") is None


async def test_a_node_is_found_by_the_tag_of_its_sessions_for_as_long_as_it_has_a_lease(
    pair: tuple[Node, Node], redis: Redis, tasks: Tasks
) -> None:
    three = RedisNodes(redis, NodeId("01J0000000000000000THREE33"), tasks)
    three.address = NodeAddress(socket="/run/three", host="three.example", port=7)
    tag = tag_of(three.node_id)
    asking = pair[0].nodes
    assert await asking.address_of(tag) is None
    await three.start()

    async def is_there() -> bool:
        return await asking.address_of(tag) == three.address

    async def is_gone() -> bool:
        return await asking.address_of(tag) is None

    await until(is_there, 1.0)
    await three.release()
    await until(is_gone, 5.0)
    assert await redis.hget(ADDRESSES, three.node_id) is None


async def test_addresses_outlive_a_redis_that_does_not_answer(
    redis: Redis, tasks: Tasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.cluster.leases.KNOWN_FRESH_S", 0.0)
    monkeypatch.setattr("hub.cluster.leases.LOOK_S", 0.05)
    nodes = RedisNodes(redis, NodeId("01J00000000000000000000ONE"), tasks)
    nodes.address = NodeAddress(socket="/run/one")
    await nodes.start()
    assert await nodes.address_of(tag_of(nodes.node_id)) == nodes.address

    async def hang(**_: object) -> list[bytes]:
        await asyncio.Event().wait()
        return []

    monkeypatch.setattr(nodes, "_live", hang)
    assert await asyncio.wait_for(nodes.address_of(tag_of(nodes.node_id)), 1) == nodes.address
    assert await asyncio.wait_for(nodes.address_of(NodeTag("00000000")), 1) is None


async def test_what_another_version_says_of_its_address_is_no_address(redis: Redis, tasks: Tasks) -> None:
    nodes = RedisNodes(redis, NodeId("01J00000000000000000000ONE"), tasks)
    await nodes.start()
    await redis.hset(ADDRESSES, nodes.node_id, b'{"socket": 5}')
    assert await nodes.address_of(tag_of(nodes.node_id)) == NodeAddress()


async def test_a_beat_that_fails_or_hangs_is_followed_by_the_next(
    redis: Redis, tasks: Tasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.cluster.leases.BEAT_S", 0.02)
    nodes, beats = RedisNodes(redis, NodeId("one"), tasks), [0]
    await nodes.start()

    async def beat(**_: object) -> bytes:
        beats[0] += 1
        if beats[0] == 1:
            raise RuntimeError("the handler is closed")
        if beats[0] == 2:
            await asyncio.Event().wait()
        return b"held"

    monkeypatch.setattr(nodes, "_beat", beat)
    await until(lambda: beats[0] >= 3)


async def test_a_node_that_hears_nothing_at_its_start_says_so(tasks: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.cluster.bus.START_S", 0.2)
    with pytest.raises(Unavailable, match="Redis"):
        await Bus(NOWHERE, NodeId("alone"), tasks).start()


async def test_events_reach_members_on_all_nodes_once_and_in_order(pair: tuple[Node, Node]) -> None:
    one, two = pair
    await one.rooms.join(ConnectionId("a"), LOBBY)
    await two.rooms.join(ConnectionId("b"), LOBBY)
    for number in range(500):
        await one.rooms.emit([LOBBY, RoomName("user:b")], Said(text=str(number)))
    expected = [str(number) for number in range(500)]
    for node, connection in ((one, "a"), (two, "b")):
        await until(partial(node.has_received, connection, 500))
        assert [payload["text"] for payload in node.local.received(connection)] == expected


async def test_a_member_of_several_rooms_gets_an_event_for_all_of_them_once(pair: tuple[Node, Node]) -> None:
    one, two = pair
    rooms = [LOBBY, RoomName("room:hall"), RoomName("user:b")]
    for room in rooms:
        await two.rooms.join(ConnectionId("b"), room)
    await two.rooms.join(ConnectionId("c"), rooms[1])
    await one.rooms.emit(rooms, Said(text="kept"))
    one.rooms.emit_volatile(rooms, Said(text="volatile"))
    await one.rooms.emit(rooms[2], Said(text="last"))
    await until(lambda: len(two.local.received("b")) >= 3)
    assert [payload["text"] for payload in two.local.received("b")] == ["kept", "volatile", "last"]
    assert [payload["text"] for payload in two.local.received("c")] == ["kept", "volatile"]


async def test_a_member_of_one_room_misses_nothing_while_it_enters_another(
    pair: tuple[Node, Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    hall = RoomName("room:hall")
    await two.rooms.join(ConnectionId("b"), LOBBY)
    follow, may = two.bus.follow, asyncio.Event()

    async def slow(room: RoomName) -> None:
        await may.wait()
        await follow(room)

    monkeypatch.setattr(two.bus, "follow", slow)
    async with asyncio.TaskGroup() as group:
        group.create_task(two.rooms.join(ConnectionId("b"), hall))
        await until(lambda: hall in two.rooms._entered)
        await one.rooms.emit([hall, LOBBY], Said(text="to both"))
        await one.rooms.emit(LOBBY, Said(text="last"))
        await until(lambda: {"text": "last"} in two.local.received("b"))
        may.set()
    assert two.local.received("b") == [{"text": "to both"}, {"text": "last"}]
    assert two.rooms.is_member(ConnectionId("b"), hall)
    assert not two.rooms._entered


async def test_what_is_volatile_reaches_members_here_at_once_and_nobody_twice(pair: tuple[Node, Node]) -> None:
    one, two = pair
    await one.rooms.join(ConnectionId("a"), LOBBY)
    await two.rooms.join(ConnectionId("b"), LOBBY)
    one.rooms.emit_volatile(LOBBY, Said(text="cursor"))
    assert one.local.received("a") == [{"text": "cursor"}]
    await one.rooms.emit(LOBBY, Said(text="kept"))
    for node, connection in ((one, "a"), (two, "b")):
        await until(partial(node.has_received, connection, 2))
        assert [payload["text"] for payload in node.local.received(connection)] == ["cursor", "kept"]


async def test_a_room_is_followed_as_long_as_somebody_here_is_in_it(pair: tuple[Node, Node], redis: Redis) -> None:
    one, _ = pair

    async def subscribed() -> int:
        return int((await redis.pubsub_shardnumsub("{s0}:c:room:lobby"))[0][1])

    for connection in "ab":
        await one.rooms.join(ConnectionId(connection), LOBBY)
    assert await subscribed() == 1
    await one.rooms.leave(ConnectionId("a"), LOBBY)
    assert await subscribed() == 1
    await one.rooms.leave(ConnectionId("b"), LOBBY)
    one.local.gone.add(ConnectionId("c"))
    await one.rooms.join(ConnectionId("c"), LOBBY)

    async def left() -> bool:
        return await subscribed() == 0

    await until(left)


async def test_the_skipped_connection_hears_nothing_wherever_it_is(pair: tuple[Node, Node]) -> None:
    one, two = pair
    await two.rooms.join(ConnectionId("b"), LOBBY)
    await two.rooms.join(ConnectionId("c"), LOBBY)
    await one.rooms.emit(LOBBY, Said(text="hi"), skip=ConnectionId("b"))
    await until(lambda: two.local.received("c"))
    assert two.local.received("b") == []


async def test_bytes_cross_nodes_as_bytes(pair: tuple[Node, Node]) -> None:
    class Picture(ServerEvent):
        event = "test:picture"
        data: bytes

    one, two = pair
    await two.rooms.join(ConnectionId("b"), LOBBY)
    await one.rooms.emit(LOBBY, Picture(data=b"\x00\xff"))
    await until(lambda: two.local.received("b"))
    assert two.local.received("b") == [{"data": b"\x00\xff"}]


@pytest.fixture
def counting(pair: tuple[Node, Node], redis: Redis, tasks: Tasks) -> tuple[Node, Node]:
    """Both with the attendance of rooms, as the features give it to them."""
    for node in pair:
        node.rooms.attendance = NodeAttendance(redis, node.rooms, node.nodes, tasks).service
    return pair


async def test_member_counts_add_up_over_live_nodes_only(
    counting: tuple[Node, Node], redis: Redis, redis_url: str, tasks: Tasks
) -> None:
    one, two = counting
    assert await one.rooms.join(ConnectionId("a"), LOBBY) == 1
    assert await two.rooms.join(ConnectionId("b"), LOBBY) == 2
    assert await two.rooms.join(ConnectionId("b"), LOBBY) == 2, "joining twice counts once"
    dead = Node(redis, redis_url, "three", tasks)  # without a lease
    store = NodeAttendance(redis, dead.rooms, dead.nodes, tasks).store
    await store.arrive(dead.nodes.node_id, [Seat(LOBBY, UserId("c"), ConnectionId("c"))], 0)
    assert await one.rooms.member_count(LOBBY) == 2
    assert await two.rooms.leave(ConnectionId("b"), LOBBY) == 1
    assert await one.rooms.leave(ConnectionId("a"), LOBBY) == 0


async def test_eviction_and_disconnection_reach_connections_on_other_nodes(pair: tuple[Node, Node]) -> None:
    one, two = pair
    user = RoomName("user:bob")
    for room in (user, LOBBY):
        await two.rooms.join(ConnectionId("b"), room)
    await one.rooms.evict(LOBBY, of=user)
    await until(lambda: not two.rooms.is_member(ConnectionId("b"), LOBBY))
    assert two.rooms.is_member(ConnectionId("b"), user)
    await one.rooms.disconnect(user, farewell=Said(text="bye"))
    await until(lambda: two.local.disconnected)
    assert two.local.received("b")[-1] == {"text": "bye"}


async def test_a_room_that_many_leave_at_once_is_counted_right(counting: tuple[Node, Node]) -> None:
    one, two = counting
    for number in range(50):
        await two.rooms.join(ConnectionId(f"b{number}"), LOBBY)
    await one.rooms.join(ConnectionId("a"), LOBBY)
    await two.rooms.evict(LOBBY, of=LOBBY)
    await until(lambda: two.local.count(LOBBY) == 0)
    await until(lambda: one.local.count(LOBBY) == 0)
    await until(lambda: _is_zero(one))


async def _is_zero(node: Node) -> bool:
    return await node.rooms.member_count(LOBBY) == 0


async def test_a_review_is_begun_on_every_node(pair: tuple[Node, Node]) -> None:
    one, two = pair
    begun: list[tuple[str, RoomName]] = []
    one.rooms.reviewer = lambda of: begun.append(("one", of))
    two.rooms.reviewer = lambda of: begun.append(("two", of))
    for node in pair:
        await node.rooms.join(ConnectionId("b"), RoomName("user:bob"))
    await one.rooms.review(RoomName("user:bob"))
    await until(lambda: len(begun) == 2)
    assert sorted(begun) == [("one", "user:bob"), ("two", "user:bob")]


async def test_a_review_in_a_room_is_begun_where_the_room_is(pair: tuple[Node, Node]) -> None:
    one, two = pair
    begun: list[tuple[str, RoomName]] = []
    one.rooms.reviewer = lambda of: begun.append(("one", of))
    two.rooms.reviewer = lambda of: begun.append(("two", of))
    await two.rooms.join(ConnectionId("b"), LOBBY)
    await one.rooms.review(RoomName("user:bob"), in_=LOBBY)
    await one.rooms.review(LOBBY)
    await until(lambda: len(begun) == 2)
    assert begun == [("two", "user:bob"), ("two", LOBBY)]


async def test_members_of_a_room_that_lost_events_are_cut_and_nobody_else(
    pair: tuple[Node, Node], redis: Redis
) -> None:
    one, two = pair
    await two.rooms.join(ConnectionId("b"), LOBBY)
    two.rooms.missed([LOBBY])
    assert two.local.cuts == [[LOBBY]]
    await redis.flushall()
    await one.rooms.emit(LOBBY, Said(text="into a new epoch"))
    await until(lambda: two.local.cuts == [[LOBBY]] * 2)


async def test_a_deaf_node_is_not_ready(redis_url: str, tasks: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    bus = Bus(servers_of(redis_url), NodeId("deaf"), tasks)
    with pytest.raises(ConnectionError):
        await bus.check()
    await bus.start()
    await bus.check()
    monkeypatch.setattr("hub.cluster.bus.DEAF_S", -1.0)
    with pytest.raises(ConnectionError):
        await bus.check()


async def test_without_redis_a_room_cannot_be_joined_and_nobody_waits_for_it(
    tasks: Tasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.cluster.shard.FOLLOW_S", 0.1)
    node = Node(connect("unix:///nowhere/v.sock", size=5), "unix:///nowhere/v.sock", "alone", tasks)
    with pytest.raises(Unavailable):
        await node.rooms.join(ConnectionId("a"), LOBBY)
    assert not node.rooms.is_member(ConnectionId("a"), LOBBY)
    await node.rooms.emit(LOBBY, Said(text="nobody hears it yet"))


async def test_who_cannot_enter_another_room_stays_in_those_that_it_is_in(
    pair: tuple[Node, Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = pair
    hall = RoomName("room:hall")
    await one.rooms.join(ConnectionId("a"), LOBBY)
    follow = one.bus.follow

    async def failing(room: RoomName) -> None:
        if room == hall:
            raise Unavailable
        await follow(room)

    monkeypatch.setattr(one.bus, "follow", failing)
    with pytest.raises(Unavailable):
        await one.rooms.enter(ConnectionId("a"), [LOBBY, hall])
    assert one.rooms.is_member(ConnectionId("a"), LOBBY)
    assert not one.rooms.is_member(ConnectionId("a"), hall)
    await one.rooms.emit(LOBBY, Said(text="still here"))
    await until(lambda: one.local.received("a") == [{"text": "still here"}])


async def test_code_that_listens_to_a_room_gets_what_its_members_get_from_any_node_in_order(
    pair: tuple[Node, Node],
) -> None:
    one, two = pair
    heard: list[tuple[str, Any]] = []
    async with two.rooms.listen(LOBBY, lambda event, payload: heard.append((event, payload))):
        await one.rooms.emit(LOBBY, Said(text="from one"))
        await until(lambda: len(heard) == 1)
        await two.rooms.emit([RoomName("room:other"), LOBBY], Said(text="from two"))
        await until(lambda: len(heard) == 2)
        await two.rooms.emit_local(LOBBY, Said(text="only here"))
        await one.rooms.emit(RoomName("room:other"), Said(text="elsewhere"))
        await until(lambda: len(heard) == 3)
    await two.rooms.emit(LOBBY, Said(text="too late"))
    assert heard == [("test:said", {"text": text}) for text in ("from one", "from two", "only here")]


async def test_one_listener_less_leaves_the_others(pair: tuple[Node, Node]) -> None:
    one, _ = pair
    first: list[Any] = []
    second: list[Any] = []
    async with one.rooms.listen(LOBBY, lambda _, payload: first.append(payload)):
        async with one.rooms.listen(LOBBY, lambda _, payload: second.append(payload)):
            await one.rooms.emit(LOBBY, Said(text="both"))
            await until(lambda: second)
        await one.rooms.emit(LOBBY, Said(text="first"))
        await until(lambda: len(first) == 2)
    assert (first, second) == ([{"text": "both"}, {"text": "first"}], [{"text": "both"}])
