"""Folding the rows of a document into its snapshot, in PostgreSQL, without ever losing one."""

from collections.abc import Mapping, Sequence

import asyncpg

from collab.compaction import Folded, NotWhole
from collab.document import BrokenDocument, Document
from collab.log import Row, Snapshot, unpack
from collab.log_postgres import snapshot_of
from collab.proof import NotProved, whole

KEPT_STREAMS = 16
"""Quiet streams that stay in a position: those of the nodes that are up, with some to spare."""
FETCHED_ROWS = 200
"""At a time, so that a long log is never wholly in memory."""

CREATE = """
INSERT INTO collab_snapshot (document_id, generation, state, streams, numbers) VALUES ($1, 0, '\\x0000', '{}', '{}')
ON CONFLICT DO NOTHING"""
LOCK = """
SELECT generation, state, streams, numbers, octet_length(state) AS size, structs, nesting, pruned
FROM collab_snapshot WHERE document_id = $1 FOR UPDATE SKIP LOCKED"""
ALL_ROWS = "SELECT stream, number, data FROM collab_update WHERE document_id = $1 ORDER BY ord"
PUT = """
UPDATE collab_snapshot SET generation = $2, state = $3, streams = $4, numbers = $5, structs = $6, nesting = $7,
    pruned = $8
WHERE document_id = $1"""
DELETE_ROWS = """
DELETE FROM collab_update u USING unnest($2::bigint[], $3::bigint[]) AS k (stream, number)
WHERE u.document_id = $1 AND u.stream = k.stream AND u.number <= k.number"""


class _Nothing(Exception):
    """There is nothing to do: rolls back."""


async def fold(connection: asyncpg.Connection, document_id: str, least: int = 1) -> Folded:
    """Fold all rows into the snapshot, if they are at least so many updates, and say how many rows there were.

    Writers and readers are never blocked. Of two that fold one document at once, the second does nothing. Yrs holds
    the GIL meanwhile (3 s for 250,000 rows), so this belongs into a process of its own. Raises NotWhole, and changes
    nothing, unless what is written is proved to be what was read.
    """
    try:
        async with connection.transaction():
            await connection.execute(CREATE, document_id)
            locked = await connection.fetchrow(LOCK, document_id)
            if locked is None:
                raise _Nothing
            before = snapshot_of(locked)
            # Read after the lock, by a statement with a new snapshot of the database: nothing is missed.
            document, updates, read, rows = await _read(connection, document_id, before)
            if document.tail < least or not rows:
                raise _Nothing
            after = _written(document, updates, before)
            pruned = after.generation if document.position.keys() - after.position.keys() else locked["pruned"]
            streams, numbers = list(after.position), list(after.position.values())
            measures = after.structs, after.nesting, pruned
            await connection.execute(PUT, document_id, after.generation, after.state, streams, numbers, *measures)
            deleted = await connection.execute(DELETE_ROWS, document_id, list(read), list(read.values()))
            if deleted != f"DELETE {rows}":
                raise NotWhole(f"{deleted}, but {rows} rows were read")
    except _Nothing:
        return Folded(0)
    return Folded(rows, after.size)


async def _read(
    connection: asyncpg.Connection, document_id: str, before: Snapshot
) -> tuple[Document, list[bytes], dict[int, int], int]:
    """The document; the updates it was made of; up to where each stream was read; how many rows."""
    document, read, rows = Document(document_id), dict[int, int](), 0
    updates = [] if before.state is None else [before.state]
    try:
        document.load(before)
        async for stream, number, data in connection.cursor(ALL_ROWS, document_id, prefetch=FETCHED_ROWS):
            document.take(Row(document_id, stream, number, data))
            updates += unpack(data)
            read[stream] = max(number, read.get(stream, 0))
            rows += 1
    except BrokenDocument as error:
        raise NotWhole(str(error)) from error
    if document.early:
        raise NotWhole(f"{len(document.early)} updates lack what they build on")
    if not document.whole():
        raise NotWhole("Yrs keeps something pending")
    return document, updates, read, rows


def _written(document: Document, updates: Sequence[bytes], before: Snapshot) -> Snapshot:
    """The new snapshot: an error in it would be a loss for ever, so it is proved. Raises NotWhole."""
    try:
        state, parsed = whole(document, updates)
    except NotProved as error:
        raise NotWhole(str(error)) from error
    position = pruned_position(document.position, before.position)
    return Snapshot(before.generation + 1, state, position, len(state), parsed.structs, parsed.levels)


def pruned_position(position: Mapping[int, int], before: Mapping[int, int]) -> dict[int, int]:
    """The position without streams that nobody seems to write any more: each node's start adds one, for ever.

    A stream goes when it has had no row since the last compaction, unless it is among the newest. None is lost if its
    writer lives: readers find its next number too high, and read the log. Only what the snapshot before had already
    is left out, so that readers who have that one know that they lack nothing.
    """
    quiet = sorted(stream for stream, number in position.items() if before.get(stream) == number)
    gone = set(quiet[:-KEPT_STREAMS])
    return {stream: number for stream, number in position.items() if stream not in gone}
