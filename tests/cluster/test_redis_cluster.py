"""The bus on a real Redis Cluster, three primaries and three replicas: shards are found wherever they go."""

import asyncio
import random
from collections.abc import AsyncIterator
from functools import partial

import pytest

from tests.support.bus_nodes import BusNode, bus_nodes
from tests.support.redis_cluster import RedisCluster
from tests.support.wait import until

SHARDS = 4
ROOMS = [f"room:{number}" for number in range(12)]
BACK_S = 10.0
"""Within this time everything goes on after a failover, which itself takes about two seconds here."""


@pytest.fixture
async def pair(redis_cluster: RedisCluster) -> AsyncIterator[list[BusNode]]:
    async with bus_nodes(redis_cluster.url, "one", "two", shards=SHARDS) as nodes:
        for node in nodes:
            await node.follow(ROOMS)
        yield nodes


def rooms_of(node: BusNode, shards: set[int]) -> list[str]:
    return [room for room in ROOMS if node.bus._place(room) in shards]  # type: ignore[arg-type] # a name


async def test_events_of_rooms_on_different_primaries_come_once_and_in_order(
    pair: list[BusNode], redis_cluster: RedisCluster
) -> None:
    one, _ = pair
    for number in range(1200):
        one.publish(ROOMS[number % len(ROOMS)], number)
    for node in pair:
        await until(partial(node.has_heard, dict.fromkeys(ROOMS, 100)))
        assert node.heard == {room: list(range(place, 1200, len(ROOMS))) for place, room in enumerate(ROOMS)}
        assert node.lost == []
    assert len({redis_cluster.primary_of(f"{{s{index}}}").port for index in range(SHARDS)}) == 3


async def test_ephemeral_events_reach_the_other_node(pair: list[BusNode]) -> None:
    one, two = pair
    for number, room in enumerate(ROOMS):
        one.publish(room, number, volatile=True)
    await until(lambda: two.heard == {room: [number] for number, room in enumerate(ROOMS)})


async def test_a_primary_that_dies_is_replaced_and_what_may_be_lost_is_told(
    pair: list[BusNode], redis_cluster: RedisCluster
) -> None:
    one, _ = pair
    for number in range(120):
        one.publish(ROOMS[number % len(ROOMS)], number)
    for node in pair:
        await until(partial(node.has_heard, dict.fromkeys(ROOMS, 10)))
    victim = redis_cluster.primary_of("{s0}")
    hit = {index for index in range(SHARDS) if redis_cluster.primary_of(f"{{s{index}}}") is victim}
    bases = [shard.base for shard in one.bus._shards]
    victim.kill()
    for number in range(120, 240):
        one.publish(ROOMS[number % len(ROOMS)], number)
    for node in pair:
        await until(partial(node.has_heard, dict.fromkeys(ROOMS, 20)), BACK_S)
        await until(node.is_ready)
        # What was published while nobody had the shard came afterwards, in order and once.
        assert node.heard == {room: list(range(place, 240, len(ROOMS))) for place, room in enumerate(ROOMS)}
        # The replica may lack the end of what the primary had: a new epoch, of which everybody is told.
        assert node.lost == [None] * len(hit)
    for index, shard in enumerate(one.bus._shards):
        assert (shard.base > bases[index]) == (index in hit)


async def test_readiness_follows_a_shard_that_no_server_has(
    pair: list[BusNode], redis_cluster: RedisCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.cluster.bus.DEAF_S", 1.5)
    victim = redis_cluster.primary_of("{s0}")
    victim.kill()

    async def is_deaf() -> bool:
        return not await pair[0].is_ready()

    await until(is_deaf, BACK_S)
    await until(pair[0].is_ready, BACK_S)


async def test_a_primary_that_hangs_is_left_for_its_successor(pair: list[BusNode], redis_cluster: RedisCluster) -> None:
    one, two = pair
    victim = redis_cluster.primary_of("{s0}")
    victim.pause()
    for number in range(120):
        one.publish(ROOMS[number % len(ROOMS)], number)
    await until(partial(two.has_heard, dict.fromkeys(ROOMS, 10)), 2 * BACK_S)
    victim.resume()
    for number in range(120, 240):
        one.publish(ROOMS[number % len(ROOMS)], number)
    await until(partial(two.has_heard, dict.fromkeys(ROOMS, 20)), BACK_S)
    assert two.heard == {room: list(range(place, 240, len(ROOMS))) for place, room in enumerate(ROOMS)}


async def test_a_slot_that_moves_under_traffic_loses_and_doubles_nothing_and_is_told(
    pair: list[BusNode], redis_cluster: RedisCluster
) -> None:
    one, two = pair
    published = 0

    async def publish_until(stopped: asyncio.Event) -> None:
        nonlocal published
        while not stopped.is_set() or published % len(ROOMS):
            one.publish(ROOMS[published % len(ROOMS)], published)
            published += 1
            if published % 20 == 0:
                await asyncio.sleep(0.001)  # of the schedule, not a wait

    done = asyncio.Event()
    publishing = asyncio.create_task(publish_until(done))  # noqa: TID251 of the test, which awaits it
    source = redis_cluster.primary_of("{s0}")
    target = next(server for server in redis_cluster.primaries if server is not source)
    await asyncio.to_thread(redis_cluster.move, "{s0}", target)
    await until(lambda: None in two.lost, BACK_S)
    done.set()
    await publishing
    for node in pair:
        await until(partial(node.has_heard, dict.fromkeys(ROOMS, published // len(ROOMS))), BACK_S)
        assert node.heard == {room: list(range(place, published, len(ROOMS))) for place, room in enumerate(ROOMS)}
        assert node.lost == [None]
        assert await node.is_ready()


@pytest.mark.parametrize("seed", range(2))
async def test_whatever_breaks_both_nodes_hear_the_same_or_are_told(
    pair: list[BusNode], redis_cluster: RedisCluster, seed: int
) -> None:
    draw = random.Random(seed)
    for number in range(1200):
        pair[number % 2].publish(ROOMS[number // 2 % len(ROOMS)], number)
        if number == 600:
            redis_cluster.primary_of(f"{{s{draw.randrange(SHARDS)}}}").kill()
        if number % 60 == 0:
            shard = draw.choice(draw.choice(pair).bus._shards)
            shard._break()
            await asyncio.sleep(0.01)  # of the schedule, not a wait
    for node in pair:
        await until(partial(node.has_heard, dict.fromkeys(ROOMS, 100)), BACK_S)
    one, two = pair
    assert one.heard == two.heard
    for place, room in enumerate(ROOMS):
        assert sorted(one.heard[room]) == [number for number in range(1200) if number // 2 % len(ROOMS) == place]
