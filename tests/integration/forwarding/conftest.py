"""Nodes of the transport on the loop that the hub runs on, reached by both ways that there are."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest

from hub.transport.eager import HubLoop
from tests.support.node_cluster import LocalCluster, local_cluster


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"hub": HubLoop}


@pytest.fixture(params=[False, True], ids=["unix", "tcp"])
async def cluster(request: pytest.FixtureRequest) -> AsyncIterator[LocalCluster]:
    """Three nodes."""
    async with local_cluster(3, by_tcp=request.param) as running:
        yield running
