"""A node in this process."""

from collections.abc import AsyncIterator

import pytest

from tests.support.hub import RunningHub, running_hub, settings


@pytest.fixture
async def node(database_url: str, redis_url: str) -> AsyncIterator[RunningHub]:
    async with running_hub(settings(database_url, redis_url)) as running:
        yield running
