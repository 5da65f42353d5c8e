"""Answers kept for Idempotency-Key, in PostgreSQL."""

import asyncio
import logging
from datetime import timedelta

import asyncpg
import msgspec

from hub.kernel.clock import Clock
from hub.kernel.errors import Conflict, InvalidPayload
from hub.kernel.ports import StoredAnswer

log = logging.getLogger(__name__)

KEPT = timedelta(hours=24)
ABANDONED_AFTER = timedelta(seconds=60)
"""A request without an answer after this has died with its node: statements are given up after 30 s."""
PURGE_EVERY_S = 3600.0

# One statement, so that of two requests at once exactly one gets the row; the other waits for it and then gets none.
# An abandoned claim goes to the same request only: a late answer of the first one then still fits the key.
CLAIM = """
INSERT INTO idempotent_answer AS kept (user_id, key, fingerprint, created_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (user_id, key) DO UPDATE
SET fingerprint = excluded.fingerprint, created_at = excluded.created_at, status = NULL, headers = NULL, body = NULL
WHERE kept.created_at <= $6
   OR (kept.status IS NULL AND kept.fingerprint = excluded.fingerprint AND kept.created_at <= $5)
RETURNING true
"""
READ = "SELECT fingerprint, status, headers, body FROM idempotent_answer WHERE user_id = $1 AND key = $2"
KEEP = """
UPDATE idempotent_answer SET status = $3, headers = $4, body = $5 WHERE user_id = $1 AND key = $2 AND status IS NULL
"""
GIVE_BACK = "DELETE FROM idempotent_answer WHERE user_id = $1 AND key = $2 AND status IS NULL"
PURGE = "WITH gone AS (DELETE FROM idempotent_answer WHERE created_at <= $1 RETURNING 1) SELECT count(*) FROM gone"


class PostgresAnswers:
    """Implements hub.kernel.ports.Answers."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock

    async def begin(self, user_id: str, key: str, fingerprint: bytes) -> StoredAnswer | None:
        """Claim ``key``, or give the answer kept under it.

        Raises Conflict while the first request is in flight, InvalidPayload if it was another request.
        """
        if not (key.isascii() and key.isprintable()):
            raise InvalidPayload("Idempotency-Key must be printable ASCII.", errors=[])
        while not await self._claim(user_id, key, fingerprint):
            if (row := await self._pool.fetchrow(READ, user_id, key)) is not None:
                return _answer(row, fingerprint)
            # Whoever had the key when we claimed it has given it back since: try again.
        return None

    async def finish(self, user_id: str, key: str, answer: StoredAnswer | None) -> None:
        """Keep the answer for a day; ``None`` gives the key back. The first answer of a key stays."""
        if answer is None:
            await self._pool.execute(GIVE_BACK, user_id, key)
            return
        headers = msgspec.json.encode(answer.headers).decode()
        await self._pool.execute(KEEP, user_id, key, answer.status, headers, answer.body)

    async def purge(self) -> int:
        """Delete what is older than a day, and return how many that were."""
        purged: int = await self._pool.fetchval(PURGE, self._clock.now() - KEPT)
        return purged

    async def run(self) -> None:
        """Purge once an hour, for ever. Any node may, at the same time as others."""
        while True:
            try:
                await self.purge()
            except Exception as error:  # an hour later PostgreSQL answers again
                log.warning("old answers are not purged: %r", error)
            await asyncio.sleep(PURGE_EVERY_S)

    async def _claim(self, user_id: str, key: str, fingerprint: bytes) -> bool:
        now = self._clock.now()
        claimed = await self._pool.fetchval(CLAIM, user_id, key, fingerprint, now, now - ABANDONED_AFTER, now - KEPT)
        return claimed is not None


def _answer(row: asyncpg.Record, fingerprint: bytes) -> StoredAnswer:
    if row["fingerprint"] != fingerprint:
        raise InvalidPayload("This Idempotency-Key was used for another request.", errors=[])
    if row["status"] is None:
        raise Conflict("The first request with this Idempotency-Key is still in flight.", retry_after=1)
    return StoredAnswer(row["status"], msgspec.json.decode(row["headers"], type=dict[str, str]), row["body"])
