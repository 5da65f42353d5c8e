"""Comments: threads about a stretch of a document, replies, and when they are done with."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from collab.comments.model import Comment
from collab.comments.schema import (
    Anchor,
    CommentChanges,
    CommentView,
    DocumentComment,
    NewComment,
    RelativePosition,
    ThreadQuery,
    ThreadView,
)
from collab.comments.store import CommentStore
from collab.service import document_room
from collab.settings import CollabSettings
from hub.kernel.clock import Clock
from hub.kernel.errors import Conflict, Forbidden, InvalidPayload, NotFound
from hub.kernel.events import Actor
from hub.kernel.ids import new_uuid
from hub.kernel.pages import Page, decode_cursor, page
from hub.kernel.ports import Access, Rooms
from hub.kernel.wire import Uuid


class Comments:
    """The use cases of comments. Whoever may read a document sees them; it takes a commenter to write one.

    ``nudge`` is called after a transaction with an event for the outbox; :meth:`tell` is its sink.
    """

    def __init__(
        self,
        store: CommentStore,
        access: Access,
        rooms: Rooms,
        clock: Clock,
        settings: CollabSettings,
        *,
        nudge: Callable[[], None],
    ) -> None:
        self._store = store
        self._access = access
        self._rooms = rooms
        self._clock = clock
        self._settings = settings
        self._nudge = nudge

    async def create(self, actor: Actor, document_id: str, new: NewComment) -> CommentView:
        """Begin a thread, or reply in one.

        Raises NotFound, Forbidden, InvalidPayload, and Conflict if there are as many as there may be.
        """
        await self._access.check(actor, "comment", "document", document_id)
        _check(new)
        comment_id = new_uuid()
        comment = Comment(
            comment_id,
            document_id,
            new.thread_id or comment_id,
            actor.user_id,
            new.body,
            self._clock.now(),
            anchor=None if new.anchor is None else msgspec.json.encode(new.anchor).decode(),
            quote=new.quote,
        )
        refusal = await self._store.add(comment, threads=self._settings.threads, replies=self._settings.replies)
        if refusal == "gone":
            raise NotFound("There is no such thread.")
        if refusal == "full":
            raise Conflict(
                f"A document can have {self._settings.threads} threads, of {self._settings.replies} replies each."
            )
        self._nudge()
        return _view(comment)

    async def list(self, actor: Actor, document_id: str, query: ThreadQuery) -> Page[ThreadView]:
        """Threads, the newest first."""
        await self._access.check(actor, "read", "document", document_id)
        after = decode_cursor(query.cursor, tuple[datetime, Uuid]) if query.cursor else None
        threads = await self._store.threads(document_id, query.limit + 1, after, resolved=query.resolved)
        return page(threads, query.limit, _thread, lambda thread: (thread[0].created_at, thread[0].id))

    async def read(self, actor: Actor, document_id: str, thread_id: str) -> ThreadView:
        """One thread. Raises NotFound."""
        await self._access.check(actor, "read", "document", document_id)
        thread = await self._store.thread(document_id, thread_id)
        if not thread:
            raise NotFound
        return _thread(thread)

    async def edit(self, actor: Actor, document_id: str, comment_id: str, changes: CommentChanges) -> CommentView:
        """Change a comment of one's own. Raises Forbidden for others, their owner included."""
        comment = await self._comment(actor, document_id, comment_id)
        if comment.author_id != actor.user_id:
            raise Forbidden("Only its author may change a comment.")
        now = self._clock.now()
        if not await self._store.edit(comment, changes.body, now):
            raise NotFound
        self._nudge()
        view = _view(comment)
        view.body, view.edited_at = changes.body, now
        return view

    async def remove(self, actor: Actor, document_id: str, comment_id: str) -> None:
        """Delete a comment of one's own; the document's owner, any. The first takes its thread along.

        Raises Conflict where that would take along what others have answered, and one is not the owner.
        """
        comment = await self._comment(actor, document_id, comment_id)
        owns = await self._may(actor, "manage", document_id)
        if comment.author_id != actor.user_id and not owns:
            raise Forbidden("Only its author and the document's owner may delete a comment.")
        refusal = await self._store.remove(comment, with_answers=owns)
        if refusal == "answered":
            raise Conflict("Others have answered. Resolve the thread instead.")
        if refusal == "gone":
            raise NotFound
        self._nudge()

    async def resolve(self, actor: Actor, document_id: str, thread_id: str, resolved: bool) -> ThreadView:
        """Say that a thread is done with, or is not. Twice is harmless."""
        comment = await self._comment(actor, document_id, thread_id)
        if not comment.is_first:
            raise NotFound("There is no such thread.")
        if await self._store.resolve(comment, actor.user_id if resolved else None, self._clock.now()):
            self._nudge()
        return await self.read(actor, document_id, thread_id)

    async def tell(self, payload: Mapping[str, Any]) -> None:
        """Tell all who have the document open what happened to a comment. It may come twice."""
        event = msgspec.convert(payload, DocumentComment)
        await self._rooms.emit(document_room(event.document_id), event)

    async def _comment(self, actor: Actor, document_id: str, comment_id: str) -> Comment:
        """A comment that the actor, who may comment, can do something about."""
        await self._access.check(actor, "comment", "document", document_id)
        comment = await self._store.find(document_id, comment_id)
        if comment is None:
            raise NotFound
        return comment

    async def _may(self, actor: Actor, action: str, document_id: str) -> bool:
        try:
            await self._access.check(actor, action, "document", document_id)
        except Forbidden:
            return False
        return True


def _check(new: NewComment) -> None:
    """Raise InvalidPayload for an anchor that points at nothing, or in a reply."""
    errors = []
    if new.thread_id is not None:
        errors = [_error(name) for name in ("anchor", "quote") if getattr(new, name) is not None]
    elif new.anchor is not None:
        ends: dict[str, RelativePosition] = {"start": new.anchor.start, "end": new.anchor.end}
        errors = [
            {"pointer": f"/anchor/{name}", "detail": "Must have a type, tname or item"}
            for name, end in ends.items()
            if end.type is None and end.tname is None and end.item is None
        ]
    if errors:
        raise InvalidPayload(f"{errors[0]['detail']} (at {errors[0]['pointer']})", errors=errors)


def _error(name: str) -> dict[str, str]:
    return {"pointer": f"/{name}", "detail": "A reply has none of its own"}


def _view(comment: Comment) -> CommentView:
    return CommentView(
        id=comment.id,
        thread_id=comment.thread_id,
        author_id=comment.author_id,
        body=comment.body,
        created_at=comment.created_at,
        edited_at=comment.edited_at,
    )


def _thread(thread: list[Comment]) -> ThreadView:
    first = thread[0]
    return ThreadView(
        id=first.id,
        document_id=first.document_id,
        anchor=None if first.anchor is None else msgspec.json.decode(first.anchor, type=Anchor),
        quote=first.quote,
        resolved_at=first.resolved_at,
        resolved_by=first.resolved_by,
        comments=[_view(comment) for comment in thread],
    )
