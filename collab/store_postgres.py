"""Documents and members in PostgreSQL."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

import asyncpg

from collab.model import HAPPENED, DocumentRecord, Member, Standing, role
from collab.ports import AppendToOutbox

COLUMNS = """d.id::text, d.title, d.owner_id::text, d.visibility, d.version, d.created_at, d.updated_at,
d.deleted_at, m.role AS member_role"""
CREATE = """
INSERT INTO documents (id, title, owner_id, visibility, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $5)"""
FIND = f"""
SELECT {COLUMNS} FROM documents d LEFT JOIN document_members m ON m.document_id = d.id AND m.user_id = $2
WHERE d.id = $1 AND d.deleted_at IS NULL"""  # noqa: S608 - a constant
FIND_ALL = f"""
SELECT {COLUMNS} FROM documents d LEFT JOIN document_members m ON m.document_id = d.id AND m.user_id = $2
WHERE d.id = ANY($1::uuid[]) AND d.deleted_at IS NULL"""  # noqa: S608 - a constant
OF_USER = f"""
SELECT {COLUMNS} FROM documents d LEFT JOIN document_members m ON m.document_id = d.id AND m.user_id = $1
WHERE d.deleted_at IS NULL
AND d.id IN (SELECT id FROM documents WHERE owner_id = $1 UNION ALL
             SELECT document_id FROM document_members WHERE user_id = $1)
AND ($3::timestamptz IS NULL OR (d.created_at, d.id) < ($3, $4::uuid))
ORDER BY d.created_at DESC, d.id DESC LIMIT $2"""  # noqa: S608 - a constant
CHANGE = """
UPDATE documents SET title = coalesce($2, title), visibility = coalesce($3, visibility), version = version + 1,
    updated_at = $5
WHERE id = $1 AND deleted_at IS NULL AND ($4::bigint IS NULL OR version = $4) RETURNING id"""
DELETE = """
UPDATE documents SET deleted_at = $3, version = version + 1
WHERE id = $1 AND deleted_at IS NULL AND ($2::bigint IS NULL OR version = $2) RETURNING id"""
DELETED_OF = f"""
SELECT {COLUMNS} FROM documents d LEFT JOIN document_members m ON m.document_id = d.id AND m.user_id = $1
WHERE d.deleted_at > $5 AND d.owner_id = $1
AND ($3::timestamptz IS NULL OR (d.created_at, d.id) < ($3, $4::uuid))
ORDER BY d.created_at DESC, d.id DESC LIMIT $2"""  # noqa: S608 - a constant
UNDELETE = """
UPDATE documents SET deleted_at = NULL, version = version + 1, updated_at = $4
WHERE id = $1 AND owner_id = $2 AND deleted_at > $3 RETURNING id"""
CLAIM_DELETED = """
SELECT id::text FROM documents WHERE deleted_at <= $1 ORDER BY deleted_at LIMIT 1 FOR UPDATE SKIP LOCKED"""
REMOVE = (
    "DELETE FROM collab_update WHERE document_id = $1",
    "DELETE FROM collab_snapshot WHERE document_id = $1",
    "DELETE FROM document_contribution WHERE document_id = $1",
    "DELETE FROM document_unversioned WHERE document_id = $1",
    "DELETE FROM documents WHERE id = $1",  # the rest goes with it
)
OWN = "UPDATE documents SET owner_id = $2, version = version + 1, updated_at = $3 WHERE id = $1"
LOCK_OWNED = "SELECT id FROM documents WHERE id = $1 AND owner_id = $2 AND deleted_at IS NULL FOR UPDATE"
MEMBERS = "SELECT user_id::text, role FROM document_members WHERE document_id = $1 ORDER BY added_at, user_id"
TOUCH = """
UPDATE documents SET version = version + 1, updated_at = $2 WHERE id = $1 AND deleted_at IS NULL RETURNING id"""
LOCK = "SELECT id FROM documents WHERE id = $1 AND deleted_at IS NULL FOR UPDATE"
MEMBER_ROLE = "SELECT role FROM document_members WHERE document_id = $1 AND user_id = $2"
COUNT_MEMBERS = "SELECT count(*) FROM document_members WHERE document_id = $1"
ADD_MEMBER = "INSERT INTO document_members (document_id, user_id, role, added_at) VALUES ($1, $2, $3, $4)"
CHANGE_MEMBER = "UPDATE document_members SET role = $3 WHERE document_id = $1 AND user_id = $2 RETURNING role"
REMOVE_MEMBER = "DELETE FROM document_members WHERE document_id = $1 AND user_id = $2 RETURNING role"
STANDINGS = """
SELECT p.document_id::text, p.user_id::text, d.owner_id::text, m.role, d.visibility
FROM unnest($1::uuid[], $2::uuid[]) AS p (document_id, user_id)
JOIN documents d ON d.id = p.document_id AND d.deleted_at IS NULL
LEFT JOIN document_members m ON m.document_id = p.document_id AND m.user_id = p.user_id"""


async def nothing(_connection: object, _topic: str, _payload: dict[str, Any]) -> None:
    """Implements collab.ports.AppendToOutbox where nobody is to be told of anything."""


class PostgresDocumentStore:
    """Implements collab.store.DocumentStore. ``append`` tells the outbox what was changed, in the same transaction."""

    def __init__(self, pool: asyncpg.Pool, append: AppendToOutbox = nothing) -> None:
        self._pool = pool
        self._append = append

    async def create(self, document_id: str, title: str, owner_id: str, visibility: str, now: datetime) -> None:
        """See collab.store.DocumentStore."""
        await self._pool.execute(CREATE, document_id, title, owner_id, visibility, now)

    async def find(self, document_id: str, reader_id: str) -> DocumentRecord | None:
        """See collab.store.DocumentStore."""
        row = await self._pool.fetchrow(FIND, document_id, reader_id)
        return DocumentRecord(**row) if row else None

    async def find_all(self, document_ids: Collection[str], reader_id: str) -> list[DocumentRecord]:
        """See collab.store.DocumentStore."""
        return [DocumentRecord(**row) for row in await self._pool.fetch(FIND_ALL, list(document_ids), reader_id)]

    async def of_user(self, user_id: str, limit: int, after: tuple[datetime, str] | None) -> list[DocumentRecord]:
        """See collab.store.DocumentStore."""
        rows = await self._pool.fetch(OF_USER, user_id, limit, *(after or (None, None)))
        return [DocumentRecord(**row) for row in rows]

    async def change(
        self, document_id: str, title: str | None, visibility: str | None, if_version: int | None, now: datetime
    ) -> bool:
        """See collab.store.DocumentStore."""
        return await self._told("updated", CHANGE, document_id, title, visibility, if_version, now)

    async def delete(self, document_id: str, if_version: int | None, now: datetime) -> bool:
        """See collab.store.DocumentStore."""
        return await self._told("deleted", DELETE, document_id, if_version, now)

    async def deleted_of(
        self, owner_id: str, deleted_after: datetime, limit: int, after: tuple[datetime, str] | None
    ) -> list[DocumentRecord]:
        """See collab.store.DocumentStore."""
        rows = await self._pool.fetch(DELETED_OF, owner_id, limit, *(after or (None, None)), deleted_after)
        return [DocumentRecord(**row) for row in rows]

    async def undelete(self, document_id: str, owner_id: str, deleted_after: datetime, now: datetime) -> bool:
        """See collab.store.DocumentStore."""
        return await self._told("restored", UNDELETE, document_id, owner_id, deleted_after, now)

    async def remove_deleted(self, deleted_until: datetime) -> str | None:
        """See collab.store.DocumentStore."""
        async with self._pool.acquire() as connection, connection.transaction():
            document_id: str | None = await connection.fetchval(CLAIM_DELETED, deleted_until)
            if document_id is not None:
                for statement in REMOVE:
                    await connection.execute(statement, document_id)
            return document_id

    async def transfer(self, document_id: str, owner_id: str, new_owner_id: str, now: datetime) -> bool:
        """See collab.store.DocumentStore."""
        async with self._pool.acquire() as connection, connection.transaction():
            if await connection.fetchval(LOCK_OWNED, document_id, owner_id) is None:
                return False
            if await connection.fetchval(REMOVE_MEMBER, document_id, new_owner_id) is None:
                return False
            await connection.execute(ADD_MEMBER, document_id, owner_id, "editor", now)
            await connection.execute(OWN, document_id, new_owner_id, now)
            await self._tell(connection, "updated", document_id)
            return True

    async def members(self, document_id: str) -> list[Member]:
        """See collab.store.DocumentStore."""
        return [Member(*row) for row in await self._pool.fetch(MEMBERS, document_id)]

    async def add_member(self, document_id: str, member: Member, at_most: int, now: datetime) -> str | None:
        """See collab.store.DocumentStore. The document's row is locked: two additions cannot pass the limit."""
        async with self._pool.acquire() as connection, connection.transaction():
            if await connection.fetchval(LOCK, document_id) is None:
                return None
            standing: str | None = await connection.fetchval(MEMBER_ROLE, document_id, member.user_id)
            if standing is not None:
                return standing
            if await connection.fetchval(COUNT_MEMBERS, document_id) >= at_most:
                return None
            await connection.execute(ADD_MEMBER, document_id, member.user_id, member.role, now)
            await connection.execute(TOUCH, document_id, now)
            await self._tell(connection, "updated", document_id)
            return member.role

    async def change_member(self, document_id: str, member: Member, now: datetime) -> bool:
        """See collab.store.DocumentStore."""
        return await self._with_touch(now, CHANGE_MEMBER, document_id, member.user_id, member.role)

    async def remove_member(self, document_id: str, user_id: str, now: datetime) -> bool:
        """See collab.store.DocumentStore."""
        return await self._with_touch(now, REMOVE_MEMBER, document_id, user_id)

    async def standings(self, pairs: Collection[tuple[str, str]]) -> dict[tuple[str, str], Standing]:
        """See collab.store.DocumentStore."""
        rows = await self._pool.fetch(STANDINGS, [pair[0] for pair in pairs], [pair[1] for pair in pairs])
        found = {}
        for document_id, user_id, owner_id, given, visibility in rows:
            name = role(owner_id == user_id, given, visibility)
            if name is not None:
                is_shared = owner_id == user_id or given is not None
                found[document_id, user_id] = Standing(owner_id, name, is_shared)
        return found

    async def _with_touch(self, now: datetime, statement: str, document_id: str, *arguments: str) -> bool:
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.fetchval(LOCK, document_id)
            done = await connection.fetchval(statement, document_id, *arguments) is not None
            if done:
                await connection.execute(TOUCH, document_id, now)
                await self._tell(connection, "updated", document_id)
            return done

    async def _told(self, change: str, statement: str, document_id: str, *arguments: Any) -> bool:
        """Change one row, and tell of it; False if there is none to change."""
        async with self._pool.acquire() as connection, connection.transaction():
            done = await connection.fetchval(statement, document_id, *arguments) is not None
            if done:
                await self._tell(connection, change, document_id)
            return done

    async def _tell(self, connection: asyncpg.Connection, change: str, document_id: str) -> None:
        await self._append(connection, HAPPENED, {"event": f"document.{change}", "documentId": document_id})
