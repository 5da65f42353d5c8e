"""Export and import over real servers, and the worker process that does them."""

import asyncio
import base64
import json
import os
import signal
from collections.abc import AsyncIterator

import asyncpg
import pytest

from collab.content.jobs import Export, Stored
from collab.content.worker_process import ContentWorker
from collab.errors import InvalidUpdate, UnsuitableContent
from collab.schema import DocumentContent, DocumentQuery, NewDocument
from collab.settings import CollabSettings
from hub.kernel.errors import Forbidden, InvalidPayload, NotFound, Overloaded
from tests.support.collab import Audience, StartNode, person
from tests.support.library import Library, library
from tests.support.wait import until
from tests.support.yjs import Writer, text_of


@pytest.fixture
async def here(pool: asyncpg.Pool, start_node: StartNode) -> AsyncIterator[Library]:
    async with library(pool, await start_node(), CollabSettings()) as found:
        yield found


async def test_an_export_has_everything_that_was_acknowledged(here: Library) -> None:
    writer = Writer()
    for number in range(50):
        await here.write(here.owner, writer.write(f"{number} "))
    file = await here.contents.export(here.owner, here.document_id, "yjs-v1")
    assert text_of(file.data) == str(writer)
    assert file.name == f"{here.document_id}.yjs"
    assert json.loads((await here.contents.export(here.owner, here.document_id, "json")).data)["text"]["delta"] == [
        {"insert": str(writer)}
    ]


async def test_readers_may_export_and_only_editors_import(here: Library) -> None:
    viewer, content = await here.member("viewer"), DocumentContent(format="text", content="x")
    assert (await here.contents.export(viewer, here.document_id, "text")).data == b""
    with pytest.raises(Forbidden):
        await here.contents.write(viewer, here.document_id, content)
    for refused in (
        here.contents.export(person(), here.document_id, "text"),
        here.contents.write(person(), here.document_id, content),
    ):
        with pytest.raises(NotFound):
            await refused


async def test_what_is_imported_comes_to_those_who_have_the_document_open(here: Library) -> None:
    audience, writer = Audience(), Writer()
    await here.node.engine.join(here.document_id, audience)
    await here.contents.write(here.owner, here.document_id, DocumentContent(format="markdown", content="# Hi"))
    for update, sender in audience.delivered:
        assert sender is None
        writer.take(update)
    assert str(writer) == "# Hi"


@pytest.mark.parametrize("form", ["yjs-v1", "yjs-v2"])
async def test_a_document_is_copied_by_its_update(here: Library, form: str) -> None:
    await here.write(here.owner, Writer().write("Zoë 😀"))
    data = (await here.contents.export(here.owner, here.document_id, form)).data  # type: ignore[arg-type]
    content = DocumentContent(format=form, content=base64.b64encode(data).decode())  # type: ignore[arg-type]
    copy = await here.contents.create(here.owner, NewDocument(title="Copy", content=content))
    assert (await here.contents.export(here.owner, copy.id, "text")).data.decode() == "Zoë 😀"


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (DocumentContent(format="yjs-v1", content="no base64!"), InvalidPayload),
        (DocumentContent(format="yjs-v1", content="/////38="), UnsuitableContent),
        (DocumentContent(format="yjs-v2", content="AAAA"), UnsuitableContent),
        (DocumentContent(format="json", content="{"), UnsuitableContent),
        (DocumentContent(format="json", content={"text": {"kind": "poem"}}), UnsuitableContent),
        (DocumentContent(format="text", content={"a": 1}), InvalidPayload),
    ],
)
async def test_what_cannot_be_imported_creates_nothing(
    here: Library, content: DocumentContent, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await here.contents.create(here.owner, NewDocument(title="Copy", content=content))
    assert [one.id for one in (await here.documents.list(here.owner, DocumentQuery())).data] == [here.document_id]


async def test_an_update_that_builds_on_what_is_not_there_is_refused(here: Library) -> None:
    writer = Writer()
    writer.write("first")
    later = base64.b64encode(writer.write("second")).decode()
    with pytest.raises(Exception, match="builds on changes") as caught:
        await here.contents.write(here.owner, here.document_id, DocumentContent(format="yjs-v1", content=later))
    assert not isinstance(caught.value, InvalidUpdate)


async def test_a_worker_that_hangs_or_dies_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = ContentWorker()
    empty = Export(Stored(None), "text")
    try:
        assert await worker.do(empty) == b""
        for signal_number in (signal.SIGSTOP, signal.SIGKILL):
            pid = worker.pid
            assert pid is not None
            os.kill(pid, signal_number)
            if signal_number == signal.SIGKILL:
                await until(lambda: worker.pid is None)
            else:
                with monkeypatch.context() as patch:
                    patch.setattr(worker._process, "_answer_s", 0.1)  # for one that was there: a start may take longer
                    with pytest.raises(UnsuitableContent):
                        await worker.do(empty)
            assert await worker.do(empty) == b""
            assert worker.pid != pid
    finally:
        await worker.close()


async def test_a_worker_without_work_ends_by_itself_and_comes_back() -> None:
    worker = ContentWorker(idle_s=0.01)
    try:
        assert await worker.do(Export(Stored(None), "text")) == b""
        await until(lambda: worker.pid is None)
        assert await worker.do(Export(Stored(None), "text")) == b""
    finally:
        await worker.close()


async def test_too_many_jobs_at_once_are_refused() -> None:
    worker = ContentWorker()
    try:
        jobs = (worker.do(Export(Stored(None), "text")) for _ in range(40))
        results = await asyncio.gather(*jobs, return_exceptions=True)
        assert {type(one) for one in results} == {bytes, Overloaded}
    finally:
        await worker.close()


async def test_the_node_goes_on_while_a_large_document_is_read(here: Library) -> None:
    await here.contents.write(here.owner, here.document_id, DocumentContent(format="text", content="word " * 150_000))
    longest, at = 0.0, asyncio.get_running_loop().time()
    export = asyncio.ensure_future(here.contents.export(here.owner, here.document_id, "json"))  # noqa: TID251
    while not export.done():
        await asyncio.sleep(0)
        now = asyncio.get_running_loop().time()
        longest, at = max(longest, now - at), now
    assert len((await export).data) > 700_000
    assert longest < 0.1, "20 ms on a machine that does nothing else"
