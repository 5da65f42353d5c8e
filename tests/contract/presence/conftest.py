"""The presence store of two nodes."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from presence.store_redis import RedisPresenceStore


@pytest.fixture
def store(redis: Redis) -> RedisPresenceStore:
    return RedisPresenceStore(redis)


@pytest.fixture
async def rival(redis_url: str) -> AsyncIterator[RedisPresenceStore]:
    """The store of another node: a client of its own."""
    async with Redis.from_url(redis_url) as client:
        yield RedisPresenceStore(client)
