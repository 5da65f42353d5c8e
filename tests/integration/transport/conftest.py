"""The transport on the loop that the hub runs on, whose transports are not asyncio's."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest

from hub.transport.eager import HubLoop
from tests.support.local_server import LocalServer, local_server
from tests.support.raw_client import Client


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"hub": HubLoop}


@pytest.fixture
async def slow_reader(local: LocalServer) -> AsyncIterator[Client]:
    """A client that takes hardly anything by itself: what it does not read stays with the server."""
    client = Client(local.client.port, reads_ahead=False)
    yield client
    await client.close()


@pytest.fixture
async def local() -> AsyncIterator[LocalServer]:
    """A bare server with the usual settings."""
    async with local_server() as server:
        yield server
