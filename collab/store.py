"""Stored documents (not their text, which is the update log) and their members."""

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from collab.model import DocumentRecord, Member, Standing


class DocumentStore(Protocol):
    """Each method is atomic. A deleted document is as good as none. Changing members changes the version."""

    async def create(self, document_id: str, title: str, owner_id: str, visibility: str, now: datetime) -> None:
        """Store a new document, version 1."""
        ...

    async def find(self, document_id: str, reader_id: str) -> DocumentRecord | None:
        """A document with the reader's role, whoever the reader is."""
        ...

    async def find_all(self, document_ids: Collection[str], reader_id: str) -> list[DocumentRecord]:
        """The same of many, in any order. Those that do not exist are left out."""
        ...

    async def of_user(self, user_id: str, limit: int, after: tuple[datetime, str] | None) -> list[DocumentRecord]:
        """Documents that the user owns or is a member of, newest first, past the (creation time, id) ``after``."""
        ...

    async def change(
        self, document_id: str, title: str | None, visibility: str | None, if_version: int | None, now: datetime
    ) -> bool:
        """Change what is not ``None``. False if there is no such document, or not of version ``if_version``."""
        ...

    async def delete(self, document_id: str, if_version: int | None, now: datetime) -> bool:
        """Mark as deleted. False as in :meth:`change`."""
        ...

    async def deleted_of(
        self, owner_id: str, deleted_after: datetime, limit: int, after: tuple[datetime, str] | None
    ) -> list[DocumentRecord]:
        """Documents that their owner has deleted since ``deleted_after``, newest first, as in :meth:`of_user`."""
        ...

    async def undelete(self, document_id: str, owner_id: str, deleted_after: datetime, now: datetime) -> bool:
        """Take a deletion back. False if the user has deleted no such document since ``deleted_after``."""
        ...

    async def remove_deleted(self, deleted_until: datetime) -> str | None:
        """Remove one document that was deleted by then for good, with all that is stored of it; gives its id.

        ``None`` if there is none that no other node removes at this moment.
        """
        ...

    async def transfer(self, document_id: str, owner_id: str, new_owner_id: str, now: datetime) -> bool:
        """Make a member the owner, and the owner an editor. False if it is no member, or ``owner_id`` not the owner."""
        ...

    async def members(self, document_id: str) -> list[Member]:
        """The members, in the order they were added."""
        ...

    async def add_member(self, document_id: str, member: Member, at_most: int, now: datetime) -> str | None:
        """Add a member unless there is one, and return the role that stands; ``None`` if there are ``at_most``."""
        ...

    async def change_member(self, document_id: str, member: Member, now: datetime) -> bool:
        """Give a member another role. False if it is none."""
        ...

    async def remove_member(self, document_id: str, user_id: str, now: datetime) -> bool:
        """Remove a member. False if it is none."""
        ...

    async def standings(self, pairs: Collection[tuple[str, str]]) -> dict[tuple[str, str], Standing]:
        """What the users of (document, user) pairs are to the documents; those without any role are missing."""
        ...
