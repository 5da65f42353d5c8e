"""What the memory of companions keeps, as a Protocol. Ids are UUID strings; times come from the caller."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Vector:
    """An embedding as it is stored: float32, little-endian; only comparable with those of the same ``model_id``."""

    model_id: str
    dimensions: int
    data: bytes


@dataclass(frozen=True, slots=True)
class NewMemory:
    """A statement to keep; in the place of the memory ``replaces`` (a number), if it is still there."""

    id: str
    text: str
    vector: Vector
    importance: float
    replaces: int | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """A memory as it is shown. ``number`` is its place in the order in which memories were made."""

    id: str
    number: int
    text: str
    importance: float
    created_at: datetime
    said_at: datetime
    last_recalled_at: datetime | None
    recall_count: int


@dataclass(frozen=True, slots=True)
class Trace:
    """What ranking needs of a memory. ``embedding`` is ``None`` if another model made it."""

    number: int
    version: int
    embedding: bytes | None
    importance: float
    said_at: datetime


@dataclass(frozen=True, slots=True)
class MindVersion:
    """How far a companion's memories have come: ``version`` counts changes, ``removed`` is the last that took one away.

    Both 0 for a companion that remembers nothing yet.
    """

    version: int
    removed: int


Outcome = Literal["kept", "repeated", "outdated", "gone"]
"""Of :meth:`MemoryStore.add`: stored; the message was before; others came first; there is no such companion."""


class MemoryStore(Protocol):
    """Memories of companions. Every method is within one companion, and one transaction. Nothing expires.

    Versions of a companion are committed in their order: who has seen version n has missed nothing up to n.
    """

    async def add(
        self,
        companion_id: str,
        message_id: str,
        memories: Sequence[NewMemory],
        now: datetime,
        *,
        seen: int | None,
        capacity: int,
    ) -> Outcome:
        """Keep what a message said, all of it or nothing, and once however often the message comes.

        ``seen``: the version that ``memories`` were compared with; if that is not the present one, nothing is stored
        (``outdated``). ``None``: store anyway. A replaced memory keeps its id and its greater importance. Above
        ``capacity`` the least important ones go, the oldest of them first, and a hundredth of the capacity more, so
        that this is rare; what was just added stays.
        """
        ...

    async def version(self, companion_id: str) -> MindVersion:
        """How far the memories have come: the one cheap query that a cache is checked with."""
        ...

    async def traces(self, companion_id: str, model_id: str, after: tuple[int, int], limit: int) -> list[Trace]:
        """Memories with (version, number) above ``after``, in that order. A changed one comes again, further on."""
        ...

    async def numbers(self, companion_id: str) -> list[int]:
        """The numbers of all memories."""
        ...

    async def memories(self, companion_id: str, numbers: Sequence[int]) -> list[Memory]:
        """The memories with these numbers that are there, in no order."""
        ...

    async def page(self, companion_id: str, before: int | None, limit: int) -> list[Memory]:
        """Memories with a number below ``before``, the newest first."""
        ...

    async def note_recalled(self, companion_id: str, numbers: Sequence[int], now: datetime) -> None:
        """Count a recall, for the owner to see. Never waits: not counted of a memory that is just being changed."""
        ...

    async def forget(self, companion_id: str, memory_id: str) -> bool:
        """Delete a memory; whether there was one."""
        ...

    async def foreign(self, companion_id: str, model_id: str, after: int, limit: int) -> list[tuple[int, str]]:
        """Number (above ``after``, ascending) and text of memories whose vector another model made."""
        ...

    async def embed_again(self, companion_id: str, vectors: Sequence[tuple[int, str, Vector]]) -> None:
        """Give memories (number, text) another vector; not those whose text has changed since."""
        ...
