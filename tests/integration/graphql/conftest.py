"""A node, and a GraphQL client of it for whoever asks."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import structlog

from hub.cluster.rooms import ClusterRooms
from tests.support.graphql_client import GraphQL
from tests.support.hub import RunningHub, running_hub, settings
from tests.support.queries import Since, recorded
from tests.support.rest import Person, Rest
from tests.support.wait import until


@pytest.fixture
async def hub(database_url: str, redis_url: str) -> AsyncIterator[RunningHub]:
    """A node with short times."""
    more = {
        "SPARKLE_PRESENCE_COALESCE_S": "0",
        "SPARKLE_PRESENCE_HOLD_S": "0.1",
        "SPARKLE_GRAPHQL_DOCUMENT_S": "0.1",
        "SPARKLE_GRAPHQL_RECHECK_S": "0.1",
        "SPARKLE_GRAPHQL_SUBSCRIPTIONS": "3",
        "SPARKLE_GRAPHQL_CONNECTIONS_EACH": "2",
        "SPARKLE_GRAPHQL_INIT_S": "0.5",
    }
    async with running_hub(settings(database_url, redis_url, more)) as running:
        yield running


@pytest.fixture
async def rest(hub: RunningHub) -> AsyncIterator[Rest]:
    """The same node by REST."""
    async with Rest(hub.url) as client:
        yield client


@pytest.fixture
def stranger(hub: RunningHub) -> GraphQL:
    """GraphQL for somebody who is not signed in."""
    return GraphQL(hub.http, hub.url)


@pytest.fixture
def of(hub: RunningHub) -> Callable[[Person], GraphQL]:
    """GraphQL for somebody who is."""
    return lambda person: GraphQL(hub.http, hub.url, person.token)


@pytest.fixture
def queries(monkeypatch: pytest.MonkeyPatch) -> Since:
    """Gives the statements that requests ran since it was asked last."""
    # What runs in the background has no request.
    return recorded(monkeypatch, if_=lambda: "request_id" in structlog.contextvars.get_contextvars())


@pytest.fixture
def listened(hub: RunningHub) -> Callable[[str], Awaitable[None]]:
    """Waits until somebody on the node listens to a room: a subscription has begun then."""
    rooms = hub.hub.bus._members
    assert isinstance(rooms, ClusterRooms)

    async def wait(room: str) -> None:
        await until(lambda: room in rooms._listeners)

    return wait
