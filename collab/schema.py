"""Documents on the wire."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from msgspec import UNSET, Meta, UnsetType

from collab import awareness, update
from hub.kernel.pages import PageQuery
from hub.kernel.wire import END, ServerEvent, Uuid, Wire

Title = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        # PostgreSQL stores no NUL; the rest has no place in one line.
        pattern=rf"^(?=[\s\S]*\S)[^\x00-\x1f\x7f\ud800-\udfff]*{END}",
        description="one line, not blank",
    ),
]
Visibility = Literal["private", "public"]
Format = Literal["yjs-v1", "yjs-v2", "text", "markdown", "json"]
RootName = Annotated[
    str,
    Meta(min_length=1, max_length=100, pattern=rf"^[^\x00-\x1f\x7f\ud800-\udfff]+{END}", description="a root of Yjs"),
]
Role = Literal["editor", "commenter", "viewer"]
YjsUpdate = Annotated[bytes, Meta(max_length=update.MAX_BYTES, description="Yjs update v1")]
AwarenessUpdate = Annotated[bytes, Meta(max_length=awareness.MAX_BYTES, description="y-protocols awareness update")]
StateVector = Annotated[bytes, Meta(max_length=update.MAX_BYTES, description="Yjs state vector v1")]


class JoinDocument(Wire):
    """``collab:join``: open a document. ``stateVector`` says what the client has of it already."""

    document_id: Uuid
    state_vector: StateVector | None = None


class JoinedDocument(Wire):
    """``update`` brings the client up to date; it sends what the hub lacks as the difference to ``stateVector``."""

    document_id: str
    access: Literal["write", "read"]
    update: bytes
    state_vector: bytes


class ChangeDocument(Wire):
    """``collab:change``: a Yjs update. Acknowledged when it is stored."""

    document_id: Uuid
    update: YjsUpdate


class ChangedDocument(Wire):
    """Where the change stands in the log: opaque."""

    seq: str


class AnnounceAwareness(Wire):
    """``collab:awareness``: cursors, names, selections."""

    document_id: Uuid
    update: AwarenessUpdate


class LeaveDocument(Wire):
    """``collab:leave``."""

    document_id: Uuid


class DocumentUpdated(ServerEvent):
    """A change by somebody else, stored."""

    event: ClassVar[str] = "collab:update"
    document_id: str
    update: bytes


class AwarenessUpdated(ServerEvent):
    """Somebody else's cursor moved, or went away."""

    event: ClassVar[str] = "collab:awareness"
    document_id: str
    update: bytes


class DocumentContent(Wire):
    """What a document is to say.

    ``content`` is text or Markdown; base64 of an update; or for ``json`` what an export has: every root by its name.
    Text and Markdown replace the root ``root``, JSON those that it names, and an update is merged. In a rich root
    Markdown becomes nodes with the names that ``editor`` knows.
    """

    format: Format
    content: Annotated[str, Meta(max_length=1_000_000)] | dict[str, Any]
    root: RootName = "text"
    editor: Literal["prosemirror", "tiptap"] = "prosemirror"


class ExportQuery(Wire):
    """In which form."""

    format: Format = "json"


class Imported(Wire):
    """Where the change stands in the log: opaque, as after ``collab:change``."""

    seq: str


class AccessChanged(ServerEvent):
    """What the receiver may do with a document that it has open. With ``none`` it has it open no more."""

    event: ClassVar[str] = "collab:access"
    document_id: str
    access: Literal["write", "read", "none"]


class NewDocument(Wire):
    """A document to create, empty or with content."""

    title: Title
    visibility: Visibility = "private"
    content: DocumentContent | None = None


class DocumentChanges(Wire):
    """What to change of a document; what is left out stays. Only the owner changes the visibility."""

    title: Title | UnsetType = UNSET
    visibility: Visibility | UnsetType = UNSET


class DocumentView(Wire):
    """A document, as one reader sees it."""

    id: str
    title: str
    owner_id: str
    visibility: Visibility
    role: Literal["owner", "editor", "commenter", "viewer"]
    version: int
    created_at: datetime
    updated_at: datetime
    removed_at: datetime | UnsetType = UNSET
    """Of a deleted document: when it is gone for good."""
    members: list["MemberView"] | UnsetType = UNSET
    """To the owner, when a single document is read."""


class DocumentQuery(PageQuery):
    """Which documents: those that are there, or one's own that are deleted and can be taken back."""

    deleted: bool = False


class NewOwner(Wire):
    """Who is to own a document: one of its members."""

    user_id: Uuid


class NewMember(Wire):
    """Somebody to share a document with."""

    user_id: Uuid
    role: Role


class MemberRole(Wire):
    """Another role for a member."""

    role: Role


class MemberView(Wire):
    """Somebody a document is shared with."""

    user_id: str
    role: Role
