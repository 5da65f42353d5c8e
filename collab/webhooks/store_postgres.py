"""Webhooks and deliveries in PostgreSQL."""

from datetime import datetime

import asyncpg

from collab.webhooks.model import MOST_FAILURES, Delivery, Outcome, Webhook
from collab.webhooks.store import Position
from hub.kernel.ids import new_uuid

HOOK = "w.id::text, w.owner_id::text, w.document_id::text, w.url, w.events, w.created_at, w.failures, w.disabled_at"
DELIVERY = """d.id::text, d.webhook_id::text, d.document_id::text, d.event, d.body, d.state, d.attempts, d.due_at,
d.status, d.error, d.created_at, d.ended_at"""
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('webhooks of ' || $1::text, 0))"
COUNT = "SELECT count(*) FROM document_webhook WHERE owner_id = $1"
ADD = """
INSERT INTO document_webhook (id, owner_id, document_id, url, events, created_at) VALUES ($1, $2, $3, $4, $5, $6)"""
OF_OWNER = f"""
SELECT {HOOK} FROM document_webhook w
WHERE owner_id = $1 AND ($3::timestamptz IS NULL OR (created_at, id) < ($3, $4::uuid))
ORDER BY created_at DESC, id DESC LIMIT $2"""  # noqa: S608 - a constant
FIND = f"SELECT {HOOK} FROM document_webhook w WHERE owner_id = $1 AND id = $2"  # noqa: S608 - a constant
CHANGE = """
UPDATE document_webhook SET url = $2, events = $3, failures = $4, disabled_at = $5 WHERE id = $1 RETURNING id"""
REMOVE = "DELETE FROM document_webhook WHERE owner_id = $1 AND id = $2 RETURNING id"
DELIVERIES = f"""
SELECT {DELIVERY} FROM document_webhook_delivery d
WHERE webhook_id = $1 AND ($3::timestamptz IS NULL OR (created_at, id) < ($3, $4::uuid))
ORDER BY created_at DESC, id DESC LIMIT $2"""  # noqa: S608 - a constant
FOR_WHOM = """
SELECT w.id FROM document_webhook w JOIN documents d ON d.owner_id = w.owner_id
WHERE d.id = $1 AND (w.document_id IS NULL OR w.document_id = $1) AND $2 = ANY (w.events) AND w.disabled_at IS NULL
AND (SELECT count(*) FROM (
    SELECT FROM document_webhook_delivery q WHERE q.webhook_id = w.id AND q.state = 'waiting' LIMIT $3
) AS waiting) < $3"""
ENQUEUE = """
INSERT INTO document_webhook_delivery (id, webhook_id, document_id, event, body, state, due_at, created_at)
SELECT t.id, t.webhook_id, $3, $4, $5, 'waiting', $6, $6 FROM unnest($1::uuid[], $2::uuid[]) AS t (id, webhook_id)
ON CONFLICT DO NOTHING RETURNING id"""
CLAIM = f"""
UPDATE document_webhook_delivery d SET due_at = $2, attempts = d.attempts + 1
FROM document_webhook w
WHERE w.id = d.webhook_id AND d.id IN (
    SELECT id FROM document_webhook_delivery WHERE state = 'waiting' AND due_at <= $1
    ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED
) RETURNING {DELIVERY}, {
    HOOK.replace("w.id::text", "w.id::text AS hook_id")
    .replace("w.document_id::text", "w.document_id::text AS hook_document")
    .replace("w.created_at", "w.created_at AS hook_made")
}
"""  # noqa: S608 - a constant
END = """
UPDATE document_webhook_delivery SET state = $2, status = $3, error = $4, due_at = coalesce($5, due_at),
    ended_at = CASE WHEN $2 = 'waiting' THEN NULL ELSE $6::timestamptz END
WHERE id = $1 AND attempts = $7 AND state = 'waiting'"""
LOCK_HOOK = "SELECT id FROM document_webhook WHERE id = $1 FOR UPDATE"
SUCCEEDED = "UPDATE document_webhook SET failures = 0 WHERE id = $1 AND failures > 0"
FAILED = """
UPDATE document_webhook
SET failures = failures + 1, disabled_at = coalesce(disabled_at, CASE WHEN failures + 1 >= $2 THEN $3::timestamptz END)
WHERE id = $1 RETURNING disabled_at = $3"""
SWITCH_OFF = """
UPDATE document_webhook_delivery SET state = 'failed', error = 'the webhook was switched off', ended_at = $2
WHERE webhook_id = $1 AND state = 'waiting'"""
FORGET = """
WITH gone AS (DELETE FROM document_webhook_delivery WHERE ended_at < $1 AND state <> 'waiting' RETURNING 1)
SELECT count(*) FROM gone"""


class PostgresWebhooks:
    """Implements collab.webhooks.store.WebhookStore."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def add(self, webhook: Webhook, at_most: int) -> bool:
        """See WebhookStore."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(LOCK, webhook.owner_id)
            if await connection.fetchval(COUNT, webhook.owner_id) >= at_most:
                return False
            await connection.execute(
                ADD,
                webhook.id,
                webhook.owner_id,
                webhook.document_id,
                webhook.url,
                webhook.events,
                webhook.created_at,
            )
            return True

    async def of_owner(self, owner_id: str, limit: int, after: Position | None) -> list[Webhook]:
        """See WebhookStore."""
        return [Webhook(**row) for row in await self._pool.fetch(OF_OWNER, owner_id, limit, *(after or (None, None)))]

    async def find(self, owner_id: str, webhook_id: str) -> Webhook | None:
        """See WebhookStore."""
        row = await self._pool.fetchrow(FIND, owner_id, webhook_id)
        return None if row is None else Webhook(**row)

    async def change(self, webhook: Webhook) -> bool:
        """See WebhookStore."""
        changed = await self._pool.fetchval(
            CHANGE, webhook.id, webhook.url, webhook.events, webhook.failures, webhook.disabled_at
        )
        return changed is not None

    async def remove(self, owner_id: str, webhook_id: str) -> bool:
        """See WebhookStore."""
        return await self._pool.fetchval(REMOVE, owner_id, webhook_id) is not None

    async def deliveries(self, webhook_id: str, limit: int, after: Position | None) -> list[Delivery]:
        """See WebhookStore."""
        rows = await self._pool.fetch(DELIVERIES, webhook_id, limit, *(after or (None, None)))
        return [Delivery(**row) for row in rows]

    async def enqueue(self, document_id: str, event: str, body: str, now: datetime, *, waiting: int) -> int:
        """See WebhookStore."""
        hooks = [row[0] for row in await self._pool.fetch(FOR_WHOM, document_id, event, waiting)]
        if not hooks:
            return 0
        ids = [new_uuid() for _ in hooks]
        return len(await self._pool.fetch(ENQUEUE, ids, hooks, document_id, event, body, now))

    async def claim(self, now: datetime, until: datetime, limit: int) -> list[tuple[Delivery, Webhook]]:
        """See WebhookStore."""
        number = len(Delivery.__dataclass_fields__)
        rows = await self._pool.fetch(CLAIM, now, until, limit)
        return [(Delivery(*row[:number]), Webhook(*row[number:])) for row in map(tuple, rows)]

    async def ended(self, delivery: Delivery, outcome: Outcome, now: datetime, *, again: datetime | None) -> bool:
        """See WebhookStore."""
        state = "delivered" if outcome.delivered else "failed" if again is None else "waiting"
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(LOCK_HOOK, delivery.webhook_id)  # before its deliveries: of two, one waits
            await connection.execute(
                END, delivery.id, state, outcome.status, outcome.error, again, now, delivery.attempts
            )
            if outcome.delivered:
                await connection.execute(SUCCEEDED, delivery.webhook_id)
                return False
            off: bool | None = await connection.fetchval(FAILED, delivery.webhook_id, MOST_FAILURES, now)
            if off:
                await connection.execute(SWITCH_OFF, delivery.webhook_id, now)
            return bool(off)

    async def forget(self, before: datetime) -> int:
        """See WebhookStore."""
        forgotten: int = await self._pool.fetchval(FORGET, before)
        return forgotten
