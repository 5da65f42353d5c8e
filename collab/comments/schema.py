"""Comments on the wire."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from msgspec import UNSET, Meta, UnsetType

from collab.decoding import MAX_CLIENT_ID, MAX_CLOCK
from collab.schema import RootName
from hub.kernel.pages import PageQuery
from hub.kernel.wire import END, ServerEvent, Uuid, Wire

CHARACTER = r"[^\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]"
"""Tabs and line feeds are text. PostgreSQL stores no NUL, UTF-8 has no surrogates, and nothing shows the rest."""
Body = Annotated[
    str,
    Meta(min_length=1, max_length=10_000, pattern=rf"^(?=[\s\S]*\S){CHARACTER}*{END}", description="not blank"),
]
Quote = Annotated[str, Meta(max_length=1000, pattern=rf"^{CHARACTER}*{END}")]


class ItemId(Wire):
    """The id of an item of Yjs."""

    client: Annotated[int, Meta(ge=0, le=MAX_CLIENT_ID)]
    clock: Annotated[int, Meta(ge=0, le=MAX_CLOCK)]


class RelativePosition(Wire, omit_defaults=True):
    """A ``Y.RelativePosition`` as ``Y.relativePositionToJSON`` writes it: at ``item``, or at the end of a type."""

    type: ItemId | None = None
    tname: RootName | None = None
    item: ItemId | None = None
    assoc: Annotated[int, Meta(ge=-1, le=0)] | UnsetType = UNSET


class Anchor(Wire):
    """The stretch of the document that a thread is about. It moves with the text; clients know where it is."""

    start: RelativePosition
    end: RelativePosition


class NewComment(Wire):
    """A comment, or with ``threadId`` a reply, which has no anchor of its own."""

    body: Body
    thread_id: Uuid | None = None
    anchor: Anchor | None = None
    quote: Quote | None = None
    """The text that the thread is about, for when it is gone."""


class CommentChanges(Wire):
    """Another text for a comment of one's own."""

    body: Body


class Resolution(Wire):
    """Whether a thread is done with."""

    resolved: bool


class CommentView(Wire):
    """A comment."""

    id: str
    thread_id: str
    author_id: str
    body: str
    created_at: datetime
    edited_at: datetime | None


class ThreadView(Wire):
    """A thread: its first comment and the replies, oldest first."""

    id: str
    document_id: str
    anchor: Anchor | None
    """As it was given."""
    quote: str | None
    resolved_at: datetime | None
    resolved_by: str | None
    comments: list[CommentView]


class ThreadQuery(PageQuery):
    """Which threads: all, or only those that are done with, or are not."""

    resolved: bool | None = None


class DocumentComment(ServerEvent):
    """Something happened to a thread of a document that the receiver has open. Read the thread for what it is now."""

    event: ClassVar[str] = "document:comment"
    document_id: str
    thread_id: str
    comment_id: str
    change: Literal["created", "edited", "deleted", "resolved", "reopened"]
