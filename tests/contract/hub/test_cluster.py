"""hub.cluster on a real Valkey: leases, the broker's order, member counts over nodes."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from hub.cluster.broker import RedisBroker
from hub.cluster.leases import KEY, RedisNodes
from hub.cluster.rooms import ClusterRooms
from hub.kernel.errors import Unavailable
from hub.kernel.ids import ConnectionId, NodeId, RoomName
from hub.kernel.tasks import Tasks
from hub.kernel.wire import ServerEvent
from hub.storage.redis import connect
from tests.support.local_rooms import MemoryLocalRooms
from tests.support.wait import until

LOBBY = RoomName("room:lobby")


class Said(ServerEvent):
    event = "test:said"
    text: str


class Node:
    """What a node has of the cluster."""

    def __init__(self, redis: Redis, name: str, tasks: Tasks) -> None:
        self.nodes = RedisNodes(redis, NodeId(name), tasks)
        self.broker = RedisBroker(redis, NodeId(name), tasks)
        self.local = MemoryLocalRooms()
        self.rooms = ClusterRooms(self.local, self.broker, redis, self.nodes)

    async def start(self) -> "Node":
        await self.nodes.start()
        await self.broker.start()
        return self


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    started = Tasks()
    yield started
    await started.close()


@pytest.fixture
async def pair(redis: Redis, tasks: Tasks) -> tuple[Node, Node]:
    return await Node(redis, "one", tasks).start(), await Node(redis, "two", tasks).start()


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


async def test_a_lease_that_was_given_back_is_not_taken_again(
    redis: Redis, tasks: Tasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.cluster.leases.BEAT_S", 0.01)
    nodes = RedisNodes(redis, NodeId("one"), tasks)
    await nodes.start()
    await nodes.release()
    await asyncio.wait_for(tasks.close(), 1)
    assert await redis.zscore(KEY, "one") is None


async def test_a_beat_that_fails_or_hangs_is_followed_by_the_next(
    redis: Redis, tasks: Tasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.cluster.leases.BEAT_S", 0.02)
    nodes, beats = RedisNodes(redis, NodeId("one"), tasks), [0]
    await nodes.start()

    async def beat(**_: object) -> int:
        beats[0] += 1
        if beats[0] == 1:
            raise RuntimeError("the handler is closed")
        if beats[0] == 2:
            await asyncio.Event().wait()
        return 1

    monkeypatch.setattr(nodes, "_beat", beat)
    await until(lambda: beats[0] >= 3)


async def test_a_node_that_hears_nothing_at_its_start_says_so(tasks: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.cluster.broker.START_S", 0.2)
    with pytest.raises(Unavailable, match="Redis"):
        await RedisBroker(connect("unix:///nowhere/v.sock", size=5), NodeId("alone"), tasks).start()


async def test_events_reach_members_on_other_nodes_once_and_in_order(pair: tuple[Node, Node]) -> None:
    one, two = pair
    await one.rooms.join(ConnectionId("a"), LOBBY)
    await two.rooms.join(ConnectionId("b"), LOBBY)
    for number in range(500):
        await one.rooms.emit([LOBBY, RoomName("user:b")], Said(text=str(number)))
    expected = [str(number) for number in range(500)]
    assert [payload["text"] for payload in one.local.received("a")] == expected
    await until(lambda: len(two.local.received("b")) >= 500)
    assert [payload["text"] for payload in two.local.received("b")] == expected


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


async def test_member_counts_add_up_over_live_nodes_only(pair: tuple[Node, Node], redis: Redis) -> None:
    one, two = pair
    assert await one.rooms.join(ConnectionId("a"), LOBBY) == 1
    assert await two.rooms.join(ConnectionId("b"), LOBBY) == 2
    assert await two.rooms.join(ConnectionId("b"), LOBBY) == 2, "joining twice counts once"
    await redis.hset("hub:members:room:lobby", "dead-node", "40")
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


async def test_a_room_that_many_leave_at_once_is_counted_once_and_right(pair: tuple[Node, Node], redis: Redis) -> None:
    one, two = pair
    for number in range(50):
        await two.rooms.join(ConnectionId(f"b{number}"), LOBBY)
    await one.rooms.join(ConnectionId("a"), LOBBY)
    commands = (await redis.info("stats"))["total_commands_processed"]
    await two.rooms.evict(LOBBY, of=LOBBY)
    assert two.local.count(LOBBY) == 0
    assert (await redis.info("stats"))["total_commands_processed"] - commands < 20
    await until(lambda: one.local.count(LOBBY) == 0)
    await until(lambda: _is_zero(one))


async def _is_zero(node: Node) -> bool:
    return await node.rooms.member_count(LOBBY) == 0


async def test_a_review_is_begun_on_every_node(pair: tuple[Node, Node]) -> None:
    one, two = pair
    begun: list[tuple[str, RoomName]] = []
    one.rooms.reviewer = lambda of: begun.append(("one", of))
    two.rooms.reviewer = lambda of: begun.append(("two", of))
    await one.rooms.review(RoomName("user:bob"))
    await until(lambda: len(begun) == 2)
    assert begun == [("one", "user:bob"), ("two", "user:bob")]


async def test_a_node_whose_subscription_was_killed_hears_again(pair: tuple[Node, Node], redis: Redis) -> None:
    one, two = pair
    await two.rooms.join(ConnectionId("b"), LOBBY)
    await redis.client_kill_filter(_type="pubsub")

    async def heard() -> list[Any]:
        await one.rooms.emit(LOBBY, Said(text="again"))
        return two.local.received("b")

    await until(heard)


async def test_a_deaf_node_is_not_ready(redis: Redis, tasks: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    broker = RedisBroker(redis, NodeId("deaf"), tasks)
    with pytest.raises(ConnectionError):
        await broker.check()
    await broker.start()
    await broker.check()
    monkeypatch.setattr("hub.cluster.broker.DEAF_S", -1.0)
    with pytest.raises(ConnectionError):
        await broker.check()


async def test_without_redis_members_here_are_still_served(tasks: Tasks) -> None:
    nowhere = connect("unix:///nowhere/v.sock", size=5)
    node = Node(nowhere, "alone", tasks)
    assert await node.rooms.join(ConnectionId("a"), LOBBY) == 1
    await node.rooms.emit(LOBBY, Said(text="hi"))
    assert node.local.received("a") == [{"text": "hi"}]


async def test_code_that_listens_to_a_room_gets_what_its_members_get_from_any_node_in_order(
    pair: tuple[Node, Node],
) -> None:
    one, two = pair
    heard: list[tuple[str, Any]] = []
    async with two.rooms.listen(LOBBY, lambda event, payload: heard.append((event, payload))):
        await one.rooms.emit(LOBBY, Said(text="from one"))
        await until(lambda: len(heard) == 1)
        await two.rooms.emit([RoomName("room:other"), LOBBY], Said(text="from two"))
        await two.rooms.emit_local(LOBBY, Said(text="only here"))
        await one.rooms.emit(RoomName("room:other"), Said(text="elsewhere"))
    await two.rooms.emit(LOBBY, Said(text="too late"))
    assert heard == [("test:said", {"text": text}) for text in ("from one", "from two", "only here")]


async def test_one_listener_less_leaves_the_others(pair: tuple[Node, Node]) -> None:
    one, _ = pair
    first: list[Any] = []
    second: list[Any] = []
    async with one.rooms.listen(LOBBY, lambda _, payload: first.append(payload)):
        async with one.rooms.listen(LOBBY, lambda _, payload: second.append(payload)):
            await one.rooms.emit(LOBBY, Said(text="both"))
        await one.rooms.emit(LOBBY, Said(text="first"))
    assert (first, second) == ([{"text": "both"}, {"text": "first"}], [{"text": "both"}])
