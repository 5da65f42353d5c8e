"""The update log in PostgreSQL."""

from collections.abc import Mapping, Sequence

import asyncpg

from collab.log import NO_DOCUMENT, Known, Reading, Refused, Row, Snapshot, Writer
from hub.kernel.errors import Unavailable

CONNECT_TIMEOUT_S = 2.0
COMMIT_TIMEOUT_S = 10.0
"""After this a commit counts as lost and is sent again on another connection."""

STALE_DOCUMENTS = 500
"""Of one question: it takes PostgreSQL some ms, and this node 1 ms to ask."""
SWEPT_ROWS = 10_000
"""Counted at once, from the index alone: some ms."""

OPEN = "SELECT nextval('collab_stream')"
APPEND = """
INSERT INTO collab_update (document_id, stream, number, data)
SELECT u.document_id, $1, u.number, u.data
FROM unnest($2::uuid[], $3::bigint[], $4::bytea[]) AS u (document_id, number, data)"""
SNAPSHOT = """
SELECT generation, streams, numbers, octet_length(state) AS size, structs, nesting,
    CASE WHEN $2 < pruned - 1 OR EXISTS (
    SELECT FROM unnest(streams, numbers) AS s (stream, number)
    LEFT JOIN unnest($3::bigint[], $4::bigint[]) AS k (stream, number) USING (stream)
    WHERE s.number > coalesce(k.number, 0)
) THEN state END AS state
FROM collab_snapshot WHERE document_id = $1 AND generation <> $2"""
"""Without the state if the reader has all of it. What a generation leaves out of the position was in the one before it,
so whoever has that one, or a later one, lacks nothing that the position does not show."""
TAIL = """
SELECT u.stream, u.number, u.data FROM collab_update u
LEFT JOIN unnest($2::bigint[], $3::bigint[]) AS k (stream, number) USING (stream)
WHERE u.document_id = $1 AND u.number > coalesce(k.number, 0)
ORDER BY u.ord"""
STALE = """
SELECT d.document_id::text FROM unnest($1::uuid[], $2::bigint[]) AS d (document_id, generation)
JOIN collab_snapshot s USING (document_id) WHERE s.generation <> d.generation
UNION
SELECT d.document_id::text FROM unnest($1::uuid[]) AS d (document_id)
CROSS JOIN LATERAL (
    WITH RECURSIVE last (stream, number) AS (
        (SELECT stream, number FROM collab_update u WHERE u.document_id = d.document_id
         ORDER BY stream DESC, number DESC LIMIT 1)
        UNION ALL
        SELECT before.stream, before.number FROM last CROSS JOIN LATERAL (
            SELECT u.stream, u.number FROM collab_update u
            WHERE u.document_id = d.document_id AND u.stream < last.stream
            ORDER BY u.stream DESC, u.number DESC LIMIT 1
        ) AS before
    )
    SELECT stream, number FROM last
) AS last
LEFT JOIN unnest($3::uuid[], $4::bigint[], $5::bigint[]) AS k (document_id, stream, number) USING (document_id, stream)
WHERE last.number > coalesce(k.number, 0)"""
"""Walks the primary key from the last row of one stream to that of the next: no row in between is read. 11 ms for 200
documents of 600 rows, where reading all rows took 97 (on a busy machine)."""
CROWDED = """
SELECT document_id::text, count(*) FROM (
    SELECT document_id FROM collab_update WHERE document_id > $1::uuid ORDER BY document_id LIMIT $2
) AS u GROUP BY 1 ORDER BY 1"""

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
                found = await connection.fetchrow(
                    SNAPSHOT, document_id, known.generation, list(known.position), list(known.position.values())
                )
                snapshot = snapshot_of(found) if found else None
                position = dict(known.position)
                for stream, number in snapshot.position.items() if snapshot else ():
                    position[stream] = max(number, position.get(stream, 0))
                rows = await connection.fetch(TAIL, document_id, list(position), list(position.values()))
        except LOST as error:
            raise Unavailable from error
        return Reading(snapshot, [Row(document_id, *row) for row in rows])

    async def stale(self, known: Mapping[str, Known]) -> set[str]:
        """See collab.log.UpdateLog."""
        found = set[str]()
        ids = list(known)
        for first in range(0, len(ids), STALE_DOCUMENTS):
            found |= await self._stale({key: known[key] for key in ids[first : first + STALE_DOCUMENTS]})
        return found

    async def _stale(self, known: Mapping[str, Known]) -> set[str]:
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

    async def crowded(self, after: str, rows: int) -> tuple[list[str], str]:
        """See collab.log.UpdateLog."""
        try:
            counted = await self._pool.fetch(CROWDED, after, SWEPT_ROWS)
        except LOST as error:
            raise Unavailable from error
        found = [document_id for document_id, count in counted if count >= rows]
        if sum(count for _, count in counted) < SWEPT_ROWS:
            return found, NO_DOCUMENT
        # The last one may be cut off by the limit. It comes again, unless it is all there is.
        return found, counted[-2 if len(counted) > 1 else -1][0]


def snapshot_of(row: asyncpg.Record) -> Snapshot:
    """A row of ``collab_snapshot``, with its size."""
    position = dict(zip(row["streams"], row["numbers"], strict=True))
    return Snapshot(row["generation"], row["state"], position, row["size"], row["structs"], row["nesting"])
