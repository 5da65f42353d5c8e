"""Comments as they are stored."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Comment:
    """The first comment of a thread, or a reply."""

    id: str
    document_id: str
    thread_id: str
    author_id: str
    body: str
    created_at: datetime
    edited_at: datetime | None = None
    anchor: str | None = None
    """Of the first: JSON text."""
    quote: str | None = None
    resolved_at: datetime | None = None
    resolved_by: str | None = None

    @property
    def is_first(self) -> bool:
        """Whether it began its thread."""
        return self.id == self.thread_id
