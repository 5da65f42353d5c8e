"""Updates that take Yrs long: who works on other documents waits for none of them, and nobody sees a half of one."""

import asyncio
import time

import asyncpg
import pytest

from collab.decoding import BadUpdate, uint
from collab.document import Document
from hub.kernel.errors import Unavailable
from tests.support.collab import DOCUMENT, OTHER, Audience, StartNode, compact
from tests.support.wait import until
from tests.support.yjs import Writer, text_of

LETTERS = 200_000
LONG_TEXT = b"\1\1\7\0\4\1\4text" + uint(LETTERS) + b"a" * LETTERS + b"\0"
RANGES = 10_000
DELETIONS = b"\0\1\7" + uint(RANGES) + b"".join(uint(2 * (RANGES - number)) + b"\1" for number in range(RANGES))
"""0.2 s in Yrs, if it is not cut."""
KEYS = 5_000
MAP = uint(KEYS) + b"".join(b"\1" + uint(client) + b"\0\x28\1\1m\1k\1\x7e" for client in range(KEYS, 0, -1)) + b"\0"
"""0.2 s, too: each client sets the same key."""


class Stalls:
    """How long the event loop was busy with something else, at worst, in CPU time: other processes do not count."""

    def __init__(self) -> None:
        self.longest_s = 0.0

    async def watch(self) -> None:
        while True:
            before = time.thread_time()
            await asyncio.sleep(0)
            self.longest_s = max(self.longest_s, time.thread_time() - before)


@pytest.mark.parametrize("update", [DELETIONS, MAP], ids=["deletions", "map"])
async def test_an_update_that_takes_long_stalls_neither_node(start_node: StartNode, update: bytes) -> None:
    one, two = await start_node(), await start_node()
    audience = Audience()
    await two.engine.join(DOCUMENT, audience)
    await one.engine.submit(DOCUMENT, LONG_TEXT)
    await until(lambda: len(audience.delivered) == 1)
    stalls = Stalls()
    watching = asyncio.get_running_loop().create_task(stalls.watch())
    await one.engine.submit(DOCUMENT, update)
    await until(lambda: len(audience.delivered) == 2)
    watching.cancel()
    assert stalls.longest_s < 0.05
    joined = [await node.engine.join(DOCUMENT, Audience()) for node in (one, two, await start_node())]
    assert joined[0].update == joined[1].update == joined[2].update


async def test_who_joins_meanwhile_sees_all_of_it_or_nothing_and_other_documents_go_on(
    start_node: StartNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collab.long_work.TURN_S", 0.0)
    node = await start_node()
    await node.engine.submit(DOCUMENT, LONG_TEXT)
    await node.engine.submit(OTHER, Writer().write("a"))
    submitting = asyncio.get_running_loop().create_task(node.engine.submit(DOCUMENT, DELETIONS))
    await until(node.engine._documents.hot[DOCUMENT].turn.locked)
    await node.engine.submit(OTHER, Writer().write("b"))
    assert node.engine._documents.hot[DOCUMENT].turn.locked()
    text = text_of((await node.engine.join(DOCUMENT, Audience())).update)
    assert len(text) == LETTERS - RANGES
    await submitting


async def test_of_an_update_that_was_given_up_in_the_middle_nothing_stays(
    start_node: StartNode, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collab.long_work.TURN_S", 0.0)
    node = await start_node()
    await node.engine.submit(DOCUMENT, LONG_TEXT)
    submitting = asyncio.get_running_loop().create_task(node.engine.submit(DOCUMENT, DELETIONS))
    await until(node.engine._documents.hot[DOCUMENT].turn.locked)
    submitting.cancel()
    await asyncio.wait([submitting])
    assert text_of((await node.engine.join(DOCUMENT, Audience())).update) == "a" * LETTERS
    assert await pool.fetchval("SELECT count(*) FROM collab_update") == 1


async def test_a_read_that_was_given_up_in_the_middle_is_done_again(
    start_node: StartNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = await start_node(), await start_node(probe_s=600)
    await two.engine.submit(DOCUMENT, LONG_TEXT)
    one.hints.lose = lambda row: True
    await one.engine.submit(DOCUMENT, DELETIONS)
    monkeypatch.setattr("collab.long_work.TURN_S", 0.0)
    client = Writer()
    client.write("a")
    gapped = asyncio.get_running_loop().create_task(two.engine.submit(DOCUMENT, client.write("b")))
    await until(two.engine._documents.hot[DOCUMENT].turn.locked)
    gapped.cancel()
    await asyncio.wait([gapped])
    assert len(text_of((await two.engine.join(DOCUMENT, Audience())).update)) == LETTERS - RANGES


async def test_a_large_update_that_yrs_does_not_take_in_leaves_nothing(start_node: StartNode) -> None:
    node = await start_node()
    await node.engine.submit(DOCUMENT, LONG_TEXT)
    update = b"\2" + b"\1\x08\0\x84\x09\0\1x" + uint(150) + b"\x09\0\x84\x08\0\1y" + b"\x84\x09\0\1y" * 149 + b"\0"
    with pytest.raises(BadUpdate):
        await node.engine.submit(DOCUMENT, update)
    assert text_of((await node.engine.join(DOCUMENT, Audience())).update) == "a" * LETTERS


async def test_a_large_snapshot_is_loaded_in_pieces(
    start_node: StartNode, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await start_node()
    await node.engine.submit(DOCUMENT, LONG_TEXT)
    await node.engine.submit(DOCUMENT, DELETIONS)
    await compact(pool)
    monkeypatch.setattr("collab.long_work.LARGE_STRUCTS", 1_000)
    given: list[int] = []
    give = Document._give

    def count(document: Document, data: bytes) -> None:
        given.append(len(data))
        give(document, data)

    monkeypatch.setattr(Document, "_give", count)
    fresh = await start_node()
    assert len(text_of((await fresh.engine.join(DOCUMENT, Audience())).update)) == LETTERS - RANGES
    assert len(given) > 100


async def test_a_document_that_cannot_be_opened_is_unavailable_to_large_updates_too(
    start_node: StartNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await start_node()

    async def away(*_arguments: object) -> None:
        raise Unavailable

    monkeypatch.setattr(node.log, "read", away)
    with pytest.raises(Unavailable):
        await node.engine.submit(DOCUMENT, MAP)
