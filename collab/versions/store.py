"""Stored versions."""

from datetime import datetime
from typing import Protocol

from collab.versions.model import Version


class VersionStore(Protocol):
    """Each method is atomic."""

    async def add(self, version: Version, state: bytes, *, at_most: int, most_bytes: int) -> Version | None:
        """Store a named version, with its authors; ``None`` if the document has as many, or so many bytes, already."""
        ...

    async def add_automatic(self, version: Version, state: bytes, *, at_most: int, most_bytes: int) -> Version | None:
        """Store an automatic version, with its authors, and remove those that are superfluous then.

        ``None`` if the newest version says the same, or the document is gone.
        """
        ...

    async def of_document(
        self, document_id: str, limit: int, after: tuple[datetime, str] | None, *, named: bool
    ) -> list[Version]:
        """The versions of a document, newest first, past the (creation time, id) ``after``."""
        ...

    async def state(self, document_id: str, version_id: str) -> bytes | None:
        """What the document said."""
        ...

    async def remove(self, document_id: str, version_id: str) -> bool:
        """Remove a version. False if there is none."""
        ...

    async def claim_due(self, changes: int, before: datetime) -> str | None:
        """A document with that many changes since its last version, or with one from before then, if there is any.

        Its changes count as kept from now on: who does not keep a version gives it back.
        """
        ...

    async def give_back(self, document_id: str, now: datetime) -> None:
        """Have the document looked at again a while later."""
        ...
