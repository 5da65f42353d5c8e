"""hub.storage.redis: a client that does not take many commands at once for an outage."""

import asyncio

import pytest
from redis.exceptions import RedisError

from hub.storage.redis import connect


async def test_more_commands_at_once_than_connections_wait_for_one(redis_url: str) -> None:
    client = connect(redis_url, size=2)
    counts = await asyncio.gather(*(client.incr("count") for _ in range(100)))
    assert sorted(counts) == list(range(1, 101))
    await client.aclose()


async def test_a_server_that_is_not_there_is_told_at_the_first_command() -> None:
    client = connect("unix:///nowhere/v.sock", size=2)
    with pytest.raises((RedisError, OSError)):
        await client.ping()
    await client.aclose()
