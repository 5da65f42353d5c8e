"""Stored comments."""

from datetime import datetime
from typing import Literal, Protocol

from collab.comments.model import Comment

Refusal = Literal["gone", "full", "answered"]


class CommentStore(Protocol):
    """Each method is atomic, and tells the outbox what it changed, in the same transaction."""

    async def add(self, comment: Comment, *, threads: int, replies: int) -> Refusal | None:
        """Store a comment, unless its thread is ``gone``, or there are as many as there may be (``full``)."""
        ...

    async def threads(
        self, document_id: str, limit: int, after: tuple[datetime, str] | None, *, resolved: bool | None
    ) -> list[list[Comment]]:
        """Threads, each with its comments oldest first; the newest thread first, past its (creation time, id)."""
        ...

    async def thread(self, document_id: str, thread_id: str) -> list[Comment]:
        """One thread; empty if there is none."""
        ...

    async def find(self, document_id: str, comment_id: str) -> Comment | None:
        """One comment."""
        ...

    async def edit(self, comment: Comment, body: str, now: datetime) -> bool:
        """Change its text. False if it is gone."""
        ...

    async def remove(self, comment: Comment, *, with_answers: bool) -> Refusal | None:
        """Remove a comment, with the first its thread: if others have ``answered`` only ``with_answers``."""
        ...

    async def resolve(self, comment: Comment, by: str | None, now: datetime) -> bool:
        """Mark a thread as done with by somebody, or not (``None``). False if it is so already, or gone."""
        ...
