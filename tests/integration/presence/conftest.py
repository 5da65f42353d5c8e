"""Two nodes with presence, and one without Redis."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from presence.settings import PresenceSettings
from tests.support.clock import FrozenClock
from tests.support.presence_node import N1, N2, PresenceNode, make_whole


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def settings() -> PresenceSettings:
    return PresenceSettings(coalesce_s=0, sweep_s=0.01)


@pytest.fixture
async def node(redis: Redis, clock: FrozenClock, settings: PresenceSettings) -> AsyncIterator[PresenceNode]:
    await make_whole(redis)
    node = PresenceNode(redis, N1, clock, settings)
    yield node
    await node.tasks.close()


@pytest.fixture
async def other(redis: Redis, clock: FrozenClock, settings: PresenceSettings) -> AsyncIterator[PresenceNode]:
    node = PresenceNode(redis, N2, clock, settings)
    yield node
    await node.tasks.close()


@pytest.fixture
async def lonely(clock: FrozenClock, settings: PresenceSettings) -> AsyncIterator[PresenceNode]:
    """A node without Redis."""
    async with Redis.from_url("redis://127.0.0.1:1") as nowhere:
        node = PresenceNode(nowhere, N1, clock, settings)
        yield node
        await node.tasks.close()
