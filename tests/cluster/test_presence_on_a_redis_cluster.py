"""The presence store on a real Redis Cluster: every call finds the server of its part, whichever scripts that knows."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from hub.storage.redis import connect
from presence.model import PARTS, Status, Totals, part_of
from presence.store_redis import TRANSITIONS, RedisPresenceStore
from presence.transitions_redis import RedisTransitions
from tests.support.presence import some_user
from tests.support.presence_store import HOLD_MS, N1, N2, T0, all_of, connection, losses
from tests.support.redis_cluster import RedisCluster


@pytest.fixture
async def client(redis_cluster: RedisCluster) -> AsyncIterator[Redis]:
    client = connect(redis_cluster.url, size=20)
    yield client
    await client.aclose()


async def test_users_on_all_servers_come_are_read_held_and_buried(client: Redis) -> None:
    store, transitions = RedisPresenceStore(client), RedisTransitions(client, TRANSITIONS)
    users = [some_user() for _ in range(120)]
    assert {part_of(user_id) for user_id in users} == set(range(PARTS))
    for user_id in users:
        await store.connect(connection(user_id, f"1 {user_id}", node_id=N1), T0)
    held = [connection(user_id, f"1 {user_id}", node_id=N1) for user_id in users[:20]]
    await store.hold(losses(held, T0))
    assert await store.totals() == Totals(online=120, held=20)
    assert [record.shown().status for record in await store.read(users, T0)] == [Status.ONLINE] * 120
    assert len(await all_of(store.bury(N1, T0 + 7000))) == 100
    assert len(await all_of(store.expire(T0 + HOLD_MS))) == 20
    assert await store.totals() == Totals(online=0, held=0)
    assert await store.nodes() == frozenset()
    overdue = await transitions.overdue(0)
    assert len(overdue) == 240
    await transitions.remove(one.entry for one in overdue)
    assert await transitions.overdue(0) == []


async def test_servers_that_forgot_their_scripts_are_given_them_again(client: Redis) -> None:
    store = RedisPresenceStore(client)
    users = [some_user() for _ in range(60)]
    for user_id in users:
        await store.connect(connection(user_id, f"1 {user_id}", node_id=N2), T0)
    await client.script_flush()
    assert len(await all_of(store.bury(N2, T0 + 7000))) == 60
