"""Versions in PostgreSQL."""

from datetime import datetime

import asyncpg

from collab.model import HAPPENED
from collab.ports import AppendToOutbox
from collab.versions.model import Version, superfluous

COLUMNS = """id::text, document_id::text, name, created_by::text, created_at, authors::text[] AS authors,
octet_length(state) AS size"""
LOCK = "SELECT id FROM documents WHERE id = $1 AND deleted_at IS NULL FOR UPDATE"
NAMED = """
SELECT count(*) AS number, coalesce(sum(octet_length(state)), 0) AS bytes FROM document_version
WHERE document_id = $1 AND name IS NOT NULL"""
NEWEST = "SELECT state FROM document_version WHERE document_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1"
AUTOMATIC = """
SELECT id::text, created_at, octet_length(state) FROM document_version WHERE document_id = $1 AND name IS NULL
ORDER BY created_at DESC, id DESC"""
ADD = f"""
INSERT INTO document_version (id, document_id, name, created_by, created_at, state, authors)
SELECT $1, $2, $3, $4, $5, $6, coalesce(array_agg(user_id ORDER BY user_id), '{{}}') FROM (
    SELECT DISTINCT user_id FROM document_contribution
    WHERE document_id = $2 AND began_at + interval '5 minutes' > coalesce(
        (SELECT max(created_at) FROM document_version WHERE document_id = $2), '-infinity')
) AS authors
RETURNING {COLUMNS}"""  # noqa: S608 - a constant
REMOVE = "DELETE FROM document_version WHERE document_id = $1 AND id = ANY ($2::uuid[]) RETURNING id"
OF_DOCUMENT = f"""
SELECT {COLUMNS} FROM document_version
WHERE document_id = $1 AND (name IS NOT NULL OR NOT $5)
AND ($3::timestamptz IS NULL OR (created_at, id) < ($3, $4::uuid))
ORDER BY created_at DESC, id DESC LIMIT $2"""  # noqa: S608 - a constant
STATE = "SELECT state FROM document_version WHERE document_id = $1 AND id = $2"
CLAIM = """
DELETE FROM document_unversioned WHERE document_id = (
    SELECT document_id FROM document_unversioned WHERE changes >= $1 OR since <= $2
    ORDER BY since LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING document_id::text"""
GIVE_BACK = """
INSERT INTO document_unversioned (document_id, changes, since) VALUES ($1, 0, $2) ON CONFLICT DO NOTHING"""


class PostgresVersions:
    """Implements collab.versions.store.VersionStore. The document's row is locked by whoever counts."""

    def __init__(self, pool: asyncpg.Pool, append: AppendToOutbox) -> None:
        self._pool = pool
        self._append = append

    async def add(self, version: Version, state: bytes, *, at_most: int, most_bytes: int) -> Version | None:
        """See VersionStore."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(LOCK, version.document_id)
            named = await connection.fetchrow(NAMED, version.document_id)
            if named["number"] >= at_most or named["bytes"] + len(state) > most_bytes:
                return None
            happened = {"event": "document.version", "documentId": version.document_id}
            await self._append(connection, HAPPENED, happened | {"details": {"versionId": version.id}})
            return await _add(connection, version, state)

    async def add_automatic(self, version: Version, state: bytes, *, at_most: int, most_bytes: int) -> Version | None:
        """See VersionStore."""
        async with self._pool.acquire() as connection, connection.transaction():
            if await connection.fetchval(LOCK, version.document_id) is None:
                return None
            if await connection.fetchval(NEWEST, version.document_id) == state:
                return None
            added = await _add(connection, version, state)
            automatic = await connection.fetch(AUTOMATIC, version.document_id)
            gone = superfluous(
                [tuple(row) for row in automatic], version.created_at, at_most=at_most, most_bytes=most_bytes
            )
            await connection.fetch(REMOVE, version.document_id, gone)
            return added

    async def of_document(
        self, document_id: str, limit: int, after: tuple[datetime, str] | None, *, named: bool
    ) -> list[Version]:
        """See VersionStore."""
        rows = await self._pool.fetch(OF_DOCUMENT, document_id, limit, *(after or (None, None)), named)
        return [Version(**row) for row in rows]

    async def state(self, document_id: str, version_id: str) -> bytes | None:
        """See VersionStore."""
        state: bytes | None = await self._pool.fetchval(STATE, document_id, version_id)
        return state

    async def remove(self, document_id: str, version_id: str) -> bool:
        """See VersionStore."""
        return bool(await self._pool.fetch(REMOVE, document_id, [version_id]))

    async def claim_due(self, changes: int, before: datetime) -> str | None:
        """See VersionStore."""
        document_id: str | None = await self._pool.fetchval(CLAIM, changes, before)
        return document_id

    async def give_back(self, document_id: str, now: datetime) -> None:
        """See VersionStore."""
        await self._pool.execute(GIVE_BACK, document_id, now)


async def _add(connection: asyncpg.Connection, version: Version, state: bytes) -> Version:
    row = await connection.fetchrow(
        ADD, version.id, version.document_id, version.name, version.created_by, version.created_at, state
    )
    return Version(**row)
