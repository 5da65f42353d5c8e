"""Stored links."""

from datetime import datetime
from typing import Protocol

from collab.sharing.model import Link


class LinkStore(Protocol):
    """Each method is atomic. A link that has expired, or whose document is deleted, is as good as none."""

    async def add(self, link: Link, secret_hash: bytes, at_most: int) -> bool:
        """Store a link; False if the document has ``at_most`` already. Expired ones make room."""
        ...

    async def of_document(
        self, document_id: str, now: datetime, limit: int, after: tuple[datetime, str] | None
    ) -> list[Link]:
        """The links of a document, newest first, past the (creation time, id) ``after``."""
        ...

    async def find(self, secret_hash: bytes, now: datetime) -> tuple[Link, str] | None:
        """The link with this secret, and the owner of its document."""
        ...

    async def join(self, link_id: str, user_id: str, at_most: int, now: datetime) -> bool | None:
        """Make somebody a member of the link's role, unless they have it or a higher one.

        ``None`` if the link is gone meanwhile, False if the document has ``at_most`` members.
        """
        ...

    async def revoke(self, document_id: str, link_id: str) -> bool:
        """Remove a link. False if there is none."""
        ...
