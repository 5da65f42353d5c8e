"""How long recalling takes at 10 000 memories of one companion: ``python -m load_tests.bench.recall``.

With DATABASE_URL (a database that may be filled) or, without it, an embedded PostgreSQL that goes away again.
"""

import argparse
import asyncio
import contextlib
import random
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

import asyncpg

from core_api.companions.embeddings import Embedder, Matrix
from core_api.companions.embeddings_packaged import PackagedEmbedder
from core_api.companions.memories import Memories
from core_api.companions.memory_settings import MemorySettings
from core_api.companions.memory_store import NewMemory, Vector
from core_api.companions.memory_store_postgres import PostgresMemories
from hub.config import environment
from hub.kernel.clock import SystemClock
from hub.kernel.ids import new_uuid
from hub.kernel.tasks import Tasks
from hub.storage.migrate import migrate
from hub.storage.postgres import create_pool
from tests.support.memories import new_companion
from tests.support.servers import running_servers

QUERIES = (
    "where was my sister born?",
    "what does my brother love?",
    "does my boss work in Berlin?",
    "my cat found something by the sea",
    "who visited Kyoto?",
    "what did my daughter paint?",
)
SUBJECTS = ("sister", "brother", "cat", "dog", "boss", "friend", "neighbour", "daughter", "teacher", "bike")
PLACES = (
    "Lisbon",
    "Rome",
    "Oslo",
    "the mountains",
    "the office",
    "a small house",
    "the sea",
    "Berlin",
    "Kyoto",
    "home",
)
VERBS = ("loves", "left", "painted", "found", "misses", "dreams of", "works in", "was born in", "hates", "visited")


@dataclass(frozen=True)
class Prepared:
    """Implements Embedder with vectors made before, for the time without embedding."""

    vectors: dict[str, Matrix]
    model_id: str
    dimensions: int

    async def embed(self, texts: Sequence[str]) -> Matrix:
        (text,) = texts
        return self.vectors[text]


@contextlib.asynccontextmanager
async def database() -> AsyncIterator[str]:
    """The URL of a migrated database."""
    given = environment().get("DATABASE_URL")
    if given:
        await migrate(given)
        yield given
        return
    servers = running_servers()
    started = await asyncio.to_thread(servers.__enter__)
    try:
        await migrate(started.database_url)
        yield started.database_url
    finally:
        await asyncio.to_thread(servers.__exit__, None, None, None)


async def fill(pool: asyncpg.Pool, embedder: Embedder, count: int) -> str:
    """A companion with ``count`` memories: 500 sentences with real vectors, the others near them."""
    import numpy as np  # noqa: PLC0415 - after the model has loaded it, which sets how many threads it uses

    companion_id, store, draw = await new_companion(pool), PostgresMemories(pool), random.Random(7)
    texts = [f"My {draw.choice(SUBJECTS)} {draw.choice(VERBS)} {draw.choice(PLACES)}." for _ in range(min(count, 500))]
    real = await embedder.embed(texts)
    noise = np.random.default_rng(7)
    for start in range(0, count, 500):
        rows = real + noise.normal(0, 0.01, real.shape).astype(np.float32) * (start > 0)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        memories = [
            NewMemory(
                new_uuid(), text, Vector(embedder.model_id, embedder.dimensions, row.astype("<f4").tobytes()), 0.4
            )
            for text, row in zip(texts, rows, strict=True)
        ][: count - start]
        await store.add(companion_id, new_uuid(), memories, SystemClock().now(), seen=None, capacity=count)
    return companion_id


async def timed(rounds: int, work: Callable[[int], Awaitable[object]]) -> list[float]:
    """Milliseconds of each round."""
    times = []
    for number in range(rounds):
        started = time.perf_counter()
        await work(number)
        times.append((time.perf_counter() - started) * 1000)
    return times


def line(what: str, times: list[float]) -> None:
    shares = statistics.quantiles(times, n=100, method="inclusive")
    p50, p95, p99 = shares[49], shares[94], shares[98]
    print(f"| {what:<52} | {len(times):>5} | {p50:>7.1f} | {p95:>7.1f} | {p99:>7.1f} | {max(times):>7.1f} |")


async def stalls(done: asyncio.Event) -> list[float]:
    """How long the loop let somebody wait who only wanted a turn, in ms."""
    waited = []
    while not done.is_set():
        started = time.perf_counter()
        await asyncio.sleep(0.001)
        waited.append((time.perf_counter() - started) * 1000 - 1)
    return waited


async def bench(count: int, rounds: int) -> None:
    embedder, tasks, clock = PackagedEmbedder(queue=64), Tasks(), SystemClock()
    started = time.perf_counter()
    vectors = {query: await embedder.embed([query]) for query in QUERIES}
    print(f"model loaded, {len(QUERIES)} texts embedded: {time.perf_counter() - started:.2f} s")
    async with database() as url:
        pool = await create_pool(url, size=8)
        store = PostgresMemories(pool)
        companion_id = await fill(pool, embedder, count)
        prepared = Prepared(vectors, embedder.model_id, embedder.dimensions)

        def node(by: Embedder, hot_bytes: int = 256 << 20) -> Memories:
            return Memories(store, by, tasks, clock, MemorySettings(capacity=count * 2, hot_bytes=hot_bytes))

        async def ask(memories: Memories, number: int) -> None:
            assert await memories.recall(companion_id, QUERIES[number % len(QUERIES)], 5)

        async def add_and_ask(memories: Memories, number: int) -> None:
            new = NewMemory(
                new_uuid(), f"I saw thing {number}.", Vector(prepared.model_id, 512, vectors[QUERIES[0]].tobytes()), 0.3
            )
            await store.add(companion_id, new_uuid(), [new], clock.now(), seen=None, capacity=count * 2)
            await ask(memories, number)

        with_text, warm, cold = node(embedder), node(prepared), node(prepared, hot_bytes=1)
        await ask(with_text, 0)
        await ask(warm, 0)
        print(f"\nretrieval at {count} memories of one companion, ms")
        print(f"| {'':<52} | count |     p50 |     p95 |     p99 |     max |")
        print(f"|{'-' * 54}|------:|--------:|--------:|--------:|--------:|")
        line("embedding a question", await timed(rounds, lambda n: embedder.embed([QUERIES[n % len(QUERIES)]])))
        line("recall, at hand", await timed(rounds, lambda n: ask(warm, n)))
        line("recall, at hand, with embedding the question", await timed(rounds, lambda n: ask(with_text, n)))
        line(
            "recall after another node added a memory (both)", await timed(rounds // 4, lambda n: add_and_ask(warm, n))
        )
        done = asyncio.Event()
        watching = asyncio.gather(stalls(done))
        line(
            "recall, nothing at hand: all read from PostgreSQL",
            await timed(max(10, rounds // 20), lambda n: ask(cold, n)),
        )
        done.set()
        line("waits of the event loop during the row above", (await watching)[0])
        await tasks.close()
        await pool.close()
    embedder.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memories", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=400)
    given = parser.parse_args()
    asyncio.run(bench(given.memories, given.rounds))


if __name__ == "__main__":
    main()
