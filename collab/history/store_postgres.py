"""Contributions in PostgreSQL."""

from datetime import datetime

import asyncpg

from collab.history.model import Contribution
from collab.model import HAPPENED
from collab.ports import AppendToOutbox

# Of documents that are there: one that was removed meanwhile leaves nothing behind. Ordered, or two nodes that write
# the same rows could wait for each other.
ADD = """
INSERT INTO document_contribution AS kept (document_id, began_at, user_id, changes, bytes)
SELECT c.document_id, c.began_at, c.user_id, c.changes, c.bytes
FROM unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::integer[], $5::bigint[])
    AS c (document_id, began_at, user_id, changes, bytes)
JOIN documents d ON d.id = c.document_id
ORDER BY 1, 2, 3
ON CONFLICT (document_id, began_at, user_id) DO UPDATE
SET changes = kept.changes + excluded.changes, bytes = kept.bytes + excluded.bytes"""
COUNT = """
INSERT INTO document_unversioned AS kept (document_id, changes, since)
SELECT c.document_id, sum(c.changes), $3
FROM unnest($1::uuid[], $2::integer[]) AS c (document_id, changes)
JOIN documents d ON d.id = c.document_id
GROUP BY 1 ORDER BY 1
ON CONFLICT (document_id) DO UPDATE SET changes = kept.changes + excluded.changes"""
CHANGED = "document.changed"
WATCHED = """
SELECT id::text FROM documents d WHERE id = ANY ($1::uuid[]) AND EXISTS (
    SELECT FROM document_webhook w WHERE w.owner_id = d.owner_id AND (w.document_id IS NULL OR w.document_id = d.id)
    AND 'document.changed' = ANY (w.events) AND w.disabled_at IS NULL)"""
"""Those that somebody wants to be told of: others are spared an event in the outbox every few seconds."""
OF_DOCUMENT = """
SELECT document_id::text, user_id::text, began_at, changes, bytes FROM document_contribution
WHERE document_id = $1 AND ($3::timestamptz IS NULL OR (began_at, user_id) < ($3, $4::uuid))
ORDER BY began_at DESC, user_id DESC LIMIT $2"""


class PostgresContributions:
    """Implements collab.history.recorder.ContributionStore."""

    def __init__(self, pool: asyncpg.Pool, append: AppendToOutbox) -> None:
        self._pool = pool
        self._append = append

    async def add(self, contributions: list[Contribution], now: datetime) -> None:
        """See ContributionStore."""
        documents, changes = [one.document_id for one in contributions], [one.changes for one in contributions]
        began, users = [one.began_at for one in contributions], [one.user_id for one in contributions]
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(ADD, documents, began, users, changes, [one.bytes for one in contributions])
            await connection.execute(COUNT, documents, changes, now)
            for (document_id,) in await connection.fetch(WATCHED, documents):
                await self._append(connection, HAPPENED, {"event": CHANGED, "documentId": document_id})

    async def of_document(self, document_id: str, limit: int, after: tuple[datetime, str] | None) -> list[Contribution]:
        """See ContributionStore."""
        rows = await self._pool.fetch(OF_DOCUMENT, document_id, limit, *(after or (None, None)))
        return [Contribution(**row) for row in rows]
