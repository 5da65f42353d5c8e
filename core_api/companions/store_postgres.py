"""Companions in PostgreSQL."""

import asyncpg
import msgspec

from core_api.companions.model import Companion
from core_api.companions.schema import GivenTraits
from hub.kernel.ids import UserId

COLUMNS = (
    "id::text, number, owner_id::text, name, traits, seed, avatar_style, voice_id, interests, version, created_at,"
    " updated_at"
)

# Without it two at once would both count before either is there. The owner's id hashed: a collision only waits.
LOCK_OWNER = "SELECT pg_advisory_xact_lock(hashtextextended('companions of ' || $1, 0))"
INSERT = """
INSERT INTO companion (id, owner_id, name, traits, seed, avatar_style, voice_id, interests, version, created_at,
                       updated_at)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11
WHERE (SELECT count(*) FROM companion WHERE owner_id = $2) < $12
RETURNING true
"""
REPLACE = """
UPDATE companion
SET name = $3, traits = $4, avatar_style = $5, voice_id = $6, interests = $7, version = $2, updated_at = $8
WHERE id = $1 AND version = $2::bigint - 1
RETURNING true
"""
DELETE = "DELETE FROM companion WHERE id = $1 AND owner_id = $2 AND version = $3 RETURNING true"
BY_ID = f"SELECT {COLUMNS} FROM companion WHERE id = $1 AND owner_id = $2"  # noqa: S608 - constants only
BY_OWNER = f"""
SELECT {COLUMNS} FROM companion
WHERE owner_id = $1 AND ($2::bigint IS NULL OR number < $2)
ORDER BY number DESC
LIMIT $3
"""  # noqa: S608 - constants only


class PostgresCompanions:
    """Implements core_api.companions.store.CompanionStore."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def add(self, companion: Companion, *, at_most: int) -> bool:
        """Add a companion, one owner's one after another."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(LOCK_OWNER, companion.owner_id)
            added = await connection.fetchval(
                INSERT,
                companion.id,
                companion.owner_id,
                companion.name,
                _traits(companion),
                companion.seed,
                companion.avatar_style,
                companion.voice_id,
                companion.interests,
                companion.version,
                companion.created_at,
                companion.updated_at,
                at_most,
            )
        return bool(added)

    async def replace(self, companion: Companion) -> bool:
        """Compare the version and set everything else."""
        replaced = await self._pool.fetchval(
            REPLACE,
            companion.id,
            companion.version,
            companion.name,
            _traits(companion),
            companion.avatar_style,
            companion.voice_id,
            companion.interests,
            companion.updated_at,
        )
        return bool(replaced)

    async def delete(self, owner_id: UserId, companion_id: str, version: int) -> bool:
        """Delete a version, and by the foreign keys all that hangs on it."""
        return bool(await self._pool.fetchval(DELETE, companion_id, owner_id, version))

    async def companion(self, owner_id: UserId, companion_id: str) -> Companion | None:
        """An owner's companion."""
        row = await self._pool.fetchrow(BY_ID, companion_id, owner_id)
        return None if row is None else _companion(row)

    async def companions(self, owner_id: UserId, before: int | None, limit: int) -> list[Companion]:
        """An owner's companions, newest first."""
        return [_companion(row) for row in await self._pool.fetch(BY_OWNER, owner_id, before, limit)]


def _traits(companion: Companion) -> str:
    return msgspec.json.encode(companion.traits).decode()


def _companion(row: asyncpg.Record) -> Companion:
    return Companion(**{**row, "traits": msgspec.json.decode(row["traits"], type=GivenTraits)})
