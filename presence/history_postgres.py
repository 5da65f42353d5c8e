"""The history of presence in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from hub.kernel.ids import UserId
from presence.history import HistoryQueue, Past
from presence.model import Status
from presence.transitions import EntryId

TAKE_TURN = "SELECT pg_try_advisory_xact_lock(hashtext('presence history'))"
# A version names one change of its user, so what comes twice, from a node that died half-way, is there already.
ADD = """
INSERT INTO presence_transition (user_id, version, at, status)
SELECT new.*
FROM unnest($1::uuid[], $2::bigint[], $3::timestamptz[], $4::smallint[]) AS new (user_id, version, at, status)
JOIN account_user ON account_user.id = new.user_id AND account_user.deleted_at IS NULL
ON CONFLICT DO NOTHING
"""
PAGE = """
SELECT version, at, status FROM presence_transition
WHERE user_id = $1 AND ($2::bigint IS NULL OR version < $2)
ORDER BY version DESC LIMIT $3
"""
PURGE = """
WITH gone AS (
    DELETE FROM presence_transition
    WHERE ctid = ANY (ARRAY (SELECT ctid FROM presence_transition WHERE at <= $1 LIMIT $2)) RETURNING 1
)
SELECT count(*) FROM gone
"""
PURGED_AT_ONCE = 10_000
"""Rows in one statement, so that none takes seconds."""


class PostgresHistory:
    """Implements presence.history.HistoryStore."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def add(self, queue: HistoryQueue) -> int:
        """See HistoryStore."""
        if not await queue.oldest():  # as nearly always, when nobody needs a turn
            return 0
        async with self._pool.acquire() as connection, connection.transaction():
            if not await connection.fetchval(TAKE_TURN):
                return 0
            waiting = await queue.oldest()
            if waiting:
                await connection.execute(ADD, *_columns([past for _, past in waiting]))
        entries: Sequence[EntryId] = [entry for entry, _ in waiting]
        await queue.remove(entries)  # committed: whoever dies before this has them taken twice, and added once
        return len(entries)

    async def page(self, user_id: UserId, *, before: int | None, limit: int) -> list[Past]:
        """See HistoryStore."""
        rows = await self._pool.fetch(PAGE, user_id, before, limit)
        return [Past(user_id, row["version"], row["at"], Status(row["status"])) for row in rows]

    async def purge(self, until: datetime) -> int:
        """See HistoryStore."""
        total = 0
        while True:
            gone: int = await self._pool.fetchval(PURGE, until, PURGED_AT_ONCE)
            total += gone
            if gone < PURGED_AT_ONCE:
                return total


def _columns(rows: Sequence[Past]) -> list[list[object]]:
    return [
        [row.user_id for row in rows],
        [row.version for row in rows],
        [row.at for row in rows],
        [int(row.status) for row in rows],
    ]
