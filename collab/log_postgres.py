"""The update log in PostgreSQL."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg

from collab.document import Document
from collab.log import Known, Reading, Refused, Row, Snapshot, Writer
from hub.kernel.errors import Unavailable

CONNECT_TIMEOUT_S = 2.0
COMMIT_TIMEOUT_S = 10.0
"""After this a commit counts as lost and is sent again on another connection."""

OPEN = "SELECT nextval('collab_stream')"
APPEND = """
INSERT INTO collab_update (document_id, stream, number, data)
SELECT u.document_id, $1, u.number, u.data
FROM unnest($2::uuid[], $3::bigint[], $4::bytea[]) AS u (document_id, number, data)"""
SNAPSHOT = """
SELECT generation, state, streams, numbers FROM collab_snapshot WHERE document_id = $1 AND generation <> $2"""
TAIL = """
SELECT u.stream, u.number, u.data FROM collab_update u
LEFT JOIN unnest($2::bigint[], $3::bigint[]) AS k (stream, number) USING (stream)
WHERE u.document_id = $1 AND u.number > coalesce(k.number, 0)
ORDER BY u.ord"""
STALE = """
SELECT d.document_id::text FROM unnest($1::uuid[], $2::bigint[]) AS d (document_id, generation)
JOIN collab_snapshot s USING (document_id) WHERE s.generation <> d.generation
UNION
SELECT u.document_id::text FROM collab_update u
LEFT JOIN unnest($3::uuid[], $4::bigint[], $5::bigint[]) AS k (document_id, stream, number) USING (document_id, stream)
WHERE u.document_id = ANY ($1::uuid[]) AND u.number > coalesce(k.number, 0)"""

CREATE_SNAPSHOT = """
INSERT INTO collab_snapshot (document_id, generation, state, streams, numbers) VALUES ($1, 0, '\\x0000', '{}', '{}')
ON CONFLICT DO NOTHING"""
LOCK_SNAPSHOT = """
SELECT generation, state, streams, numbers FROM collab_snapshot WHERE document_id = $1 FOR UPDATE"""
ALL_ROWS = "SELECT stream, number, data FROM collab_update WHERE document_id = $1 ORDER BY ord"
PUT_SNAPSHOT = """
UPDATE collab_snapshot SET generation = generation + 1, state = $2, streams = $3, numbers = $4
WHERE document_id = $1"""
DELETE_ROWS = """
DELETE FROM collab_update u USING unnest($2::bigint[], $3::bigint[]) AS k (stream, number)
WHERE u.document_id = $1 AND u.stream = k.stream AND u.number <= k.number"""

REFUSALS = (
    asyncpg.DataError,
    asyncpg.CheckViolationError,
    asyncpg.NotNullViolationError,
    asyncpg.ForeignKeyViolationError,
    asyncpg.ProgramLimitExceededError,
    asyncpg.RaiseError,
)
"""What the database says about the data, not about itself. Not a unique violation: that is a stream number used
twice (a database restored from a backup), which another stream cures."""
LOST = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.OperatorInterventionError,  # shutdown, crash, "cannot connect now"
    asyncpg.InsufficientResourcesError,  # too many connections, out of memory, disk full
    asyncpg.InternalClientError,  # asyncpg on a killed server: "cannot switch to state 12"
    RuntimeError,  # uvloop on a killed server: "the handler is closed"
)


class PostgresWriter:
    """Implements collab.log.Writer on a connection of its own."""

    def __init__(self, connection: asyncpg.Connection, stream: int) -> None:
        self._connection = connection
        self.stream = stream

    async def append(self, rows: Sequence[Row]) -> None:
        """See collab.log.Writer. One autocommit statement: one round trip, and no lock that nodes share."""
        try:
            await self._connection.execute(
                APPEND,
                self.stream,
                [row.document_id for row in rows],
                [row.number for row in rows],
                [row.data for row in rows],
            )
        except REFUSALS as error:
            raise Refused(str(error)) from error

    def drop(self) -> None:
        """See collab.log.Writer."""
        self._connection.terminate()


class PostgresLog:
    """Implements collab.log.UpdateLog: reads on the pool, each writer on a connection that it opens itself."""

    def __init__(self, pool: asyncpg.Pool, dsn: str) -> None:
        self._pool = pool
        self._dsn = dsn

    async def open(self) -> Writer:
        """See collab.log.UpdateLog."""
        connection = await asyncpg.connect(
            self._dsn,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=COMMIT_TIMEOUT_S,
            server_settings={"application_name": "sparkle-hub collab writer"},
        )
        try:
            return PostgresWriter(connection, await connection.fetchval(OPEN))
        except BaseException:
            connection.terminate()
            raise

    async def read(self, document_id: str, known: Known) -> Reading:
        """See collab.log.UpdateLog."""
        try:
            async with (
                self._pool.acquire() as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                snapshot = await connection.fetchrow(SNAPSHOT, document_id, known.generation)
                position = _snapshot(snapshot).position if snapshot else {}
                position = {
                    stream: max(position.get(stream, 0), known.position.get(stream, 0))
                    for stream in position.keys() | known.position.keys()
                }
                rows = await connection.fetch(TAIL, document_id, list(position), list(position.values()))
        except LOST as error:
            raise Unavailable from error
        return Reading(_snapshot(snapshot) if snapshot else None, [Row(document_id, *row) for row in rows])

    async def stale(self, known: Mapping[str, Known]) -> set[str]:
        """See collab.log.UpdateLog. 12 ms for 200 documents of 600 rows each."""
        flat = [(key, stream, number) for key, value in known.items() for stream, number in value.position.items()]
        try:
            rows = await self._pool.fetch(
                STALE,
                list(known),
                [value.generation for value in known.values()],
                *([entry[column] for entry in flat] for column in range(3)),
            )
        except LOST as error:
            raise Unavailable from error
        return {row[0] for row in rows}

    async def compact(self, document_id: str) -> int:
        """Fold the rows of a document into its snapshot and return how many there were.

        Writers are never blocked, and two compactions of one document wait for each other. Yrs holds the GIL all the
        while, so a large document belongs into a process of its own. Raises RuntimeError, and changes nothing, if the
        rows do not make a whole document or the deletion would not take exactly what was read.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(CREATE_SNAPSHOT, document_id)
            snapshot = _snapshot(await connection.fetchrow(LOCK_SNAPSHOT, document_id))
            rows = await connection.fetch(ALL_ROWS, document_id)  # a new statement snapshot, taken after the lock
            document = Document(document_id)
            document.load(snapshot.generation, snapshot.state, snapshot.position)
            read: dict[int, int] = {}
            for count, (stream, number, data) in enumerate(rows):
                document.take(Row(document_id, stream, number, data))
                read[stream] = max(number, read.get(stream, 0))
                if count % 100 == 0:
                    await asyncio.sleep(0)  # let the node's other work in between
            if document.early or not document.whole():
                raise RuntimeError(f"document {document_id} is not whole: not compacted")
            position = document.position
            await connection.execute(
                PUT_SNAPSHOT, document_id, document.diff(), list(position), list(position.values())
            )
            deleted = await connection.execute(DELETE_ROWS, document_id, list(read), list(read.values()))
            if deleted != f"DELETE {len(rows)}":
                raise RuntimeError(f"document {document_id}: {deleted}, but {len(rows)} rows were read")
        return len(rows)


def _snapshot(row: Any) -> Snapshot:
    position = dict(zip(row["streams"], row["numbers"], strict=True))
    return Snapshot(row["generation"], row["state"], position)
