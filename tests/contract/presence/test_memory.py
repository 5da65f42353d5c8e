"""Redis loses what it knew, and is believed again when every live node has told it what it has."""

import asyncio

import pytest
from redis.asyncio import Redis

from hub.kernel.errors import Unavailable
from hub.kernel.ids import UserId
from presence.memory import Reading
from presence.memory_redis import PATIENCE_MS, RedisMemory
from presence.model import PARTS, part_of
from presence.store_redis import MEMORIES, RedisPresenceStore
from tests.support.clock import FrozenClock
from tests.support.presence import KnownNodes, some_user
from tests.support.presence_store import N1, N2, T0, connection

ALL = frozenset(range(PARTS))


class Told:
    """The memory as two nodes see it, both alive."""

    def __init__(self, redis: Redis) -> None:
        self.clock = FrozenClock()
        self.nodes = [KnownNodes(node_id, {N1, N2}) for node_id in (N1, N2)]
        self.one, self.other = (RedisMemory(redis, MEMORIES, nodes, self.clock) for nodes in self.nodes)

    async def all(self) -> None:
        for memory in (self.one, self.other):
            await memory.told(await memory.lost())


@pytest.fixture
def told(redis: Redis) -> Told:
    return Told(redis)


async def is_whole(store: RedisPresenceStore, user_id: UserId) -> bool:
    _, whole = await store.look([user_id], T0)
    return whole


async def test_an_empty_redis_is_whole_when_every_live_node_has_told_it_what_it_has(
    told: Told, store: RedisPresenceStore
) -> None:
    ann = some_user()
    assert not await is_whole(store, ann)
    assert (await told.one.lost(), await told.other.lost()) == (ALL, ALL)
    assert not await is_whole(store, ann)
    await told.one.told(ALL)
    assert (await told.one.lost(), await told.other.lost()) == (frozenset(), ALL)
    assert not await is_whole(store, ann)
    await told.other.told(ALL)
    assert (await told.one.lost(), await told.other.lost()) == (frozenset(), frozenset())
    assert await is_whole(store, ann)


async def test_a_part_that_is_lost_is_told_again_by_all_who_had_told_it_and_the_others_stay_whole(
    told: Told, store: RedisPresenceStore, redis: Redis
) -> None:
    await told.all()
    ann = some_user()
    part = part_of(ann)
    ben = next(user for user in iter(some_user, None) if part_of(user) != part)
    await redis.delete(*MEMORIES[part])
    for memory in (told.one, told.other):
        assert await memory.lost() == {part}
    assert (await is_whole(store, ann), await is_whole(store, ben)) == (False, True)
    await told.other.told({part})
    assert await told.one.lost() == {part}
    await told.one.told({part})
    assert await is_whole(store, ann)


async def test_what_was_told_to_a_memory_that_is_lost_by_then_makes_no_other_one_whole(
    told: Told, store: RedisPresenceStore, redis: Redis
) -> None:
    parts = await told.one.lost()
    await told.other.lost()
    await redis.flushall()
    await told.one.told(parts)
    await told.other.told(parts)
    assert (await told.one.lost(), await told.other.lost()) == (ALL, ALL)
    assert not await is_whole(store, some_user())


async def test_a_node_that_starts_has_nothing_to_tell_a_whole_memory(told: Told, redis: Redis) -> None:
    await told.all()
    late = RedisMemory(redis, MEMORIES, KnownNodes(N1), told.clock)
    assert await late.lost() == frozenset()


async def test_nobody_waits_for_a_node_that_died(told: Told, store: RedisPresenceStore) -> None:
    await told.one.told(await told.one.lost())
    told.nodes[0].alive.remove(N2)
    await told.one.told([])
    assert await is_whole(store, some_user())


async def test_nobody_waits_for_ever_for_a_live_node_that_says_nothing(told: Told, store: RedisPresenceStore) -> None:
    await told.one.told(await told.one.lost())
    told.clock.advance(PATIENCE_MS / 1000 - 1)
    await told.one.told(await told.one.lost())
    assert not await is_whole(store, some_user())
    told.clock.advance(1)
    await told.one.told(await told.one.lost())
    assert await is_whole(store, some_user())


async def test_who_reads_waits_until_the_store_knows_all(told: Told, store: RedisPresenceStore) -> None:
    ann = some_user()

    async def tell() -> None:
        await told.one.told(await told.one.lost())
        parts = await told.other.lost()
        await store.connect(connection(ann, "c1"), T0)
        await told.other.told(parts)
        await told.one.lost()

    [record], _ = await asyncio.gather(Reading(store, told.one).read([ann], T0), tell())
    assert [device.name for device in record.devices] == ["web"]


async def test_who_has_waited_too_long_is_told_so(told: Told, store: RedisPresenceStore) -> None:
    with pytest.raises(Unavailable, match="put together again"):
        await Reading(store, told.one, wait_s=0.01).read([some_user()], T0)
