"""What keeping an event costs beside only passing it on: CPU per delivery, of the node that delivers and of publishing.

One node on a core of its own, its members in the C load generator, and a publisher that is no node: so the two kinds
differ in the sequence, the stream and the order, and in nothing else. Storing a message in PostgreSQL is no part of it.
"""

import asyncio
import contextlib
import statistics
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from load_tests.bench.cluster.backends import Backends, running_backends
from load_tests.bench.cluster.nodes import Nodes
from load_tests.bench.cluster.publishing import Publisher, running_publisher
from load_tests.bench.errors import CannotMeasure
from load_tests.bench.processes import allow_open_files, cores, cpu_of, kept_on
from load_tests.bench.transport.generator import Generator, compile_generator

RUNS = 7
"""Of each kind, in turn: the two of a run were measured within seconds, so what slows the machine down slows both."""
PEOPLE = 1000
REST_S = 0.3
ARRIVED_S = 10.0


@dataclass(frozen=True, slots=True)
class Crowded:
    """Rooms of a size, and how fast is published to them: about a third of what one core can deliver."""

    size: int
    rooms: int
    events: int
    per_second: float
    at_once: int


SIZES = (
    Crowded(size=10, rooms=20, events=3000, per_second=1500.0, at_once=20),
    Crowded(size=1000, rooms=1, events=60, per_second=30.0, at_once=1),
)


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds of CPU per delivery, in rooms of a size: medians."""

    size: int
    kept_us: float
    ephemeral_us: float
    ratio: float
    """The median of the ratios of the runs."""


async def measure_cost(folder: Path, cache: Path) -> list[Cost]:
    """Measure. About a minute. Raises CannotMeasure if something is missing."""
    kept = cores()
    program = await asyncio.to_thread(compile_generator, cache)
    allow_open_files(PEOPLE + 500)
    rooms = max(one.rooms for one in SIZES)
    with kept_on(kept.others):
        async with running_backends(folder, people=PEOPLE, rooms=rooms) as backends:
            nodes = Nodes(1, backends.environment, folder)
            with kept_on({kept.server}):
                nodes.all[0].launch()
            try:
                await nodes.ready()
                async with running_publisher(backends.redis_url, 1, folder / "published.jsonl") as publisher:
                    return [await _of_size(one, backends, nodes, publisher, program, kept.others) for one in SIZES]
            finally:
                await nodes.end()


async def _of_size(
    size: Crowded, backends: Backends, nodes: Nodes, publisher: Publisher, program: Path, others: Iterable[int]
) -> Cost:
    node, rooms = nodes.all[0], backends.crowd.rooms[: size.rooms]
    costs: dict[bool, list[float]] = {True: [], False: []}
    async with _members(size, backends, node.port, program, others) as generator:
        for run in range(RUNS + 1):
            for kept in (True, False) if run % 2 else (False, True):
                cost = await _one(size, rooms, node.pid, publisher, generator, kept=kept)
                if run:  # the first is there to warm up
                    costs[kept].append(cost)
    ratios = [kept / ephemeral for kept, ephemeral in zip(costs[True], costs[False], strict=True)]
    return Cost(size.size, *(statistics.median(values) for values in (costs[True], costs[False], ratios)))


async def _one(
    size: Crowded, rooms: Sequence[str], node: int, publisher: Publisher, generator: Generator, *, kept: bool
) -> float:
    await asyncio.sleep(REST_S)
    await asyncio.to_thread(generator.command, "count")
    before = cpu_of(node).run_ns + cpu_of(publisher.pid).run_ns
    await publisher.publish(rooms, kept=kept, count=size.events, per_second=size.per_second, at_once=size.at_once)
    wanted, came, loop = size.events * size.size, 0, asyncio.get_running_loop()
    end = loop.time() + ARRIVED_S
    while came < wanted and loop.time() < end:
        await asyncio.sleep(0.05)
        came += (await asyncio.to_thread(generator.command, "count")).deliveries
    used = cpu_of(node).run_ns + cpu_of(publisher.pid).run_ns - before
    if came != wanted:
        raise CannotMeasure(f"{came} deliveries came in place of {wanted}")
    return used / 1000 / wanted


@contextlib.asynccontextmanager
async def _members(
    size: Crowded, backends: Backends, port: int, program: Path, others: Iterable[int]
) -> AsyncIterator[Generator]:
    count = size.size * size.rooms
    options = backends.crowd.options(count, size.size)
    with Generator(
        program, ports=[port], connections=count, room_size=size.size, options=options, cores=others
    ) as generator:
        await asyncio.to_thread(generator.command, "connect")
        await asyncio.to_thread(generator.command, "join")
        yield generator
