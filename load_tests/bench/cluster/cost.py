"""What keeping an event costs beside only passing it on: CPU per delivery, of the node that delivers and of publishing.

The two kinds differ in the sequence, the stream and the order, and in nothing else. Storing a message in PostgreSQL is
no part of it.
"""

import asyncio
import statistics
from dataclasses import dataclass

from load_tests.bench.cluster.one_node import Members, OneNode
from load_tests.bench.processes import cpu_of

RUNS = 7
"""Of each kind, in turn: the two of a run were measured within seconds, so what slows the machine down slows both."""
REST_S = 0.3


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
PEOPLE = max(one.size * one.rooms for one in SIZES)
ROOMS = max(one.rooms for one in SIZES)


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds of CPU per delivery, in rooms of a size: medians."""

    size: int
    kept_us: float
    ephemeral_us: float
    ratio: float
    """The median of the ratios of the runs."""


async def measure_cost(one: OneNode) -> list[Cost]:
    """Measure. About a minute. Raises CannotMeasure if an event does not arrive."""
    return [await _of_size(size, one) for size in SIZES]


async def _of_size(size: Crowded, one: OneNode) -> Cost:
    costs: dict[bool, list[float]] = {True: [], False: []}
    async with one.members(size.rooms, size.size) as members:
        for run in range(RUNS + 1):
            for kept in (True, False) if run % 2 else (False, True):
                cost = await _one(size, one, members, kept=kept)
                if run:  # the first is there to warm up
                    costs[kept].append(cost)
    ratios = [kept / ephemeral for kept, ephemeral in zip(costs[True], costs[False], strict=True)]
    return Cost(size.size, *(statistics.median(values) for values in (costs[True], costs[False], ratios)))


async def _one(size: Crowded, one: OneNode, members: Members, *, kept: bool) -> float:
    await asyncio.sleep(REST_S)
    await members.told("count")
    before = _used_ns(one)
    await one.publisher.publish(
        members.rooms, kept=kept, count=size.events, per_second=size.per_second, at_once=size.at_once
    )
    await members.arrived(size.events)
    return (_used_ns(one) - before) / 1000 / (size.events * size.size)


def _used_ns(one: OneNode) -> int:
    return cpu_of(one.node.pid).run_ns + cpu_of(one.publisher.pid).run_ns
