"""Schema migrations: raw SQL files, applied once and in order, however many nodes start at the same time."""

import asyncio
import hashlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg

log = logging.getLogger(__name__)

FOLDER = Path(__file__).parent / "migrations"
LOCK = 0x53_50_41_52_4B_4C_45
"""Advisory lock of the migration runner ("SPARKLE")."""
LOCK_TIMEOUT_S = 300.0
"""How long to wait for another node's migrations: an index on a large table takes minutes."""
NO_TRANSACTION = "-- no-transaction"
"""First line of a file that cannot run in a transaction (CREATE INDEX CONCURRENTLY): one statement, repeatable."""

CREATE_TABLE = """
CREATE TABLE IF NOT EXISTS hub_migration (
    version text PRIMARY KEY,
    checksum bytea NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    duration_ms integer NOT NULL
)"""
INSERT = "INSERT INTO hub_migration (version, checksum, duration_ms) VALUES ($1, $2, $3)"


class MigrationError(Exception):
    """The database and the migration files do not fit; the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file ``NNNN_what.sql``."""

    version: str
    sql: str

    @property
    def checksum(self) -> bytes:
        """SHA-256 of the text, so that an edit after it was applied is noticed."""
        return hashlib.sha256(self.sql.encode()).digest()


CANNOT_MIGRATE = (MigrationError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""What :func:`migrate` raises where the files, the address or the server are at fault, and not this program."""


def load(folder: Path = FOLDER) -> list[Migration]:
    """The migrations of a folder, in order. Raises MigrationError if two have the same number."""
    found = [Migration(path.stem, path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.sql"))]
    numbers = [migration.version.split("_", 1)[0] for migration in found]
    if len(set(numbers)) != len(numbers):
        raise MigrationError(f"two migrations in {folder.name}/ have the same number: {numbers}")
    return found


async def migrate(dsn: str, migrations: Sequence[Migration] | None = None) -> int:
    """Apply what is missing and return how many were applied. Safe to run from several nodes at once.

    Raises MigrationError if an applied file was edited, is missing here (the database is newer), or fails.
    """
    connection = await asyncpg.connect(dsn)
    try:
        await _lock(connection)
        return await _apply(connection, load() if migrations is None else migrations)
    finally:
        await connection.close()


async def _lock(connection: asyncpg.Connection) -> None:
    # Polling a try-lock: a blocking pg_advisory_lock keeps a snapshot open while it waits, and CREATE INDEX
    # CONCURRENTLY in the process that holds the lock waits for that snapshot. Both would wait for ever.
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
        if time.monotonic() > deadline:
            raise MigrationError("another process has held the migration lock for five minutes")
        await asyncio.sleep(0.05)


async def _apply(connection: asyncpg.Connection, migrations: Sequence[Migration]) -> int:
    await connection.execute(CREATE_TABLE)
    applied = {
        row["version"]: row["checksum"] for row in await connection.fetch("SELECT version, checksum FROM hub_migration")
    }
    _check(applied, migrations)
    missing = [migration for migration in migrations if migration.version not in applied]
    for migration in missing:
        started = time.monotonic()
        try:
            if migration.sql.startswith(NO_TRANSACTION):
                await connection.execute(migration.sql)
                await _record(connection, migration, started)
            else:
                async with connection.transaction():
                    await connection.execute(migration.sql)
                    await _record(connection, migration, started)
        except asyncpg.PostgresError as error:
            raise MigrationError(f"migration {migration.version} failed: {error}") from error
        log.info("applied migration %s", migration.version)
    return len(missing)


def _check(applied: dict[str, bytes], migrations: Sequence[Migration]) -> None:
    known = {migration.version: migration.checksum for migration in migrations}
    if newer := sorted(applied.keys() - known.keys()):
        raise MigrationError(f"the database has migrations that this version does not know: {', '.join(newer)}")
    if edited := sorted(version for version, checksum in applied.items() if known[version] != checksum):
        raise MigrationError(f"edited after being applied: {', '.join(edited)}; add a new file instead")


async def _record(connection: asyncpg.Connection, migration: Migration, started: float) -> None:
    duration_ms = round((time.monotonic() - started) * 1000)
    await connection.execute(INSERT, migration.version, migration.checksum, duration_ms)
