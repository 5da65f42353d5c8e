"""A document of 260,000 edits: how long it takes to open, and what it holds. In a process of its own, for its memory:
``python -m load_tests.bench.collab.large DATABASE_URL``.
"""

import asyncio
import gc
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import uvloop

from collab.compaction_postgres import fold
from collab.decoding import uint
from collab.document import Document
from collab.log import Known, Row, pack
from collab.log_postgres import PostgresLog
from collab.long_work import LongWork
from collab.update import HAS_ORIGIN, HAS_RIGHT_ORIGIN, STRING
from hub.kernel.ids import new_uuid
from hub.storage.postgres import create_pool
from load_tests.bench.cluster.backends import running_backends
from load_tests.bench.errors import CannotMeasure
from load_tests.bench.processes import resident_kb

EDITS = 260_000
TAIL = 500
"""Rows past the snapshot: as many as there are before a node has it compacted."""
TYPED, TAKEN_BACK, JUMPS = (15, 60), (4, 28), 0.3
"""Letters in a row, letters deleted in a row after them, and how often the cursor goes elsewhere then: 30 % are
deletions, and what is left has as many parts as a paper whose writing was recorded."""
LETTERS = b"etaoin shrdlu"
ROWS_AT_ONCE = 2_000
RUNS = 5
NOTHING = Known(0, {})
HELD = 10
"""Copies in memory, for the size of one."""


@dataclass(frozen=True, slots=True)
class Large:
    """What was measured."""

    bytes: int
    structs: int
    cold_ms: float
    """Read, loaded and written for a client that has nothing, with TAIL rows past the snapshot; the best of RUNS."""
    cold_cpu_ms: float
    """Of the same, what it took this process."""
    hot_ms: float
    up_to_date_ms: float
    held_mb: float
    fold_ms: float
    """Of TAIL rows into the snapshot."""


def edits(seed: int = 1) -> Iterator[bytes]:
    """The updates of somebody who writes a long paper. Made by hand: with a document it takes minutes."""
    draw, client = random.Random(seed), uint(7)
    clocks: list[int] = []  # of the letters, as they stand
    cursor = clock = typed = taken_back = 0
    for _ in range(EDITS):
        if not typed and not taken_back:
            typed, taken_back = draw.randint(*TYPED), draw.randint(*TAKEN_BACK)
            cursor = draw.randint(0, len(clocks)) if draw.random() < JUMPS else cursor
        if not typed and cursor:
            cursor, taken_back = cursor - 1, taken_back - 1
            yield b"\0\1" + client + b"\1" + uint(clocks.pop(cursor)) + b"\1"
            continue
        left = client + uint(clocks[cursor - 1]) if cursor else b""
        right = client + uint(clocks[cursor]) if cursor < len(clocks) else b""
        info = STRING | (HAS_ORIGIN if left else 0) | (HAS_RIGHT_ORIGIN if right else 0)
        parent = b"" if left or right else b"\1\4text"
        letter = b"\1" + draw.choice(LETTERS).to_bytes()
        yield b"\1\1" + client + uint(clock) + bytes([info]) + left + right + parent + letter + b"\0"
        clocks.insert(cursor, clock)
        cursor, clock, typed = cursor + 1, clock + 1, max(typed - 1, 0)


async def measure(database_url: str) -> Large:
    """Write the document, fold it, and open it."""
    pool = await create_pool(database_url, size=2)
    log, document_id = PostgresLog(pool, database_url), new_uuid()
    updates = list(edits())
    await _write(log, document_id, updates[:-TAIL])
    async with pool.acquire() as connection:
        await fold(connection, document_id)
        await connection.execute("VACUUM collab_update")  # as autovacuum has, where 260,000 edits took longer than this
        await _write(log, document_id, updates[-TAIL:])
        cold, cpu = zip(*[await _open(log, document_id) for _ in range(RUNS)], strict=True)
        began = time.perf_counter()
        await fold(connection, document_id)
        fold_ms = 1000 * (time.perf_counter() - began)
        state, structs = await connection.fetchrow("SELECT state, structs FROM collab_snapshot")
    document = Document(document_id)
    snapshot = (await log.read(document_id, NOTHING)).snapshot
    assert snapshot is not None
    document.load(snapshot)
    hot_ms = _best_ms(document.diff)
    vector = document.vector()
    up_to_date_ms = _best_ms(lambda: document.diff(vector))
    gc.collect()
    before = resident_kb(os.getpid())
    copies = [Document(document_id) for _ in range(HELD)]
    for copy in copies:
        copy.load(snapshot)
    held_mb = (resident_kb(os.getpid()) - before) / 1024 / HELD
    await pool.close()
    return Large(len(state), structs, min(cold), min(cpu), hot_ms, up_to_date_ms, held_mb, fold_ms)


async def measure_large(folder: Path) -> Large:
    """Measure it with a PostgreSQL of its own, in a process of its own."""
    own = folder / "large"
    own.mkdir(mode=0o711)
    async with running_backends(own, people=1, rooms=1) as backends:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "load_tests.bench.collab.large", backends.database_url),
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await process.communicate()
    if process.returncode != 0:
        raise CannotMeasure("the large document could not be measured")
    return Large(**json.loads(said))


async def _write(log: PostgresLog, document_id: str, updates: Sequence[bytes]) -> None:
    writer = await log.open()
    rows = [Row(document_id, writer.stream, number, pack([one])) for number, one in enumerate(updates, start=1)]
    for first in range(0, len(rows), ROWS_AT_ONCE):
        await writer.append(rows[first : first + ROWS_AT_ONCE])
    writer.drop()


async def _open(log: PostgresLog, document_id: str) -> tuple[float, float]:
    """As an engine does."""
    gc.collect()
    began, cpu = time.perf_counter(), time.process_time()
    document = Document(document_id)
    reading = await log.read(document_id, NOTHING)
    assert reading.snapshot is not None
    document.load(reading.snapshot)
    await LongWork().take(document, reading.rows, lambda _updates: None)
    document.diff()
    return 1000 * (time.perf_counter() - began), 1000 * (time.process_time() - cpu)


def _best_ms(work: Callable[[], object]) -> float:
    times = []
    for _ in range(4 * RUNS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return 1000 * min(times)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(asdict(runner.run(measure(sys.argv[1])))))
