"""Memories on the wire: as they are listed, and as a reply names those it used."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from hub.kernel.wire import Uuid, Wire

Share = Annotated[float, Meta(ge=0, le=1)]


class MemoryView(Wire):
    """Something the companion remembers: a sentence that its owner said."""

    id: Uuid
    text: str
    importance: Share
    created_at: datetime
    said_at: datetime
    """When it was last said: later than ``createdAt`` if it was repeated or corrected since."""
    last_recalled_at: datetime | None
    recall_count: int


class Recalled(Wire):
    """A memory that a reply was made from."""

    id: Uuid
    text: str
    score: Share
    """Relevance, recency and importance together: comparable among the memories of one reply."""
    created_at: datetime
