"""Versions and history, over real PostgreSQL and a real worker process."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from collab.engine import NO_ROW
from collab.schema import DocumentContent, NewDocument
from collab.settings import CollabSettings
from collab.versions.schema import NewVersion, VersionQuery, VersionView
from hub.kernel.errors import Conflict, Forbidden, NotFound
from hub.kernel.pages import PageQuery
from tests.support.collab import Audience, StartNode
from tests.support.library import Library, library
from tests.support.yjs import Writer, text_of

SETTINGS = CollabSettings(named_versions=2, automatic_versions=3, version_changes=3, version_s=3600)
HOUR = 3600


@pytest.fixture
async def here(pool: asyncpg.Pool, start_node: StartNode) -> AsyncIterator[Library]:
    async with library(pool, await start_node(), SETTINGS) as found:
        yield found


async def listed(here: Library, *, named: bool = False) -> list[VersionView]:
    return (await here.versions.list(here.owner, here.document_id, VersionQuery(named=named))).data


async def said(here: Library, version: VersionView, form: str = "text") -> bytes:
    file = await here.versions.export(here.owner, here.document_id, version.id, form)  # type: ignore[arg-type]
    return file.data


async def test_a_version_keeps_what_the_document_said(here: Library) -> None:
    writer = Writer()
    await here.write(here.owner, writer.write("first"))
    version = await here.versions.create(here.owner, here.document_id, NewVersion(name="Draft"))
    await here.write(here.owner, writer.write(" second"))
    assert (version.name, version.created_by, version.authors) == ("Draft", here.owner.user_id, [here.owner.user_id])
    assert await said(here, version) == b"first"
    assert text_of(await said(here, version, "yjs-v1")) == "first"
    assert [one.id for one in await listed(here)] == [version.id]


async def test_editors_see_versions_and_readers_do_not(here: Library) -> None:
    editor, commenter = await here.member("editor"), await here.member("commenter")
    version = await here.versions.create(editor, here.document_id, NewVersion(name="Draft"))
    for refused in (
        here.versions.create(commenter, here.document_id, NewVersion(name="x")),
        here.versions.list(commenter, here.document_id, VersionQuery()),
        here.versions.export(commenter, here.document_id, version.id, "text"),
        here.versions.compare(commenter, here.document_id, version.id, None),
        here.versions.restore(commenter, here.document_id, version.id),
        here.history.list(commenter, here.document_id, PageQuery()),
        here.versions.remove(editor, here.document_id, version.id),
    ):
        with pytest.raises(Forbidden):
            await refused
    await here.versions.remove(here.owner, here.document_id, version.id)
    with pytest.raises(NotFound):
        await here.versions.remove(here.owner, here.document_id, version.id)


async def test_no_version_of_another_document_is_shown_or_restored(here: Library) -> None:
    version = await here.versions.create(here.owner, here.document_id, NewVersion(name="Draft"))
    other = await here.contents.create(here.owner, NewDocument(title="Other"))
    for refused in (
        here.versions.export(here.owner, other.id, version.id, "text"),
        here.versions.compare(here.owner, other.id, version.id, None),
        here.versions.compare(here.owner, here.document_id, version.id, other.id),
        here.versions.restore(here.owner, other.id, version.id),
        here.versions.remove(here.owner, other.id, version.id),
    ):
        with pytest.raises(NotFound):
            await refused


async def test_restoring_is_a_change_that_editors_see_and_loses_nothing_of_history(here: Library) -> None:
    editor, audience, writer = await here.member("editor"), Audience(), Writer()
    await here.write(here.owner, writer.write("The red fox."))
    version = await here.versions.create(here.owner, here.document_id, NewVersion(name="Red"))
    await here.write(here.owner, writer.write(" It sleeps.", len(writer.text)))
    await here.node.engine.join(here.document_id, audience)
    meanwhile = writer.write("Note: ", 0)  # on its way when the version is restored

    restored = await here.versions.restore(editor, here.document_id, version.id)
    await here.write(here.owner, meanwhile)

    for update, _ in audience.delivered:
        writer.take(update)
    assert str(writer) == "Note: The red fox."
    assert await said(here, restored.before) == b"The red fox. It sleeps."
    assert [one.name for one in await listed(here)] == [None, "Red"] or len(await listed(here)) == 2
    rows = await here.history.list(here.owner, here.document_id, PageQuery())
    assert {row.user_id for row in rows.data} == {here.owner.user_id, editor.user_id}


async def test_restoring_what_it_says_already_changes_nothing(here: Library) -> None:
    await here.write(here.owner, Writer().write("same"))
    version = await here.versions.create(here.owner, here.document_id, NewVersion(name="Draft"))
    restored = await here.versions.restore(here.owner, here.document_id, version.id)
    assert (restored.seq, restored.before.id) == (NO_ROW, version.id)


async def test_a_rich_document_is_restored_with_its_marks(here: Library) -> None:
    page = "# Title\n\nSome **bold** words.\n\n- one\n- two"
    content = DocumentContent(format="markdown", content=page, root="prosemirror")
    await here.contents.write(here.owner, here.document_id, content)
    version = await here.versions.create(here.owner, here.document_id, NewVersion(name="Page"))
    content = DocumentContent(format="markdown", content="Some *other* words.\n\n1. two", root="prosemirror")
    await here.contents.write(here.owner, here.document_id, content)
    await here.versions.restore(here.owner, here.document_id, version.id)
    assert (await here.contents.export(here.owner, here.document_id, "markdown")).data.decode() == page


async def test_a_comparison_is_with_the_present_or_with_another_version(here: Library) -> None:
    writer = Writer()
    await here.write(here.owner, writer.write("red"))
    first = await here.versions.create(here.owner, here.document_id, NewVersion(name="1"))
    await here.write(here.owner, writer.write(" blue"))
    second = await here.versions.create(here.owner, here.document_id, NewVersion(name="2"))
    await here.write(here.owner, writer.write(" green"))

    async def came(to: str | None) -> str:
        diff = await here.versions.compare(here.owner, here.document_id, first.id, to)
        return "".join(piece.text for root in diff.roots for piece in root.pieces if piece.op == "insert")

    assert (await came(None), await came(second.id), await came(first.id)) == (" blue green", " blue", "")


async def test_named_versions_are_bounded_in_number_and_bytes(here: Library) -> None:
    for name in "12":
        await here.versions.create(here.owner, here.document_id, NewVersion(name=name))
    results = await asyncio.gather(
        *(here.versions.create(here.owner, here.document_id, NewVersion(name="3")) for _ in range(2)),
        return_exceptions=True,
    )
    assert [type(one) for one in results] == [Conflict, Conflict]


async def test_no_version_is_named_past_the_bytes_of_all(pool: asyncpg.Pool, start_node: StartNode) -> None:
    async with library(pool, await start_node(), CollabSettings(version_bytes=100)) as here:
        await here.write(here.owner, Writer().write("x" * 80))
        await here.versions.create(here.owner, here.document_id, NewVersion(name="1"))
        with pytest.raises(Conflict):
            await here.versions.create(here.owner, here.document_id, NewVersion(name="2"))


async def test_a_version_is_kept_by_itself_after_many_changes_or_an_hour(here: Library) -> None:
    writer = Writer()
    for number in range(2):
        await here.write(here.owner, writer.write(f"{number}"))
    await here.contributions.flush()
    assert await here.automatic.keep() == 0
    await here.write(here.owner, writer.write("2"))
    await here.contributions.flush()
    assert await here.automatic.keep() == 1
    await here.write(here.owner, writer.write("3"))
    await here.contributions.flush()
    assert await here.automatic.keep() == 0
    here.clock.advance(HOUR)
    assert await here.automatic.keep() == 1
    here.clock.advance(HOUR)
    assert await here.automatic.keep() == 0  # nobody has changed anything
    assert [await said(here, one) for one in await listed(here)] == [b"0123", b"012"]
    assert await listed(here, named=True) == []


async def test_automatic_versions_are_thinned_and_named_ones_stay(here: Library) -> None:
    writer = Writer()
    for number in range(6):
        await here.write(here.owner, writer.write(f"{number}"))
        if number == 0:
            await here.versions.create(here.owner, here.document_id, NewVersion(name="First"))
        await here.contributions.flush()
        here.clock.advance(HOUR + 1)
        await here.automatic.keep()
    assert [await said(here, one) for one in await listed(here)] == [b"012345", b"01234", b"0123", b"0"]


async def test_what_cannot_be_read_keeps_no_version_and_stops_nobody_else(here: Library, pool: asyncpg.Pool) -> None:
    await pool.execute(
        "INSERT INTO collab_update (document_id, stream, number, data) VALUES ($1, 1, 1, '\\x01000000ff')",
        here.document_id,
    )
    other = await here.contents.create(
        here.owner, NewDocument(title="Other", content=DocumentContent(format="text", content="fine"))
    )
    here.contributions.note(here.document_id, here.owner.user_id, 1)
    await here.contributions.flush()
    here.clock.advance(HOUR)
    assert await here.automatic.keep() == 1
    assert (await here.versions.list(here.owner, other.id, VersionQuery())).data[0].size > 0


async def test_the_versions_are_listed_without_skipping_or_repeating(here: Library) -> None:
    made = []
    for name in "12":
        made.append((await here.versions.create(here.owner, here.document_id, NewVersion(name=name))).id)
    first = await here.versions.list(here.owner, here.document_id, VersionQuery(limit=1))
    cursor = first.page_info.next_cursor
    second = await here.versions.list(here.owner, here.document_id, VersionQuery(limit=1, cursor=cursor))
    assert sorted(one.id for one in first.data + second.data) == sorted(made)
    assert second.page_info.next_cursor is None


async def test_history_says_who_changed_how_much_when(here: Library) -> None:
    editor, writer = await here.member("editor"), Writer()
    updates = [writer.write(word) for word in ("a", "b", "c")]
    await here.write(here.owner, updates[0])
    await here.contributions.flush()
    await here.write(here.owner, updates[1])
    here.clock.advance(HOUR)
    await here.write(editor, updates[2])
    rows = (await here.history.list(here.owner, here.document_id, PageQuery())).data
    assert [(row.user_id, row.changes, row.bytes) for row in rows] == [
        (editor.user_id, 1, len(updates[2])),
        (here.owner.user_id, 2, len(updates[0]) + len(updates[1])),
    ]
    assert rows[0].began_at <= here.clock.now() < rows[0].ended_at
    first = await here.history.list(here.owner, here.document_id, PageQuery(limit=1))
    second = await here.history.list(
        here.owner, here.document_id, PageQuery(limit=1, cursor=first.page_info.next_cursor)
    )
    assert first.data + second.data == rows


async def test_contributions_wait_for_the_database_and_are_counted_once(here: Library, pool: asyncpg.Pool) -> None:
    here.contributions.note(here.document_id, here.owner.user_id, 5)
    await pool.execute("ALTER TABLE document_contribution RENAME TO away")
    with pytest.raises(asyncpg.UndefinedTableError):
        await here.contributions.flush()
    here.contributions.note(here.document_id, here.owner.user_id, 7)
    await pool.execute("ALTER TABLE away RENAME TO document_contribution")
    await here.contributions.flush()
    await here.contributions.flush()
    (row,) = (await here.history.list(here.owner, here.document_id, PageQuery())).data
    assert (row.changes, row.bytes) == (2, 12)


async def test_a_document_that_is_gone_does_not_stop_the_counting_of_others(here: Library) -> None:
    here.contributions.note("00000000-0000-4000-8000-000000000000", here.owner.user_id, 5)
    here.contributions.note(here.document_id, here.owner.user_id, 5)
    assert len((await here.history.list(here.owner, here.document_id, PageQuery())).data) == 1
