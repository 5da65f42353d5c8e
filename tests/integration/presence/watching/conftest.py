"""One node on which people watch one another."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from tests.support.clock import FrozenClock
from tests.support.presence_node import make_whole
from tests.support.watching_node import WatchingNode


@pytest.fixture
async def node(redis: Redis, clock: FrozenClock) -> AsyncIterator[WatchingNode]:
    await make_whole(redis)
    node = WatchingNode(redis, clock)
    yield node
    await node.tasks.close()
