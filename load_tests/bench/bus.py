"""What an event costs the nodes on its way over Redis, without clients: ``python -m load_tests.bench.bus``.

Starts a Valkey of its own. Prints µs of CPU an event: for the node that publishes it, for the same node when it hears
its own event again, for another node that hears it, and for Redis when both do. All rooms are on one shard. In small
bursts, waking up for an event is most of what it costs; in large ones the event itself is.
"""

import argparse
import asyncio
import contextlib
import itertools
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.cluster.bus import Bus
from hub.cluster.servers import servers_of
from hub.embedded.data_folder import DataFolder
from hub.embedded.stack import Stack
from hub.kernel.delivery import Delivery
from hub.kernel.ids import ConnectionId, NodeId, RoomName
from hub.kernel.tasks import Tasks
from hub.transport.eager import HubLoop
from load_tests.bench.errors import CannotMeasure
from load_tests.bench.processes import cores, cpu_of, kept_on

ROOMS = tuple(RoomName(f"room:{number:032d}") for number in range(200))
EVENT = "room:message"
TEXT = b'{"roomId":"%032d","sender":"%036d","body":{"seq":1,"x":"%060d"},"sentAt":"2026-01-01T00:00:00.000Z"}' % (
    1,
    2,
    3,
)
SKIP = ConnectionId("x" * 20)
BURSTS = (5, 50)
HEARD_S = 30.0
PATIENCE_S = 30.0

_names = itertools.count(1)


class Audience:
    """Counts what comes. Implements hub.cluster.bus.Members."""

    def __init__(self) -> None:
        self.count = 0

    def deliver(self, delivery: Delivery) -> None:
        """See Members."""
        self.count += 1

    def command(self, room: RoomName, name: str, arguments: list[Any]) -> None:
        """See Members."""

    def missed(self, rooms: Sequence[RoomName]) -> None:
        """See Members."""


@contextlib.asynccontextmanager
async def node(url: str, *, follows: bool) -> AsyncIterator[tuple[Bus, Audience]]:
    """A bus, in all rooms or in none."""
    tasks, audience = Tasks(), Audience()
    bus = Bus(servers_of(url), NodeId(f"n{next(_names)}"), tasks)
    bus.serve(audience)
    await bus.start()
    try:
        for room in ROOMS if follows else ():
            await bus.follow(room)
        yield bus, audience
    finally:
        await tasks.close()
        bus.close()


@dataclass(frozen=True, slots=True)
class Load:
    """What is published."""

    events: int
    burst: int
    """Events between two turns of the loop."""
    kept: bool


async def publish(bus: Bus, load: Load) -> None:
    """Publish it, until Redis has it."""
    for number in range(load.events):
        room = ROOMS[number % len(ROOMS)]
        bus.emit(Delivery([room], EVENT, TEXT, None, SKIP, not load.kept))
        if number % load.burst == load.burst - 1:
            await asyncio.sleep(0.001)
    try:
        async with asyncio.timeout(PATIENCE_S):
            await bus.flushed()
    except TimeoutError:
        raise CannotMeasure("Redis does not take the events") from None


async def cost(url: str, redis: int, load: Load, *, own: bool, other: bool) -> tuple[float, float]:
    """µs of CPU an event, of this process and of Redis, with these listeners."""
    async with node(url, follows=own) as (bus, mine), node(url, follows=other) as (_, theirs):
        before = time.process_time_ns(), cpu_of(redis).run_ns
        await publish(bus, load)
        async with asyncio.timeout(HEARD_S):
            # The publisher's members get what is ephemeral at once.
            while (other and theirs.count < load.events) or (own and mine.count < load.events):  # noqa: ASYNC110
                await asyncio.sleep(0.001)  # rarely more than once
        used = time.process_time_ns() - before[0], cpu_of(redis).run_ns - before[1]
        return used[0] / 1000 / load.events, used[1] / 1000 / load.events


async def compare(url: str, redis: int, load: Load, rounds: int) -> str:
    """Medians of interleaved runs, as cells of a table."""
    listeners = ((False, False), (True, False), (False, True), (True, True))
    found: list[list[tuple[float, float]]] = [[] for _ in listeners]
    for _ in range(rounds):
        for costs, (own, other) in zip(found, listeners, strict=True):
            costs.append(await cost(url, redis, load, own=own, other=other))
    alone, with_own, with_other, _ = (statistics.median(one for one, _ in costs) for costs in found)
    beside = statistics.median(one for _, one in found[-1])
    return f"{alone:>7.1f} | {with_own - alone:>8.1f} | {with_other - alone:>14.1f} | {beside:>5.1f}"


async def bench(folder: Path, events: int, rounds: int) -> None:
    """Measure and print."""
    kept_cores = cores()
    with DataFolder(folder / "servers") as servers:
        stack = Stack(servers)
        try:
            with kept_on(kept_cores.others):
                await stack.start()
            [redis] = [one.process.pid for one in stack.servers if one.name == "valkey" and one.process is not None]
            print(f"| {'µs an event':<22} | publish | hear own | hear another's | Redis |")
            print(f"|{'-' * 24}|--------:|---------:|---------------:|------:|")
            with kept_on({kept_cores.server}):
                for kept in (False, True):
                    for burst in BURSTS:
                        cells = await compare(stack.redis_url, redis, Load(events, burst, kept), rounds)
                        kind = "kept" if kept else "ephemeral"
                        print(f"| {f'{kind}, {burst} at once':<22} | {cells} |")
        finally:
            await stack.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sparkle-bench-") as folder, asyncio.Runner(loop_factory=HubLoop) as runner:
        Path(folder).chmod(0o711)  # as root, PostgreSQL runs as nobody and has to get through
        runner.run(bench(Path(folder), given.events, given.rounds))


if __name__ == "__main__":
    main()
