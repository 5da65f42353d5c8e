"""Compaction on real PostgreSQL: no update is ever lost by it, whoever writes, reads, compacts or dies meanwhile."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from functools import partial

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycrdt import Array

from collab.compaction import Compaction, Folded, NotWhole
from collab.compaction_postgres import KEPT_STREAMS, pruned_position
from collab.compactor_process import CompactorProcess
from collab.document import Document
from collab.log import NO_DOCUMENT, Known, Row, pack
from collab.log_postgres import PostgresLog
from hub.kernel.errors import Overloaded, Unavailable
from hub.kernel.ids import new_uuid
from tests.support.collab import DOCUMENT, OTHER, Audience, Node, StartNode, compact
from tests.support.wait import until
from tests.support.yjs import Writer, content_of, edit, text_of

NOTHING = Known(0, {})
SNAPSHOT = "SELECT generation, streams, numbers, nesting, pruned FROM collab_snapshot WHERE document_id = $1"


@pytest.fixture
def log(pool: asyncpg.Pool, database_url: str) -> PostgresLog:
    return PostgresLog(pool, database_url)


@pytest.fixture
async def process(database_url: str) -> AsyncIterator[CompactorProcess]:
    process = CompactorProcess(database_url)
    yield process
    await process.close()


async def write(log: PostgresLog, *updates: bytes, document_id: str = DOCUMENT) -> int:
    """Each update as a row of a stream of its own; returns the stream."""
    writer = await log.open()
    for number, update in enumerate(updates, start=1):
        await writer.append([Row(document_id, writer.stream, number, pack([update]))])
    writer.drop()
    return writer.stream


async def take(log: PostgresLog, document: Document) -> Document:
    """Bring a reader up to date."""
    reading = await log.read(document.id, Known(document.generation, dict(document.position)))
    if reading.snapshot is not None:
        document.load(reading.snapshot)
        document.apply_ready()
    for row in reading.rows:
        document.take(row)
    return document


async def test_compaction_keeps_the_document_and_drops_exactly_what_it_read(
    log: PostgresLog, pool: asyncpg.Pool
) -> None:
    client = Writer()
    stream = await write(log, *(client.write(letter) for letter in "hello"))
    assert (await compact(pool)).rows == 5
    later = await write(log, client.write("!"))
    assert await log.stale({DOCUMENT: Known(0, {stream: 5, later: 1})}) == {DOCUMENT}  # it is another generation
    reading = await log.read(DOCUMENT, NOTHING)
    assert [row.stream for row in reading.rows] == [later]
    assert text_of((await take(log, Document(DOCUMENT))).diff()) == "hello!"


async def test_rows_that_are_committed_while_it_runs_stay(log: PostgresLog, pool: asyncpg.Pool) -> None:
    client, writer = Writer(), await log.open()
    await writer.append([Row(DOCUMENT, writer.stream, 1, pack([client.write("a")]))])
    compacting = asyncio.gather(*(compact(pool) for _ in range(5)))
    for number in range(2, 60):
        await writer.append([Row(DOCUMENT, writer.stream, number, pack([client.write("b")]))])
    await compacting
    writer.drop()
    assert text_of((await take(log, Document(DOCUMENT))).diff()) == "a" + "b" * 58


@pytest.mark.parametrize("hole", [1, 2])
async def test_a_document_with_a_hole_is_left_as_it_is(log: PostgresLog, pool: asyncpg.Pool, hole: int) -> None:
    client = Writer()
    updates = [client.write(letter) for letter in "abc"]
    del updates[hole - 1]
    await write(log, *updates)
    with pytest.raises(NotWhole):
        await compact(pool)
    reading = await log.read(DOCUMENT, NOTHING)
    assert (len(reading.rows), reading.snapshot) == (2, None)


async def test_rows_that_are_no_updates_are_left_as_they_are(log: PostgresLog, pool: asyncpg.Pool) -> None:
    await write(log, b"\xff")
    with pytest.raises(NotWhole):
        await compact(pool)
    assert len((await log.read(DOCUMENT, NOTHING)).rows) == 1


async def test_of_two_at_once_one_does_nothing_and_waits_for_nobody(log: PostgresLog, pool: asyncpg.Pool) -> None:
    client = Writer()
    await write(log, client.write("a"))
    await compact(pool)
    await write(log, client.write("b"))
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM collab_snapshot FOR UPDATE")
        async with asyncio.timeout(5):
            assert await compact(pool) == Folded(0)
    assert (await compact(pool)).rows == 1


async def test_few_rows_are_left(log: PostgresLog, pool: asyncpg.Pool) -> None:
    client = Writer()
    await write(log, client.write("a"), client.write("b"))
    assert await compact(pool, least=3) == Folded(0)
    assert await pool.fetchrow(SNAPSHOT, DOCUMENT) is None
    assert (await compact(pool, least=2)).rows == 2


async def test_a_reader_who_has_everything_is_not_sent_the_document_again(log: PostgresLog, pool: asyncpg.Pool) -> None:
    client = Writer()
    await write(log, client.write("a"))
    behind, ahead = await take(log, Document(DOCUMENT)), await take(log, Document(DOCUMENT))
    await write(log, client.write("b"))
    await take(log, ahead)
    await compact(pool)
    for document, sent in ((ahead, False), (behind, True)):
        snapshot = (await log.read(DOCUMENT, Known(document.generation, document.position))).snapshot
        assert snapshot is not None
        assert (snapshot.state is not None) is sent
        assert text_of((await take(log, document)).diff()) == "ab"
        assert await log.stale({DOCUMENT: Known(document.generation, document.position)}) == set()


async def test_streams_that_nobody_writes_any_more_are_pruned_and_no_reader_misses_what_they_had(
    log: PostgresLog, pool: asyncpg.Pool
) -> None:
    client = Writer()
    readers = [await take(log, Document(DOCUMENT))]
    for number in range(3 * KEPT_STREAMS):
        await write(log, client.write("x"))
        if number % 5 == 0:
            await compact(pool)
        if number % 7 == 0:
            readers.append(await take(log, Document(DOCUMENT)))
        if number % 11 == 0:
            await take(log, readers[-1])
    for _ in range(2):
        await write(log, client.write("y"))
        await compact(pool)
    generation, streams, _, _, pruned = await pool.fetchrow(SNAPSHOT, DOCUMENT)
    assert len(streams) <= KEPT_STREAMS + 2
    assert pruned == generation
    for reader in (*readers, Document(DOCUMENT)):
        assert text_of((await take(log, reader)).diff()) == "x" * 3 * KEPT_STREAMS + "yy"
        assert len(reader.position) <= KEPT_STREAMS + 2


async def test_a_reader_that_missed_a_row_of_a_pruned_stream_gets_the_document(
    log: PostgresLog, pool: asyncpg.Pool
) -> None:
    client, old = Writer(), await log.open()
    for _ in range(KEPT_STREAMS):
        await write(log, client.write("x"))
    await compact(pool)
    reader = await take(log, Document(DOCUMENT))
    await old.append([Row(DOCUMENT, old.stream, 1, pack([client.write("missed")]))])
    await compact(pool)
    late = Writer()
    heard = late.write("heard")
    stream = await write(log, heard)
    reader.take(Row(DOCUMENT, stream, 1, pack([heard])))
    await compact(pool)
    assert old.stream not in await pool.fetchval("SELECT streams FROM collab_snapshot")
    old.drop()
    assert "missed" in text_of((await take(log, reader)).diff())


async def test_a_stream_that_was_pruned_while_its_writer_lives_goes_on(
    start_node: StartNode, pool: asyncpg.Pool
) -> None:
    one, two = await start_node(), await start_node()
    client, audience = Writer(), Audience()
    await two.engine.join(DOCUMENT, audience)
    await one.engine.submit(DOCUMENT, client.write("a"))
    for _ in range(KEPT_STREAMS + 3):
        await write(one.log, client.write("x"))
        await compact(pool)
    position = await pool.fetchval("SELECT streams FROM collab_snapshot")
    first = await pool.fetchval("SELECT min(s) FROM unnest($1::bigint[]) s", position)
    await until(lambda: first <= min(two.engine._documents.hot[DOCUMENT].document.position))
    acknowledged = await one.engine.submit(DOCUMENT, client.write("b"))
    assert int(acknowledged.split("-")[0]) not in position
    for node in (one, two, await start_node()):
        await until(partial(_reads, node, "a" + "x" * (KEPT_STREAMS + 3) + "b"))


async def _reads(node: Node, expected: str) -> bool:
    return text_of((await node.engine.join(DOCUMENT, Audience())).update) == expected


def _has_generation(node: Node, generation: int) -> bool:
    return node.engine._documents.hot[DOCUMENT].document.generation == generation


def test_only_streams_without_a_row_since_the_last_compaction_are_pruned() -> None:
    before = dict.fromkeys(range(100), 5)
    after = pruned_position(before | {3: 6, 100: 1}, before)
    assert after == {3: 6, 100: 1} | dict.fromkeys(range(100 - KEPT_STREAMS, 100), 5)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32))
async def test_random_writers_with_compaction_in_between_and_any_reader_end_equal(
    log: PostgresLog, pool: asyncpg.Pool, seed: int
) -> None:
    rnd, document_id = random.Random(seed), new_uuid()
    clients = [Writer() for _ in range(3)]
    truth = Document(document_id)
    streams = [await log.open() for _ in range(2)]
    numbers = dict.fromkeys(range(2), 0)
    reader = Document(document_id)
    for _ in range(25):
        client, other, which = rnd.choice(clients), rnd.choice(clients), rnd.randrange(2)
        update = edit(client, rnd)
        truth.apply_ready([update])
        numbers[which] += 1
        await streams[which].append([Row(document_id, streams[which].stream, numbers[which], pack([update]))])
        if rnd.random() < 0.3:
            other.take(truth.diff())
        if rnd.random() < 0.2:
            await compact(pool, document_id)
        if rnd.random() < 0.2:
            await take(log, reader)
        if rnd.random() < 0.1:
            streams[which].drop()
            streams[which], numbers[which] = await log.open(), 0
    for stream in streams:
        stream.drop()
    for document in (await take(log, reader), await take(log, Document(document_id))):
        assert document.early == []
        assert document.clocks == truth.clocks
        assert content_of(document.diff()) == content_of(truth.diff())


async def test_the_depth_and_the_parts_of_a_document_are_measured(log: PostgresLog, pool: asyncpg.Pool) -> None:
    client = Writer()
    rnd = random.Random(1)
    await write(log, *(edit(client, rnd) for _ in range(40)))
    before = await take(log, Document(DOCUMENT))
    await compact(pool)
    after = await take(log, Document(DOCUMENT))
    assert after.nesting == 3  # a text in a list in a map in a list
    assert before.nesting > after.nesting  # a bound
    assert 0 < after.structs <= before.structs
    assert after.tail == 0


# The process


async def test_a_process_compacts_one_document_after_another(
    log: PostgresLog, process: CompactorProcess, pool: asyncpg.Pool
) -> None:
    client = Writer()
    await write(log, client.write("a"), client.write("b"))
    await write(log, Writer().write("z"), document_id=OTHER)
    assert (await process.compact(DOCUMENT, 1)).rows == 2
    pid = process.pid
    assert (await process.compact(OTHER, 1)).rows == 1
    assert process.pid == pid
    assert os.getpriority(os.PRIO_PROCESS, pid or 0) == 19
    client = Writer()
    client.write("a")
    await write(log, client.write("b"))
    with pytest.raises(NotWhole, match="lack what they build on"):
        await process.compact(DOCUMENT, 1)
    assert process.pid == pid


async def test_a_process_that_is_killed_in_the_middle_loses_nothing_and_is_replaced(
    log: PostgresLog, process: CompactorProcess, pool: asyncpg.Pool
) -> None:
    client = Writer()
    await write(log, *(client.write("a") for _ in range(300)))
    assert (await process.compact(OTHER, 1)) == Folded(0)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE collab_update IN ACCESS EXCLUSIVE MODE")
        compacting = asyncio.get_running_loop().create_task(process.compact(DOCUMENT, 1))
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'collab_update'::regclass"
        await until(lambda: connection.fetchval(waiting))
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(Unavailable):
            await compacting
    assert len((await log.read(DOCUMENT, NOTHING)).rows) == 300
    gone = "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'sparkle-hub collab compactor'"
    await until(lambda: pool.fetchval(gone))
    assert (await process.compact(DOCUMENT, 1)).rows == 300
    assert text_of((await take(log, Document(DOCUMENT))).diff()) == "a" * 300


async def test_a_process_that_hangs_is_killed_and_replaced(
    log: PostgresLog, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(log, Writer().write("a"))
    process = CompactorProcess(database_url)
    assert await process.compact(OTHER, 1) == Folded(0)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGSTOP)
    with monkeypatch.context() as patch:
        patch.setattr(process._process, "_answer_s", 0.1)  # for one that was there: a start may take longer
        with pytest.raises(Unavailable):
            await process.compact(DOCUMENT, 1)
    assert process.pid is None
    assert (await process.compact(DOCUMENT, 1)).rows == 1
    await process.close()
    assert process.pid is None


async def test_a_process_without_work_ends(database_url: str) -> None:
    process = CompactorProcess(database_url, idle_s=0.01)
    await process.compact(DOCUMENT, 1)
    await until(lambda: process.pid is None)
    assert await process.compact(DOCUMENT, 1) == Folded(0)
    await process.close()


async def test_without_a_database_nothing_is_compacted_and_that_is_said() -> None:
    process = CompactorProcess("postgresql://127.0.0.1:1/none")
    with pytest.raises(Unavailable, match="ConnectionRefused"):
        await process.compact(DOCUMENT, 1)
    await process.close()


# Who is compacted when


async def test_a_document_that_grows_is_compacted_by_the_node_that_writes_it(
    start_node: StartNode, pool: asyncpg.Pool
) -> None:
    one, two = await start_node(compact_after=20), await start_node(compact_after=20)
    client, audience = Writer(), Audience()
    await two.engine.join(DOCUMENT, audience)
    for _ in range(50):
        await one.engine.submit(DOCUMENT, client.write("a"))
    await until(lambda: pool.fetchval("SELECT count(*) < 50 FROM collab_update"))
    generation = await pool.fetchval("SELECT generation FROM collab_snapshot")
    for node in (one, two):  # both learn of it, and are sent nothing that they have
        await until(partial(_has_generation, node, generation))
        assert node.engine._documents.hot[DOCUMENT].document.tail < 50
    assert len(audience.delivered) == 50
    assert await _reads(await start_node(), "a" * 50)


async def test_documents_that_nobody_has_open_are_found_and_compacted(log: PostgresLog, pool: asyncpg.Pool) -> None:
    client = Writer()
    await write(log, *(client.write("a") for _ in range(10)))
    await write(log, Writer().write("few"), document_id=OTHER)

    class InThisProcess:
        async def compact(self, document_id: str, least: int) -> Folded:
            return await compact(pool, document_id, least)

        async def close(self) -> None:
            """Nothing to end."""

    compaction = Compaction(InThisProcess(), log, after=40, sweep_s=0.01)
    running = asyncio.get_running_loop().create_task(compaction.run())
    await until(lambda: pool.fetchval("SELECT count(*) = 1 FROM collab_update"))
    running.cancel()
    await asyncio.wait([running])


async def test_a_sweep_sees_every_document(
    log: PostgresLog, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collab.log_postgres.SWEPT_ROWS", 4)
    ids = sorted(new_uuid() for _ in range(6))
    for number, document_id in enumerate(ids):
        client = Writer()
        await write(log, *(client.write("a") for _ in range(1 + number)), document_id=document_id)
    found, at = list[str](), NO_DOCUMENT
    while True:
        more, at = await log.crowded(at, 3)
        found += more
        if at == NO_DOCUMENT:
            break
    assert sorted(set(found)) == ids[2:]


async def test_a_document_whose_depth_is_only_bounded_is_measured_and_then_goes_on(
    start_node: StartNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collab.document.MAX_NESTING", 10)
    node = await start_node(compact_after=1000)
    client = Writer()

    async def append() -> None:
        before = client.doc.get_state()
        client.doc.get("list", type=Array).append(Array([]))
        await node.engine.submit(DOCUMENT, client.doc.get_update(before))

    for _ in range(10):
        await append()
    update_before = client.doc.get_state()
    client.doc.get("list", type=Array).append(Array([]))
    update = client.doc.get_update(update_before)
    with pytest.raises(Overloaded):
        await node.engine.submit(DOCUMENT, update)
    await until(lambda: node.engine._documents.hot[DOCUMENT].document.nesting == 1)
    await node.engine.submit(DOCUMENT, update)
