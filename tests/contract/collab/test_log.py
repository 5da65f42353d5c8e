"""The update log on real PostgreSQL."""

import asyncpg
import pytest

from collab.log import Known, Refused, Row, pack
from collab.log_postgres import PostgresLog
from tests.support.collab import DOCUMENT, OTHER

NOTHING = Known(0, {})


@pytest.fixture
def log(pool: asyncpg.Pool, database_url: str) -> PostgresLog:
    return PostgresLog(pool, database_url)


async def test_each_writer_has_a_stream_of_its_own(log: PostgresLog) -> None:
    one, two = await log.open(), await log.open()
    assert one.stream != two.stream
    one.drop()
    two.drop()


async def test_a_reader_gets_what_lies_past_its_position(log: PostgresLog) -> None:
    writer = await log.open()
    rows = [Row(DOCUMENT, writer.stream, number, pack([b"update %d" % number])) for number in (1, 2, 3)]
    await writer.append(rows[:2])
    await writer.append([rows[2], Row(OTHER, writer.stream, 1, b"x")])
    writer.drop()
    assert (await log.read(DOCUMENT, NOTHING)).rows == rows
    assert (await log.read(DOCUMENT, Known(0, {writer.stream: 2}))).rows == rows[2:]
    assert await log.stale({DOCUMENT: Known(0, {writer.stream: 3}), OTHER: NOTHING}) == {OTHER}


async def test_a_batch_is_written_wholly_or_not_at_all(log: PostgresLog, pool: asyncpg.Pool) -> None:
    await pool.execute(f"ALTER TABLE collab_update ADD CHECK (document_id <> '{OTHER}')")
    writer = await log.open()
    with pytest.raises(Refused):
        await writer.append([Row(DOCUMENT, writer.stream, 1, b"x"), Row(OTHER, writer.stream, 1, b"x")])
    assert (await log.read(DOCUMENT, NOTHING)).rows == []
    await writer.append([Row(DOCUMENT, writer.stream, 1, b"x")])
    writer.drop()
