"""One node on a core of its own, its members in the C load generator, and a publisher that is no node.

So every event comes from elsewhere, and what the node uses is for delivering alone.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from load_tests.bench.cluster.backends import Backends, running_backends
from load_tests.bench.cluster.nodes import Node, Nodes
from load_tests.bench.cluster.publishing import Publisher, running_publisher
from load_tests.bench.errors import CannotMeasure
from load_tests.bench.processes import allow_open_files, cores, kept_on
from load_tests.bench.transport.generator import Answer, Generator, compile_generator

ARRIVED_S = 10.0
LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class OneNode:
    """The node, the publisher, and what clients are made of."""

    node: Node
    publisher: Publisher
    backends: Backends
    program: Path
    others: Iterable[int]
    """The cores that the node is not on."""

    @contextlib.asynccontextmanager
    async def members(self, rooms: int, size: int) -> AsyncIterator["Members"]:
        """Clients in rooms of a size, connected and joined."""
        count = size * rooms
        options = self.backends.crowd.options(count, size)
        with Generator(
            self.program,
            ports=[self.node.port],
            connections=count,
            room_size=size,
            options=options,
            cores=self.others,
        ) as generator:
            await asyncio.to_thread(generator.command, "connect")
            await asyncio.to_thread(generator.command, "join")
            yield Members(generator, self.backends.crowd.rooms[:rooms], size)


@dataclass(frozen=True, slots=True)
class Members:
    """Clients in rooms."""

    generator: Generator
    rooms: Sequence[str]
    size: int

    async def told(self, command: str) -> Answer:
        """Give the generator a command."""
        return await asyncio.to_thread(self.generator.command, command)

    async def arrived(self, events: int) -> None:
        """Wait until all deliveries of so many events are there. Raises CannotMeasure if they are not."""
        wanted, came, loop = events * self.size, 0, asyncio.get_running_loop()
        end = loop.time() + ARRIVED_S
        while came < wanted and loop.time() < end:
            await asyncio.sleep(LOOK_S)
            came += (await self.told("count")).deliveries
        if came != wanted:
            raise CannotMeasure(f"{came} deliveries came in place of {wanted}")


@contextlib.asynccontextmanager
async def running_node(folder: Path, cache: Path, *, people: int, rooms: int) -> AsyncIterator[OneNode]:
    """Start everything. Raises CannotMeasure if something is missing."""
    kept = cores()
    program = await asyncio.to_thread(compile_generator, cache)
    allow_open_files(people + 500)
    with kept_on(kept.others):
        async with running_backends(folder, people=people, rooms=rooms) as backends:
            nodes = Nodes(1, backends.environment, folder)
            with kept_on({kept.server}):
                nodes.all[0].launch()
            try:
                await nodes.ready()
                async with running_publisher(backends.redis_url, 1, folder / "published.jsonl") as publisher:
                    yield OneNode(nodes.all[0], publisher, backends, program, kept.others)
            finally:
                await nodes.end()
