"""Links in PostgreSQL."""

from datetime import datetime

import asyncpg

from collab.model import HAPPENED
from collab.ports import AppendToOutbox
from collab.sharing.model import Link, raises

COLUMNS = "l.id::text, l.document_id::text, l.role, l.created_by::text, l.created_at, l.expires_at, l.joined"
LOCK = "SELECT owner_id::text FROM documents WHERE id = $1 AND deleted_at IS NULL FOR UPDATE"
DROP_EXPIRED = "DELETE FROM document_link WHERE document_id = $1 AND expires_at <= $2"
COUNT = "SELECT count(*) FROM document_link WHERE document_id = $1"
ADD = """
INSERT INTO document_link (id, document_id, secret_hash, role, created_by, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)"""
OF_DOCUMENT = f"""
SELECT {COLUMNS} FROM document_link l
WHERE l.document_id = $1 AND (l.expires_at IS NULL OR l.expires_at > $2)
AND ($4::timestamptz IS NULL OR (l.created_at, l.id) < ($4, $5::uuid))
ORDER BY l.created_at DESC, l.id DESC LIMIT $3"""  # noqa: S608 - a constant
FIND = f"""
SELECT {COLUMNS}, d.owner_id::text FROM document_link l
JOIN documents d ON d.id = l.document_id AND d.deleted_at IS NULL
WHERE l.secret_hash = $1 AND (l.expires_at IS NULL OR l.expires_at > $2)"""  # noqa: S608 - a constant
DOCUMENT_OF = "SELECT document_id FROM document_link WHERE id = $1"
LIVE = """
SELECT l.role, m.role AS standing, (SELECT count(*) FROM document_members WHERE document_id = l.document_id) AS members
FROM document_link l LEFT JOIN document_members m ON m.document_id = l.document_id AND m.user_id = $2
WHERE l.id = $1 AND (l.expires_at IS NULL OR l.expires_at > $3)"""
PUT_MEMBER = """
INSERT INTO document_members (document_id, user_id, role, added_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (document_id, user_id) DO UPDATE SET role = excluded.role"""
COUNT_JOINED = "UPDATE document_link SET joined = joined + 1 WHERE id = $1"
TOUCH = "UPDATE documents SET version = version + 1, updated_at = $2 WHERE id = $1"
REVOKE = "DELETE FROM document_link WHERE document_id = $1 AND id = $2 RETURNING id"


class PostgresLinkStore:
    """Implements collab.sharing.store.LinkStore. The document's row is locked by whoever counts."""

    def __init__(self, pool: asyncpg.Pool, append: AppendToOutbox) -> None:
        self._pool = pool
        self._append = append

    async def add(self, link: Link, secret_hash: bytes, at_most: int) -> bool:
        """See LinkStore."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(LOCK, link.document_id)
            await connection.execute(DROP_EXPIRED, link.document_id, link.created_at)
            if await connection.fetchval(COUNT, link.document_id) >= at_most:
                return False
            await connection.execute(
                ADD,
                link.id,
                link.document_id,
                secret_hash,
                link.role,
                link.created_by,
                link.created_at,
                link.expires_at,
            )
            return True

    async def of_document(
        self, document_id: str, now: datetime, limit: int, after: tuple[datetime, str] | None
    ) -> list[Link]:
        """See LinkStore."""
        rows = await self._pool.fetch(OF_DOCUMENT, document_id, now, limit, *(after or (None, None)))
        return [Link(**row) for row in rows]

    async def find(self, secret_hash: bytes, now: datetime) -> tuple[Link, str] | None:
        """See LinkStore."""
        row = await self._pool.fetchrow(FIND, secret_hash, now)
        return None if row is None else (Link(*row[:-1]), row[-1])

    async def join(self, link_id: str, user_id: str, at_most: int, now: datetime) -> bool | None:
        """See LinkStore."""
        async with self._pool.acquire() as connection, connection.transaction():
            document_id = await connection.fetchval(DOCUMENT_OF, link_id)
            owner_id = None if document_id is None else await connection.fetchval(LOCK, document_id)
            live = await connection.fetchrow(LIVE, link_id, user_id, now)  # after the lock: revoked ones are gone now
            if owner_id is None or live is None:
                return None
            if owner_id == user_id or not raises(live["standing"], live["role"]):
                return True
            if live["standing"] is None and live["members"] >= at_most:
                return False
            await connection.execute(PUT_MEMBER, document_id, user_id, live["role"], now)
            await connection.execute(COUNT_JOINED, link_id)
            await connection.execute(TOUCH, document_id, now)
            await self._append(connection, HAPPENED, {"event": "document.updated", "documentId": str(document_id)})
            return True

    async def revoke(self, document_id: str, link_id: str) -> bool:
        """See LinkStore."""
        return await self._pool.fetchval(REVOKE, document_id, link_id) is not None
