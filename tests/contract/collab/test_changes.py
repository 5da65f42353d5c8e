"""What code that follows a document is told, and what it costs."""

import asyncio

import pytest

from collab.changes import ChangeFeed
from collab.document import Document
from collab.log_postgres import PostgresLog
from hub.kernel.errors import Unavailable
from tests.support.collab import DOCUMENT, StartNode
from tests.support.wait import until
from tests.support.yjs import Writer


async def test_changes_of_every_node_are_told_inside_the_block_and_none_after_it(start_node: StartNode) -> None:
    one, two = await start_node(), await start_node()
    client, told = Writer(), 0

    def changed() -> None:
        nonlocal told
        told += 1

    async with ChangeFeed(one.engine).follow(DOCUMENT, changed):
        await one.engine.submit(DOCUMENT, client.write("a"))
        await until(lambda: told == 1)
        await two.engine.submit(DOCUMENT, client.write("b"))
        await until(lambda: told >= 2)
    before = told
    await one.engine.submit(DOCUMENT, client.write("c"))
    assert told == before
    assert one.engine._relay.documents == frozenset()


async def test_following_makes_no_copy_of_the_document(start_node: StartNode, monkeypatch: pytest.MonkeyPatch) -> None:
    node = await start_node()
    await node.engine.submit(DOCUMENT, Writer().write("a"))

    def diff(_document: object, _vector: bytes) -> bytes:
        raise AssertionError("a document of 60 MB takes a quarter of a second")

    monkeypatch.setattr(Document, "diff", diff)
    async with ChangeFeed(node.engine).follow(DOCUMENT, lambda: None):
        pass


async def test_a_document_that_cannot_be_opened_is_unavailable_and_followed_by_nobody(
    start_node: StartNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await start_node()

    async def away(*_arguments: object) -> None:
        raise Unavailable

    monkeypatch.setattr(PostgresLog, "read", away)
    with pytest.raises(Unavailable):
        async with asyncio.timeout(5), ChangeFeed(node.engine).follow(DOCUMENT, lambda: None):
            pass
    assert node.engine._relay.documents == frozenset()
