"""tests.support.databases: what a test has used is as new for the next one, or is not given to it."""

import asyncio
from typing import Any

import asyncpg
import pytest

from tests.support.databases import MOST_ROWS
from tests.support.servers import Servers

ADD = "INSERT INTO outbox (topic, payload) VALUES ('a', '{}') RETURNING id"
ADD_MANY = f"INSERT INTO outbox (topic, payload) SELECT 'a', '{{}}' FROM generate_series(0, {MOST_ROWS})"
ROWS = "SELECT count(*) FROM outbox"


async def connected(url: str, *statements: str) -> tuple[asyncpg.Connection, Any]:
    """A connection, and the value of the last statement."""
    connection = await asyncpg.connect(url)
    return connection, [await connection.fetchval(statement) for statement in statements][-1]


async def value(url: str, *statements: str) -> Any:
    """That of the last statement."""
    connection, last = await connected(url, *statements)
    await connection.close()
    return last


def test_the_next_test_finds_no_row_and_numbers_that_begin_at_one(servers: Servers) -> None:
    given = []
    for _ in range(2):
        with servers.fresh_database() as url:
            given.append(url)
            assert asyncio.run(value(url, ROWS)) == 0
            assert asyncio.run(value(url, "SELECT nextval('collab_stream')")) == 1
            assert asyncio.run(value(url, ADD)) == 1
    assert given[0] == given[1]


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE outbox ADD CHECK (topic <> 'b')",
        "ALTER TABLE outbox RENAME COLUMN topic TO subject",
        "CREATE TABLE more (id int)",
        "DROP TABLE idempotent_answer",
        "CREATE INDEX more ON outbox (topic)",
        "CREATE FUNCTION more() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "UPDATE hub_migration SET checksum = 'x'",
        ADD_MANY,
    ],
)
def test_one_with_other_tables_or_many_rows_is_given_to_nobody(servers: Servers, change: str) -> None:
    with servers.fresh_database() as url:
        asyncio.run(value(url, change))
    with servers.fresh_database() as other:
        assert other != url
        assert asyncio.run(value(other, ROWS)) == 0
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        asyncio.run(value(url, ROWS))


def test_one_that_somebody_still_uses_is_taken_from_them_and_given_to_nobody(servers: Servers) -> None:
    async def use() -> None:
        with pytest.raises(asyncpg.PostgresError):
            await connection.fetchval(ROWS)

    with asyncio.Runner() as runner:
        with servers.fresh_database() as url:
            connection, _ = runner.run(connected(url, ADD))
        with servers.fresh_database() as other:
            assert other != url
        runner.run(use())
        connection.terminate()


def test_one_whose_connections_were_all_ended_is_given_to_nobody(servers: Servers) -> None:
    with servers.fresh_database() as url:
        ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        others = f"{ended} WHERE datname = current_database() AND pid <> pg_backend_pid()"
        assert asyncio.run(value(url, others)) == 1
    with servers.fresh_database() as other:
        assert other != url
