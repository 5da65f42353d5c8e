"""The bus on a real Redis Cluster, three primaries and three replicas: shards are found wherever they go."""

import asyncio
import contextlib
import random
import zlib
from collections.abc import AsyncIterator

import pytest

from tests.support.bus_nodes import BusNode, bus_nodes
from tests.support.redis_cluster import RedisCluster, Server
from tests.support.wait import until

SHARDS = 4
ROOMS = [f"room:{number}" for number in range(12)]
BACK_S = 10.0
"""Within this time everything goes on after a failover, which itself takes about two seconds here."""


class Talk:
    """Two nodes that follow all rooms, and what was published."""

    def __init__(self, nodes: list[BusNode]) -> None:
        self.nodes = nodes
        self.one, self.two = nodes
        self.published = 0

    def publish(self, rounds: int) -> None:
        """An event to each room in each round, by the nodes in turn; the same one for each room."""
        for _ in range(rounds):
            for place, room in enumerate(ROOMS):
                self.nodes[place % 2].publish(room, self.published + place)
            self.published += len(ROOMS)

    def expected(self, room: str) -> list[int]:
        """All numbers of a room."""
        return list(range(ROOMS.index(room), self.published, len(ROOMS)))

    def all_heard_last(self) -> bool:
        """Whether the last event of each room has come to both."""
        return all(node.heard.get(room, [])[-1:] == self.expected(room)[-1:] for node in self.nodes for room in ROOMS)

    async def goes_on(self) -> None:
        """Return when both hear all rooms again."""

        async def hear() -> bool:
            self.publish(1)
            with contextlib.suppress(AssertionError):
                return await until(self.all_heard_last, 0.2)
            return False

        await until(hear, BACK_S)

    def check(self, hit: set[int]) -> None:
        """Nothing is doubled or out of order, and nothing is missing but in rooms of shards that were hit, and told."""
        for node in self.nodes:
            told = {room for rooms in node.lost for room in rooms}
            assert told <= set(rooms_of(hit))
            for room in ROOMS:
                heard = node.heard[room]
                assert heard == sorted(set(heard))
                assert set(heard) <= set(self.expected(room))
                if room not in told:
                    assert heard == self.expected(room)


@pytest.fixture
async def talk(redis_cluster: RedisCluster) -> AsyncIterator[Talk]:
    async with bus_nodes(redis_cluster.url, "one", "two", shards=SHARDS) as nodes:
        for node in nodes:
            await node.follow(ROOMS)
        yield Talk(nodes)


def rooms_of(shards: set[int]) -> list[str]:
    return [room for room in ROOMS if zlib.crc32(room.encode()) % SHARDS in shards]


def shards_of(cluster: RedisCluster, server: Server) -> set[int]:
    return {index for index in range(SHARDS) if cluster.primary_of(f"{{s{index}}}") is server}


async def test_events_of_rooms_on_different_primaries_come_once_and_in_order(
    talk: Talk, redis_cluster: RedisCluster
) -> None:
    talk.publish(100)
    await until(talk.all_heard_last)
    talk.check(hit=set())
    assert all(shards_of(redis_cluster, server) for server in redis_cluster.primaries)


async def test_ephemeral_events_reach_the_other_node(talk: Talk) -> None:
    for number, room in enumerate(ROOMS):
        talk.one.publish(room, number, volatile=True)
    await until(lambda: talk.two.heard == {room: [number] for number, room in enumerate(ROOMS)})


async def test_a_primary_that_dies_is_replaced_and_what_may_be_lost_is_told(
    talk: Talk, redis_cluster: RedisCluster
) -> None:
    talk.publish(10)
    await until(talk.all_heard_last)
    victim = redis_cluster.primary_of("{s0}")
    hit = shards_of(redis_cluster, victim)
    bases = [shard.base for shard in talk.one.bus._shards]
    victim.kill()
    talk.publish(10)
    await talk.goes_on()
    talk.check(hit)
    for node in talk.nodes:
        # The replica may lack the end of what the primary had: a new epoch, of which everybody is told.
        assert sorted(map(sorted, node.lost)) == sorted(sorted(rooms_of({index})) for index in hit)
        assert await node.is_ready()
    for index, shard in enumerate(talk.one.bus._shards):
        assert (shard.base > bases[index]) == (index in hit)


async def test_readiness_follows_a_shard_that_no_server_has(
    talk: Talk, redis_cluster: RedisCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.cluster.bus.DEAF_S", 1.5)
    redis_cluster.primary_of("{s0}").kill()

    async def is_deaf() -> bool:
        return not await talk.one.is_ready()

    await until(is_deaf, BACK_S)
    await until(talk.one.is_ready, BACK_S)


async def test_a_primary_that_hangs_is_left_for_its_successor(talk: Talk, redis_cluster: RedisCluster) -> None:
    talk.publish(10)
    await until(talk.all_heard_last)
    victim = redis_cluster.primary_of("{s0}")
    hit = shards_of(redis_cluster, victim)
    victim.pause()
    talk.publish(10)
    await talk.goes_on()
    victim.resume()
    await talk.goes_on()
    talk.check(hit)


async def test_a_slot_that_moves_under_traffic_is_followed_and_told(talk: Talk, redis_cluster: RedisCluster) -> None:
    moved = asyncio.Event()

    async def publish() -> None:
        while not moved.is_set():
            talk.publish(1)
            await asyncio.sleep(0.001)  # of the schedule, not a wait

    source = redis_cluster.primary_of("{s0}")
    target = next(server for server in redis_cluster.primaries if server is not source)
    async with asyncio.TaskGroup() as group:
        group.create_task(publish())
        await until(lambda: talk.published > 100 * len(ROOMS))
        await asyncio.to_thread(redis_cluster.move, "{s0}", target)
        moved.set()
    await talk.goes_on()
    assert redis_cluster.primary_of("{s0}") is target
    talk.check(hit={0})
    for node in talk.nodes:
        assert [sorted(rooms) for rooms in node.lost] == [sorted(rooms_of({0}))]
        assert await node.is_ready()


@pytest.mark.parametrize("seed", range(2))
async def test_whatever_breaks_each_node_hears_everything_or_is_told(
    talk: Talk, redis_cluster: RedisCluster, seed: int
) -> None:
    draw, hit = random.Random(seed), set[int]()
    for turn in range(100):
        talk.publish(1)
        if turn == 50:
            victim = redis_cluster.primary_of(f"{{s{draw.randrange(SHARDS)}}}")
            hit = shards_of(redis_cluster, victim)
            victim.kill()
        if turn % 5 == 0:
            draw.choice(draw.choice(talk.nodes).bus._shards)._break()
            await asyncio.sleep(0.01)  # of the schedule, not a wait
    await talk.goes_on()
    talk.check(hit)
