"""How a protocol says what the hub has to say of one document to one client."""

from typing import Protocol

from collab.native.sync import SyncRequest


class Voice(Protocol):
    """Gives whole messages, and closes. ``None`` is for what a protocol does not say."""

    @property
    def name(self) -> bytes:
        """What the messages of the document begin with: those with the same name are sent the same bytes."""
        ...

    def opened(self, *, may_write: bool) -> bytes | None:
        """The document is open; said before anything else of it."""
        ...

    def answer(self, request: SyncRequest, update: bytes, vector: bytes, *, may_write: bool) -> list[bytes]:
        """What the client lacked when it asked and, if it may write, what the hub has: it sends the rest."""
        ...

    def ask(self, vector: bytes) -> bytes:
        """What the hub has: the client is to send the rest."""
        ...

    def update(self, update: bytes) -> bytes:
        """A change."""
        ...

    def awareness(self, update: bytes) -> bytes:
        """An awareness update."""
        ...

    def taken(self, *, stored: bool) -> bytes | None:
        """A change of the client is stored, or refused since it may not write."""
        ...

    def access(self, *, may_write: bool) -> bytes | None:
        """It may write from now on, or only read."""
        ...

    def put_out(self, code: int, reason: str) -> None:
        """Close the document for the client; the code is one of collab.native.close_codes."""
        ...
