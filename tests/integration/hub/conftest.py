"""Nodes in this process."""

from collections.abc import AsyncIterator

import pytest

from core_api.accounts.signing_key import new_key
from tests.support.coming_back import Scene, client
from tests.support.hub import RunningHub, running_hub, settings
from tests.support.rest import Rest


@pytest.fixture
async def node(database_url: str, redis_url: str) -> AsyncIterator[RunningHub]:
    async with running_hub(settings(database_url, redis_url)) as running:
        yield running


@pytest.fixture
async def nodes(database_url: str, redis_url: str) -> AsyncIterator[tuple[RunningHub, RunningHub]]:
    chosen, key = settings(database_url, redis_url), new_key()
    async with running_hub(chosen, key=key) as one, running_hub(chosen, key=key) as two:
        yield one, two


@pytest.fixture
async def scene(nodes: tuple[RunningHub, RunningHub]) -> AsyncIterator[Scene]:
    one, two = nodes
    async with Rest(one.url) as rest:
        ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
        room_id = await rest.room(bob)
        async with client(two, bob) as speaker:
            await speaker.ok("room:join", {"roomId": room_id})
            yield Scene(one, two, rest, ada, bob, room_id, speaker)
