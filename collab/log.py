"""The update log: the truth about every document. Redis only hints at it."""

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

LENGTH = struct.Struct("<I")
NO_DOCUMENT = "00000000-0000-0000-0000-000000000000"
"""Before all documents."""


class Refused(Exception):
    """The database refuses the data itself. Nothing of the batch was written; the stream goes on."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the log: the updates of one document in one commit.

    ``stream`` is one writer (never used again when that writer is gone), ``number`` counts 1, 2, 3 … without holes in
    each (document, stream). Rows of one stream are committed one after the other, so that what a reader sees of a
    stream is always a prefix of it, and "nothing above have + 1" means that nothing was missed.
    """

    document_id: str
    stream: int
    number: int
    data: bytes
    """:func:`pack`\\ ed updates."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A compacted document: everything up to ``position``."""

    generation: int
    state: bytes | None
    """None if the reader has all of it already: then only the position is news."""
    position: Mapping[int, int]
    size: int
    """Bytes of the state."""
    structs: int = 0
    """Items and other parts that it consists of."""
    nesting: int = 0
    """How deep shared types lie in one another."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader lacks: the snapshot if it is newer than the reader's, and the rows past its position."""

    snapshot: Snapshot | None
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Known:
    """How far a reader has come with a document."""

    generation: int
    position: Mapping[int, int]


class Writer(Protocol):
    """One stream: a connection that commits batches one after the other."""

    @property
    def stream(self) -> int:
        """The number of the stream."""
        ...

    async def append(self, rows: Sequence[Row]) -> None:
        """Commit all rows or none; they are on disk when it returns.

        Raises Refused if nothing was written and the same rows never will be. After any other exception the fate of
        the batch is unknown, and the writer must be dropped.
        """
        ...

    def drop(self) -> None:
        """Close the connection at once."""
        ...


class UpdateLog(Protocol):
    """Stored updates. The readers raise Unavailable when the database does not answer."""

    async def open(self) -> Writer:
        """A writer with a stream of its own. Raises whatever the connection raises."""
        ...

    async def read(self, document_id: str, known: Known) -> Reading:
        """What ``known`` lacks, of one moment: a compaction in between neither hides nor doubles a row.

        The rows come in an order that mostly is causal; correctness must not rest on it.
        """
        ...

    async def stale(self, known: Mapping[str, Known]) -> set[str]:
        """The documents of which the log has more than is known."""
        ...

    async def crowded(self, after: str, rows: int) -> tuple[list[str], str]:
        """Documents with at least so many rows, among those of the next some thousand rows past a document id.

        With them comes the id to go on from, which is NO_DOCUMENT when the end of the log is reached.
        """
        ...


def pack(updates: Iterable[bytes]) -> bytes:
    """Updates as one byte string: (length uint32 LE, update)*."""
    return b"".join(part for update in updates for part in (LENGTH.pack(len(update)), update))


def unpack(data: bytes) -> list[bytes]:
    """The inverse of :func:`pack`. What is cut off comes out as it is, and no reader takes it for an update."""
    updates, at = [], 0
    while at < len(data):
        start = at + LENGTH.size
        at = start + int.from_bytes(data[at:start], "little")
        updates.append(data[start:at])
    return updates
