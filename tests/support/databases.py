"""Databases of tests: copies of a migrated one, and emptied for the next test, which costs a tenth of a new copy."""

import asyncio
import itertools
import time
from dataclasses import dataclass

import asyncpg

from hub.storage.migrate import migrate

TEMPLATE = "template_migrated"
MOST_ROWS = 2_000
"""Rows that are worth deleting: what they leave in the files slows the tests that come after."""
ALONE_S = 0.2
"""How long connections may take to go that were closed just before. Who stays longer has forgotten one."""
_POLL_S = 0.002
"""The 10 ms of tests.support.wait would cost each test with a database more than emptying it does."""

# Changed tables are found by who wrote the catalog last: a trigger would be a part of the schema that tests see.
_SCHEMA = """
SELECT count(*), max(written) FROM (
    SELECT xmin::text::bigint FROM pg_class
    UNION ALL SELECT xmin::text::bigint FROM pg_attribute WHERE attrelid >= 16384
    UNION ALL SELECT xmin::text::bigint FROM pg_constraint
    UNION ALL SELECT xmin::text::bigint FROM pg_index WHERE indexrelid >= 16384
    UNION ALL SELECT xmin::text::bigint FROM pg_trigger
    UNION ALL SELECT xmin::text::bigint FROM pg_proc WHERE oid >= 16384
    UNION ALL SELECT xmin::text::bigint FROM hub_migration
) AS parts (written)"""
_OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"""
_TABLES = """
SELECT oid::regclass::text FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'hub_migration'"""
_SEQUENCES = "SELECT seqrelid::regclass::text, seqstart FROM pg_sequence"


@dataclass
class Database:
    """One that is used again. Our connection stays with it: connecting, and planning every statement, cost 15 ms."""

    url: str
    name: str
    ours: asyncpg.Connection
    schema: tuple[int, int]


class Databases:
    """Makes databases for tests by the maintenance connection `admin`, and keeps those that can be used again."""

    def __init__(self, admin: asyncpg.Connection, url: str) -> None:
        self._admin = admin
        self._url = url
        self._numbers = itertools.count(1)
        self._has_template = False
        self._ready: list[Database] = []

    async def migrated(self) -> Database:
        """One with all tables, without any row, whose numbers begin at their first. Give it back."""
        if self._ready:
            return self._ready.pop()
        if not self._has_template:
            await self._admin.execute(f"CREATE DATABASE {TEMPLATE}")
            await migrate(self._url_of(TEMPLATE))
            self._has_template = True
        name = await self._create(TEMPLATE)
        ours = await asyncpg.connect(self._url_of(name))
        await ours.execute("SET session_replication_role = replica")  # deletes without looking at what refers to a row
        await ours.execute(await _emptying(ours))
        return Database(self._url_of(name), name, ours, await _schema(ours))

    async def give_back(self, database: Database) -> None:
        """Empty it for the next test. If that cannot be, drop it, whoever still uses it."""
        if await self._is_as_before(database):
            self._ready.append(database)
        else:
            await database.ours.close()
            await self.drop(database.name)

    async def bare(self) -> tuple[str, str]:
        """Name and URL of one without any table; `drop` is owed."""
        name = await self._create("template0")
        return name, self._url_of(name)

    async def drop(self, name: str) -> None:
        """End all connections to a database and drop it."""
        await self._admin.execute(f"DROP DATABASE {name} WITH (FORCE)")

    async def close(self) -> None:
        """Close our connections."""
        for database in self._ready:
            await database.ours.close()

    async def _create(self, template: str) -> str:
        name = f"test_{next(self._numbers)}"
        # Without fsync and in memory, FILE_COPY takes 20 ms and the default WAL_LOG 35; on a disk 260 and 170.
        await self._admin.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return name

    async def _is_as_before(self, database: Database) -> bool:
        try:
            return (
                await _are_alone(database.ours)
                and await _schema(database.ours) == database.schema
                and await database.ours.fetchval("SELECT pg_temp.emptied()") <= MOST_ROWS
            )
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):  # the test ended our connection too
            return False

    def _url_of(self, name: str) -> str:
        return self._url.replace("/postgres?", f"/{name}?")


async def _are_alone(ours: asyncpg.Connection) -> bool:
    end = time.monotonic() + ALONE_S
    while await ours.fetchval(_OTHERS):
        if time.monotonic() > end:
            return False
        await asyncio.sleep(_POLL_S)
    return True


async def _schema(ours: asyncpg.Connection) -> tuple[int, int]:
    """How many parts the schema has, and the last transaction that wrote one."""
    count, written = await ours.fetchrow(_SCHEMA)
    return count, written


async def _emptying(ours: asyncpg.Connection) -> str:
    """A function of our connection alone, whose statements are planned once; it gives how many rows there were."""
    steps = [
        f"DELETE FROM {table}; GET DIAGNOSTICS deleted = ROW_COUNT; total := total + deleted;"
        for (table,) in await ours.fetch(_TABLES)
    ]
    steps += [f"PERFORM setval('{name}', {start}, false);" for name, start in await ours.fetch(_SEQUENCES)]
    return f"""CREATE FUNCTION pg_temp.emptied() RETURNS bigint LANGUAGE plpgsql AS $$
        DECLARE deleted bigint; total bigint := 0; BEGIN {" ".join(steps)} RETURN total; END $$"""
