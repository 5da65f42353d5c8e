"""Comments over real PostgreSQL: who may what, threads as they are read, and what the outbox is told."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import msgspec
import pytest

from collab.comments.schema import (
    Anchor,
    CommentChanges,
    CommentView,
    DocumentComment,
    NewComment,
    RelativePosition,
    ThreadQuery,
)
from collab.comments.service import Comments
from collab.comments.store_postgres import COMMENTED, PostgresComments
from collab.service import document_room
from collab.settings import CollabSettings
from core_api import outbox
from hub.kernel import wire
from hub.kernel.errors import Conflict, Forbidden, InvalidPayload, NotFound
from hub.kernel.events import Actor
from tests.support.collab import RoleAccess, StartNode, person
from tests.support.library import Library, library
from tests.support.rooms import RecordedRooms

SETTINGS = CollabSettings(threads=3, replies=2)
ANCHOR = {
    "start": {"tname": "text", "item": {"client": 7, "clock": 3}, "assoc": 0},
    "end": {"tname": "text", "assoc": -1},
}


class World:
    def __init__(self, here: Library, pool: asyncpg.Pool) -> None:
        self.here, self.pool, self.rooms = here, pool, RecordedRooms()
        self.nudges: list[None] = []
        access = RoleAccess(here.documents._store)
        store = PostgresComments(pool, outbox.append)
        self.comments = Comments(
            store, access, self.rooms, here.clock, SETTINGS, nudge=lambda: self.nudges.append(None)
        )

    async def say(self, actor: Actor, body: str = "Hm.", **fields: object) -> CommentView:
        new = wire.decode({"body": body, **fields}, NewComment)
        return await self.comments.create(actor, self.here.document_id, new)

    async def told(self) -> list[tuple[str, str]]:
        """(change, comment) of every event in the outbox."""
        rows = await self.pool.fetch("SELECT payload FROM outbox WHERE topic = $1 ORDER BY id", COMMENTED)
        payloads = [msgspec.json.decode(row["payload"]) for row in rows]
        return [(payload["change"], payload["commentId"]) for payload in payloads]


@pytest.fixture
async def world(pool: asyncpg.Pool, start_node: StartNode) -> AsyncIterator[World]:
    async with library(pool, await start_node(), SETTINGS) as here:
        yield World(here, pool)


async def test_a_thread_is_read_with_its_replies_as_it_was_given(world: World) -> None:
    here, owner = world.here, world.here.owner
    first = await world.say(owner, "Why?", anchor=ANCHOR, quote="the fox")
    here.clock.advance(1)
    reply = await world.say(owner, "Because.", threadId=first.id)
    thread = await world.comments.read(owner, here.document_id, first.id)
    assert [one.body for one in thread.comments] == ["Why?", "Because."]
    assert [one.id for one in thread.comments] == [first.id, reply.id]
    assert wire.to_wire(thread.anchor) == ANCHOR
    assert (thread.quote, thread.resolved_at) == ("the fox", None)


async def test_commenters_comment_and_viewers_read(world: World) -> None:
    here = world.here
    viewer, commenter = await here.member("viewer"), await here.member("commenter")
    first = await world.say(commenter)
    with pytest.raises(Forbidden):
        await world.say(viewer)
    with pytest.raises(Forbidden):
        await world.say(viewer, threadId=first.id)
    with pytest.raises(Forbidden):
        await world.comments.resolve(viewer, here.document_id, first.id, True)
    assert len((await world.comments.list(viewer, here.document_id, ThreadQuery())).data) == 1
    with pytest.raises(NotFound):
        await world.comments.list(person(), here.document_id, ThreadQuery())


async def test_only_its_author_edits_a_comment(world: World) -> None:
    here = world.here
    commenter = await here.member("commenter")
    first = await world.say(commenter)
    here.clock.advance(1)
    edited = await world.comments.edit(commenter, here.document_id, first.id, CommentChanges(body="Oh."))
    assert (edited.body, edited.edited_at) == ("Oh.", here.clock.now())
    assert (await world.comments.read(commenter, here.document_id, first.id)).comments == [edited]
    with pytest.raises(Forbidden):
        await world.comments.edit(here.owner, here.document_id, first.id, CommentChanges(body="No."))


async def test_authors_delete_their_comments_and_the_owner_any(world: World) -> None:
    here = world.here
    one, other = await here.member("commenter"), await here.member("commenter")
    first = await world.say(one)
    reply = await world.say(other, threadId=first.id)
    with pytest.raises(Forbidden):
        await world.comments.remove(one, here.document_id, reply.id)
    with pytest.raises(Conflict):  # it would take the answer along
        await world.comments.remove(one, here.document_id, first.id)
    await world.comments.remove(other, here.document_id, reply.id)
    await world.comments.remove(one, here.document_id, first.id)
    again = await world.say(one)
    await world.say(other, threadId=again.id)
    await world.comments.remove(here.owner, here.document_id, again.id)
    assert (await world.comments.list(one, here.document_id, ThreadQuery())).data == []
    with pytest.raises(NotFound):
        await world.comments.remove(one, here.document_id, first.id)
    assert await world.pool.fetchval("SELECT count(*) FROM document_comment") == 0


async def test_a_thread_is_resolved_and_opened_again(world: World) -> None:
    here, owner = world.here, world.here.owner
    first, other = await world.say(owner), await world.say(owner)
    reply = await world.say(owner, threadId=first.id)
    for _ in range(2):
        thread = await world.comments.resolve(owner, here.document_id, first.id, True)
        assert thread.resolved_by == owner.user_id

    async def listed(resolved: bool) -> list[str]:
        page = await world.comments.list(owner, here.document_id, ThreadQuery(resolved=resolved))
        return [one.id for one in page.data]

    assert (await listed(True), await listed(False)) == ([first.id], [other.id])
    with pytest.raises(NotFound):
        await world.comments.resolve(owner, here.document_id, reply.id, True)
    assert (await world.comments.resolve(owner, here.document_id, first.id, False)).resolved_at is None
    assert [change for change, _ in await world.told()].count("resolved") == 1


async def test_every_change_is_in_the_outbox_and_told_to_the_room(world: World) -> None:
    here, owner = world.here, world.here.owner
    first = await world.say(owner)
    await world.comments.edit(owner, here.document_id, first.id, CommentChanges(body="Oh."))
    await world.comments.resolve(owner, here.document_id, first.id, True)
    await world.comments.resolve(owner, here.document_id, first.id, False)
    await world.comments.remove(owner, here.document_id, first.id)
    changes = ["created", "edited", "resolved", "reopened", "deleted"]
    assert await world.told() == [(change, first.id) for change in changes]
    assert len(world.nudges) == len(changes)
    payload = await world.pool.fetchval("SELECT payload FROM outbox WHERE topic = $1 ORDER BY id LIMIT 1", COMMENTED)
    await world.comments.tell(msgspec.json.decode(payload))
    event = DocumentComment(document_id=here.document_id, thread_id=first.id, comment_id=first.id, change="created")
    assert world.rooms.emitted == [([document_room(here.document_id)], event)]


async def test_threads_and_replies_are_bounded_also_at_once(world: World) -> None:
    owner = world.here.owner
    results = await asyncio.gather(*(world.say(owner) for _ in range(6)), return_exceptions=True)
    made = [one for one in results if isinstance(one, CommentView)]
    assert len(made) == 3
    assert {type(one) for one in results} == {CommentView, Conflict}
    replies = await asyncio.gather(*(world.say(owner, threadId=made[0].id) for _ in range(5)), return_exceptions=True)
    assert [type(one) for one in replies].count(CommentView) == 2


async def test_a_reply_goes_into_a_thread_of_this_document_and_has_no_anchor(world: World) -> None:
    owner = world.here.owner
    first = await world.say(owner)
    reply = await world.say(owner, threadId=first.id)
    for thread_id in (reply.id, "00000000-0000-4000-8000-000000000000"):
        with pytest.raises(NotFound):
            await world.say(owner, threadId=thread_id)
    with pytest.raises(InvalidPayload) as caught:
        await world.say(owner, threadId=first.id, anchor=ANCHOR, quote="x")
    assert [one["pointer"] for one in caught.value.details["errors"]] == ["/anchor", "/quote"]


@pytest.mark.parametrize(
    "position",
    [
        {},
        {"assoc": 0},
        {"item": {"client": -1, "clock": 0}},
        {"item": {"client": 1, "clock": 2**31}},
        {"item": {"client": 2**53, "clock": 0}},
        {"tname": "a\n"},
        {"tname": "text", "assoc": 2},
        {"tname": "text", "more": 1},
    ],
)
async def test_an_anchor_that_is_no_relative_position_is_refused(world: World, position: object) -> None:
    with pytest.raises(InvalidPayload):
        await world.say(world.here.owner, anchor={"start": position, "end": {"tname": "text"}})


async def test_threads_are_listed_newest_first_without_skipping_or_repeating(world: World) -> None:
    here, owner = world.here, world.here.owner
    made = []
    for _ in range(3):
        first = await world.say(owner)
        await world.say(owner, threadId=first.id)
        made.append(first.id)
        here.clock.advance(1)
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = await world.comments.list(owner, here.document_id, ThreadQuery(limit=1, cursor=cursor))
        found += [thread.id for thread in page.data]
        assert all(len(thread.comments) == 2 for thread in page.data)
        cursor = page.page_info.next_cursor
        if cursor is None:
            break
    assert found == made[::-1]


def test_what_yjs_writes_of_a_relative_position_is_kept_as_it_is() -> None:
    text = '{"type":{"client":1,"clock":2},"item":{"client":3,"clock":4},"assoc":-1}'
    assert msgspec.json.encode(msgspec.json.decode(text, type=RelativePosition)).decode() == text
    assert Anchor.__struct_fields__ == ("start", "end")
