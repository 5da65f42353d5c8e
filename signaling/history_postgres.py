"""The history of calls in PostgreSQL."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import asyncpg

from hub.kernel.errors import Unavailable
from hub.kernel.ids import UserId
from signaling.history import MISSED, Answer, Before, PastCall, PastMember

Append = Callable[[asyncpg.Connection, str, dict[str, Any]], Awaitable[None]]
"""Puts an event into the outbox, in the transaction that is open."""

ADD = """
INSERT INTO call_record (call_id, type, initiator_id, is_group, started_at, answered_at, ended_at, reason)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT DO NOTHING
RETURNING true
"""
ADD_MEMBERS = """
INSERT INTO call_record_member (call_id, started_at, user_id, answer, knows)
SELECT $1, $2, new.* FROM unnest($3::uuid[], $4::text[], $5::boolean[]) AS new
"""
_SELECT = """
SELECT c.*, c.initiator_id::text AS initiator,
    (SELECT array_agg(ROW(o.user_id::text, o.answer, o.knows) ORDER BY o.user_id)
     FROM call_record_member o WHERE o.call_id = c.call_id) AS members
FROM call_record_member m
JOIN call_record c ON c.call_id = m.call_id
WHERE m.user_id = $1 AND m.knows
"""
PAGE = f"""{_SELECT} AND ($2::timestamptz IS NULL OR (m.started_at, m.call_id) < ($2, $3))
ORDER BY m.started_at DESC, m.call_id DESC LIMIT $4
"""
ONE = f"{_SELECT} AND m.call_id = $2"


class PostgresCallHistory:
    """Implements signaling.history.CallHistory."""

    def __init__(self, pool: asyncpg.Pool, append: Append) -> None:
        self._pool = pool
        self._append = append

    async def keep(self, past: PastCall) -> None:
        """See CallHistory."""
        members = past.members
        with _reachable():
            async with self._pool.acquire() as connection, connection.transaction():
                added = await connection.fetchval(
                    ADD,
                    past.call_id,
                    past.type,
                    past.initiator,
                    past.group,
                    past.started_at,
                    past.answered_at,
                    past.ended_at,
                    past.reason,
                )
                if not added:
                    return
                await connection.execute(
                    ADD_MEMBERS,
                    past.call_id,
                    past.started_at,
                    [one.user_id for one in members],
                    [one.answer.value for one in members],
                    [one.knows for one in members],
                )
                for one in members:
                    if past.missed_by(one.user_id):
                        await self._append(connection, MISSED, {"callId": past.call_id, "userId": one.user_id})

    async def page(self, user_id: UserId, before: Before | None, limit: int) -> list[PastCall]:
        """See CallHistory."""
        place = (before.started_at, before.call_id) if before else (None, None)
        with _reachable():
            rows = await self._pool.fetch(PAGE, user_id, *place, limit)
        return [_past(row) for row in rows]

    async def call(self, user_id: UserId, call_id: str) -> PastCall | None:
        """See CallHistory."""
        with _reachable():
            row = await self._pool.fetchrow(ONE, user_id, call_id)
        return None if row is None else _past(row)


@contextmanager
def _reachable() -> Iterator[None]:
    try:
        yield
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        raise Unavailable("The history of calls cannot be reached just now.") from error


def _past(row: asyncpg.Record) -> PastCall:
    members: Sequence[tuple[str, str, bool]] = row["members"]
    return PastCall(
        call_id=row["call_id"],
        type=row["type"],
        initiator=UserId(row["initiator"]),
        group=row["is_group"],
        started_at=row["started_at"],
        answered_at=row["answered_at"],
        ended_at=row["ended_at"],
        reason=row["reason"],
        members=tuple(PastMember(UserId(user_id), Answer(answer), knows) for user_id, answer, knows in members),
    )
