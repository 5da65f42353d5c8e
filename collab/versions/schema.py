"""Versions on the wire."""

from datetime import datetime
from typing import Literal

from collab.schema import Title
from hub.kernel.pages import PageQuery
from hub.kernel.wire import Uuid, Wire


class NewVersion(Wire):
    """A name for what the document says now."""

    name: Title


class VersionView(Wire):
    """A version. Without a name it was kept by itself, and may go as it grows old."""

    id: str
    name: str | None
    created_by: str | None
    created_at: datetime
    authors: list[str]
    """Who changed the document since the version before."""
    size: int
    """Bytes."""


class VersionQuery(PageQuery):
    """Which versions: all, or those with a name."""

    named: bool = False


class DiffQuery(Wire):
    """What to compare with: another version of the document, or without one what it says now."""

    to: Uuid | None = None


class PieceView(Wire):
    """A stretch of text. Long ones that are the same are cut, which ``[…]`` shows."""

    op: Literal["equal", "insert", "delete"]
    text: str


class RootDiff(Wire):
    """A root that differs: rich text as Markdown, data as JSON, word by word."""

    root: str
    pieces: list[PieceView]


class DiffView(Wire):
    """What changed from the version on. Empty: nothing."""

    roots: list[RootDiff]


class Restored(Wire):
    """``seq``: where the change stands in the log; opaque. ``before``: what the document said until then."""

    seq: str
    before: VersionView
