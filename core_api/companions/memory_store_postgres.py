"""Memories of companions in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from core_api.companions.memory_store import Memory, MindVersion, NewMemory, Outcome, Trace, Vector

COLUMNS = "id::text, number, text, importance, created_at, said_at, last_recalled_at, recall_count"

# First of all, since its foreign key locks the companion against deletion: whoever deletes one goes from the companion
# to its mind to its memories, and so does whoever adds.
CLAIM = """
INSERT INTO companion_memory_message (companion_id, message_id) VALUES ($1, $2)
ON CONFLICT DO NOTHING
RETURNING true
"""
ADVANCE = """
INSERT INTO companion_mind AS mind (companion_id, version) VALUES ($1, 1)
ON CONFLICT (companion_id) DO UPDATE SET version = mind.version + 1
RETURNING version
"""
INSERT = """
INSERT INTO companion_memory
    (id, companion_id, version, message_id, text, embedding, model_id, dimensions, importance, created_at, said_at)
VALUES ($3, $1, $2, $4, $5, $6, $7, $8, $9, $10, $10)
"""
REPLACE = """
UPDATE companion_memory
SET version = $2, message_id = $4, text = $5, embedding = $6, model_id = $7, dimensions = $8,
    importance = greatest(importance, $9), said_at = $10
WHERE companion_id = $1 AND number = $3
RETURNING true
"""
COUNT = "UPDATE companion_mind SET memories = memories + $2 WHERE companion_id = $1 RETURNING memories"
REMOVED = """
UPDATE companion_mind SET removed_version = version, memories = memories - $2 WHERE companion_id = $1
"""
EVICT = """
WITH gone AS (
    DELETE FROM companion_memory WHERE id IN (
        SELECT id FROM companion_memory WHERE companion_id = $1 AND version < $2
        ORDER BY importance, said_at, number
        LIMIT $3
    )
    RETURNING 1
)
SELECT count(*) FROM gone
"""
VERSION = "SELECT version, removed_version AS removed FROM companion_mind WHERE companion_id = $1"
TRACES = """
SELECT number, version, CASE WHEN model_id = $2 THEN embedding END AS embedding, importance, said_at
FROM companion_memory
WHERE companion_id = $1 AND (version, number) > ($3, $4)
ORDER BY version, number
LIMIT $5
"""
NUMBERS = "SELECT array_agg(number) FROM companion_memory WHERE companion_id = $1"
MEMORIES = f"""
SELECT {COLUMNS} FROM companion_memory WHERE companion_id = $1 AND number = ANY ($2)
"""  # noqa: S608 - constants only
PAGE = f"""
SELECT {COLUMNS} FROM companion_memory
WHERE companion_id = $1 AND ($2::bigint IS NULL OR number < $2)
ORDER BY number DESC
LIMIT $3
"""  # noqa: S608 - constants only
# SKIP LOCKED: two recalls that wait for each other's rows would be a deadlock, and this is a statistic.
NOTE_RECALLED = """
UPDATE companion_memory SET last_recalled_at = $3, recall_count = recall_count + 1
WHERE id IN (
    SELECT id FROM companion_memory WHERE companion_id = $1 AND number = ANY ($2) FOR NO KEY UPDATE SKIP LOCKED
)
"""
FORGET = "DELETE FROM companion_memory WHERE companion_id = $1 AND id = $2 RETURNING true"
FOREIGN = """
SELECT number, text FROM companion_memory
WHERE companion_id = $1 AND model_id <> $2 AND number > $3
ORDER BY number
LIMIT $4
"""
EMBED_AGAIN = """
UPDATE companion_memory SET version = $2, embedding = $5, model_id = $6, dimensions = $7
WHERE companion_id = $1 AND number = $3 AND text = $4
"""


class _TakenBack(Exception):
    """Ends a transaction without a trace."""


class PostgresMemories:
    """Implements core_api.companions.memory_store.MemoryStore."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

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
        """Keep what a message said, under the lock on the companion's mind."""
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                if not await connection.fetchval(CLAIM, companion_id, message_id):
                    return "repeated"
                version = await connection.fetchval(ADVANCE, companion_id)
                if seen not in (None, version - 1):
                    raise _TakenBack
                added = sum(
                    [await _put(connection, companion_id, message_id, memory, version, now) for memory in memories]
                )
                held = await connection.fetchval(COUNT, companion_id, added)
                if held > capacity:
                    surplus = held - capacity + capacity // 100
                    await _removed(
                        connection, companion_id, await connection.fetchval(EVICT, companion_id, version, surplus)
                    )
        except _TakenBack:
            return "outdated"
        except asyncpg.ForeignKeyViolationError:
            return "gone"
        return "kept"

    async def version(self, companion_id: str) -> MindVersion:
        """How far the memories have come."""
        row = await self._pool.fetchrow(VERSION, companion_id)
        return MindVersion(0, 0) if row is None else MindVersion(**row)

    async def traces(self, companion_id: str, model_id: str, after: tuple[int, int], limit: int) -> list[Trace]:
        """Memories changed after a version."""
        return [Trace(*row) for row in await self._pool.fetch(TRACES, companion_id, model_id, *after, limit)]

    async def numbers(self, companion_id: str) -> list[int]:
        """The numbers of all memories."""
        return await self._pool.fetchval(NUMBERS, companion_id) or []

    async def memories(self, companion_id: str, numbers: Sequence[int]) -> list[Memory]:
        """The memories with these numbers."""
        return [Memory(**row) for row in await self._pool.fetch(MEMORIES, companion_id, numbers)]

    async def page(self, companion_id: str, before: int | None, limit: int) -> list[Memory]:
        """Memories, the newest first."""
        return [Memory(**row) for row in await self._pool.fetch(PAGE, companion_id, before, limit)]

    async def note_recalled(self, companion_id: str, numbers: Sequence[int], now: datetime) -> None:
        """Count a recall."""
        await self._pool.execute(NOTE_RECALLED, companion_id, numbers, now)

    async def forget(self, companion_id: str, memory_id: str) -> bool:
        """Delete a memory, under the lock on the mind."""
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.fetchval(ADVANCE, companion_id)
                if not await connection.fetchval(FORGET, companion_id, memory_id):
                    raise _TakenBack
                await _removed(connection, companion_id, 1)
        except (_TakenBack, asyncpg.ForeignKeyViolationError):
            return False
        return True

    async def foreign(self, companion_id: str, model_id: str, after: int, limit: int) -> list[tuple[int, str]]:
        """Memories whose vector another model made."""
        rows = await self._pool.fetch(FOREIGN, companion_id, model_id, after, limit)
        return [(row["number"], row["text"]) for row in rows]

    async def embed_again(self, companion_id: str, vectors: Sequence[tuple[int, str, Vector]]) -> None:
        """Give memories another vector, under the lock on the mind."""
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                version = await connection.fetchval(ADVANCE, companion_id)
                for number, text, vector in vectors:
                    await connection.execute(
                        EMBED_AGAIN,
                        companion_id,
                        version,
                        number,
                        text,
                        vector.data,
                        vector.model_id,
                        vector.dimensions,
                    )
        except asyncpg.ForeignKeyViolationError:
            return  # the companion was deleted meanwhile, and with it what was to be changed


async def _put(
    connection: asyncpg.Connection,
    companion_id: str,
    message_id: str,
    memory: NewMemory,
    version: int,
    now: datetime,
) -> int:
    """Replace or add a memory; how many there are more."""
    values = (message_id, memory.text, memory.vector.data, memory.vector.model_id, memory.vector.dimensions)
    rest = (*values, memory.importance, now)
    if memory.replaces is not None and await connection.fetchval(
        REPLACE, companion_id, version, memory.replaces, *rest
    ):
        return 0
    await connection.execute(INSERT, companion_id, version, memory.id, *rest)
    return 1


async def _removed(connection: asyncpg.Connection, companion_id: str, count: int) -> None:
    await connection.execute(REMOVED, companion_id, count)
