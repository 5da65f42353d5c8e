"""How often an editor may act: cursors over the limit are dropped, changes wait, and no connection is lost."""

import time
from collections.abc import AsyncIterator

import aiohttp
import pytest

from collab.awareness import State
from tests.support.hub import RunningHub, running_hub, settings
from tests.support.native_editor import native_editor
from tests.support.rest import Rest
from tests.support.wait import until

LIMITS = {"SPARKLE_LIMITS_OVERRIDES": "collab:awareness=1/3,collab:change=12000/3,*=1000000/100000"}
"""Three cursors, and then one a minute; three changes, and then 200 a second."""


@pytest.fixture
async def node(database_url: str, redis_url: str) -> AsyncIterator[RunningHub]:
    async with running_hub(settings(database_url, redis_url, LIMITS)) as running:
        yield running


async def test_cursors_over_the_limit_are_dropped_and_changes_slowed_down_by_reading_less(node: RunningHub) -> None:
    changes = 400  # of which 256 may wait
    async with Rest(node.url) as rest, aiohttp.ClientSession() as http:
        ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
        document_id = await rest.document(ada, bob)
        tokens = [
            (await rest.post(f"/documents/{document_id}/tokens", by, json={"access": "write"})).expect(201)["token"]
            for by in (ada, bob)
        ]
        async with (
            native_editor(http, node.url, document_id, tokens[0]) as fast,
            native_editor(http, node.url, document_id, tokens[1]) as other,
        ):
            await until(lambda: fast.asked and other.asked)
            for client in range(6):
                await fast.announce(State(client, 1, b"{}"))
            began = time.monotonic()
            for number in range(changes):
                await fast.write(f"{number},")
            await until(lambda: any(socket.held for socket in node.hub.door.framed._open))
            await until(lambda: str(other) == str(fast) and len(str(fast)) > changes)
            assert time.monotonic() - began > (changes - 3) / 200 * 0.8
            assert set(other.here) == {0, 1, 2}
            await other.announce(State(99, 1, b"{}"))  # whose allowance is another
            await until(lambda: 99 in fast.here)
            assert fast.close_code is None
