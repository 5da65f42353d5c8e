"""hub.storage.migrate on a real PostgreSQL."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from hub.storage.migrate import Migration, MigrationError, load, migrate

ONE = Migration("0001_one", "CREATE TABLE one (id int); INSERT INTO one VALUES (1)")
TWO = Migration("0002_two", "CREATE TABLE two (id int)")
BROKEN = Migration("0002_broken", "CREATE TABLE half (id int); SELECT no_such_function()")
INDEX = Migration("0002_index", "-- no-transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS one_id ON one (id)")


async def value(dsn: str, query: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_what_is_missing_is_applied_once_and_in_order(empty_database_url: str) -> None:
    assert await migrate(empty_database_url, [ONE]) == 1
    assert await migrate(empty_database_url, [ONE, TWO]) == 1
    assert await migrate(empty_database_url, [ONE, TWO]) == 0
    assert await value(empty_database_url, "SELECT count(*) FROM one") == 1


async def test_four_at_once_apply_once(empty_database_url: str) -> None:
    applied = await asyncio.gather(*(migrate(empty_database_url, [ONE, INDEX]) for _ in range(4)))
    assert sorted(applied) == [0, 0, 0, 2]
    assert await value(empty_database_url, "SELECT count(*) FROM one") == 1


async def test_a_file_that_was_edited_after_it_was_applied_is_refused(empty_database_url: str) -> None:
    await migrate(empty_database_url, [ONE])
    edited = Migration(ONE.version, ONE.sql + " ")
    with pytest.raises(MigrationError, match="0001_one"):
        await migrate(empty_database_url, [edited, TWO])
    assert await value(empty_database_url, "SELECT to_regclass('two')") is None


async def test_a_database_that_is_newer_is_refused(empty_database_url: str) -> None:
    await migrate(empty_database_url, [ONE, TWO])
    with pytest.raises(MigrationError, match="0002_two"):
        await migrate(empty_database_url, [ONE])


async def test_a_file_that_fails_is_named_and_leaves_nothing_of_itself(empty_database_url: str) -> None:
    with pytest.raises(MigrationError, match="0002_broken"):
        await migrate(empty_database_url, [ONE, BROKEN])
    assert await value(empty_database_url, "SELECT to_regclass('half')") is None
    assert await migrate(empty_database_url, [ONE, TWO]) == 1, "what came before it stays applied"


async def test_a_file_without_a_transaction_may_do_what_none_can(empty_database_url: str) -> None:
    assert await migrate(empty_database_url, [ONE, INDEX]) == 2
    assert await value(empty_database_url, "SELECT to_regclass('one_id') IS NOT NULL")


def test_two_files_with_one_number_are_refused(tmp_path: Path) -> None:
    for name in ("0001_a.sql", "0001_b.sql"):
        (tmp_path / name).write_text("SELECT 1", encoding="utf-8")
    with pytest.raises(MigrationError, match="same number"):
        load(tmp_path)


def test_the_files_of_the_hub_are_in_order() -> None:
    versions = [migration.version for migration in load()]
    assert versions
    assert versions == sorted(versions)
