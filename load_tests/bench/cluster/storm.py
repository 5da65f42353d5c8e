"""A cluster under load, broken by a schedule, and the history of it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from redis.exceptions import RedisError

from hub.kernel.tasks import Tasks
from load_tests.bench.cluster.backends import Backends, running_backends
from load_tests.bench.cluster.clients import QUIET_MS, Clients, running_clients
from load_tests.bench.cluster.faults import Faults
from load_tests.bench.cluster.history import AnyRecord, Fault, Ordered, read_history, write_line
from load_tests.bench.cluster.nodes import Nodes
from load_tests.bench.cluster.proxy import Proxy
from load_tests.bench.cluster.schedule import Planned
from load_tests.bench.cluster.witness import Witness
from load_tests.bench.errors import CannotMeasure

BEGIN_S = 30.0
"""Until all clients are connected and in their rooms."""
END_S = 45.0
"""After the last fault, until they are so again. The slowest waits for a heartbeat, a lease, and a node's start."""

HEARTBEAT = {"SPARKLE_SOCKETS_PING_INTERVAL_S": "3", "SPARKLE_SOCKETS_PING_TIMEOUT_S": "3"}
"""Black holes are found by heartbeats: with the usual 25 s and 20 s a run would wait for little else."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything."""

    nodes: int = 3
    clients: int = 24
    rooms: int = 6
    per_second: float = 20.0
    """Kept messages, of all clients together."""
    churn: float = 0.2
    """How likely a client enters or leaves a room within a second."""
    shards: int = 2
    """Of the order of events: with more than one, what a client holds is a position on each."""


@dataclass(slots=True)
class Storm:
    """What came of it."""

    history: list[AnyRecord]
    done: dict[str, int]
    in_vain: dict[str, int]
    seconds: float
    settled: bool
    """Whether all clients were connected, in their rooms, and had an answer to everything at the end."""
    tracebacks: list[str] = field(default_factory=list)
    """Lines of the nodes' logs that begin one."""


class _Journal:
    """Writes down what happens on our side. Implements faults.Log."""

    def __init__(self, file: BinaryIO, tell: Callable[[str], None]) -> None:
        self._file = file
        self._tell = tell

    def fault(self, planned: Planned, what: str, *, over: bool = False) -> None:
        """See faults.Log."""
        self._write(Fault(_now_ms(), planned.number, planned.kind, what, over))
        if not over:
            self._tell(f"{planned.number}: {planned.kind}, {what}")

    def ordered(self, room: str, event: str, number: int) -> None:
        """For the witness."""
        self._write(Ordered(_now_ms(), room.removeprefix("room:"), event, number))

    def _write(self, record: AnyRecord) -> None:
        self._file.write(write_line(record))


async def raise_storm(
    folder: Path,
    cache: Path,
    backends: Backends,
    nodes: Nodes,
    schedule: Sequence[Planned],
    seed: int,
    size: Size,
    tell: Callable[[str], None],
) -> Storm:
    """Break a running cluster. ``folder`` keeps the history (``*.jsonl``).

    Raises CannotMeasure if something is missing, or a node does not come up again.
    """
    began = time.monotonic()
    with (folder / "cluster.jsonl").open("wb") as file:
        async with contextlib.AsyncExitStack() as held:
            journal = _Journal(file, tell)
            faults, clients = await held.enter_async_context(
                _clients_of(backends, nodes, folder, cache, journal, seed, size)
            )
            await clients.tell("talk", perSecond=size.per_second, churn=size.churn)
            for planned in schedule:
                await asyncio.sleep(planned.pause_s)
                await faults.do(planned)
            await faults.mended()
            await nodes.ready()
            settled = await _settle(clients)
            await clients.end()
    logs = [line for node in nodes.all for line in node.said().splitlines() if "Traceback" in line]
    history = await asyncio.to_thread(read_history, folder / "clients.jsonl", folder / "cluster.jsonl")
    return Storm(history, faults.done, faults.in_vain, time.monotonic() - began, settled, logs)


@contextlib.asynccontextmanager
async def running_cluster(folder: Path, seed: int, size: Size) -> AsyncIterator[tuple[Backends, Nodes]]:
    """PostgreSQL, Valkey and the nodes, in ``folder``, which keeps the nodes' logs.

    There are twice as many rooms as asked for: what is measured before the storm has the second half.
    """
    async with running_backends(folder, people=size.clients, rooms=2 * size.rooms) as backends:
        shards = {"SPARKLE_CLUSTER_SHARDS": str(size.shards)}
        nodes = Nodes(size.nodes, backends.environment | HEARTBEAT | shards, folder, seed)
        try:
            await nodes.start()
            yield backends, nodes
        finally:
            await nodes.end()


@contextlib.asynccontextmanager
async def _clients_of(
    backends: Backends, nodes: Nodes, folder: Path, cache: Path, journal: _Journal, seed: int, size: Size
) -> AsyncIterator[tuple[Faults, Clients]]:
    async with contextlib.AsyncExitStack() as held:
        proxy = Proxy(nodes.ports, seed)
        port = await held.enter_async_context(proxy.listen())
        rooms = backends.crowd.rooms[: size.rooms]
        witness = Witness(backends.redis_url, [f"room:{room}" for room in rooms], journal.ordered)
        tasks = Tasks()
        held.push_async_callback(tasks.close)
        tasks.start(witness.run(), name="witness")
        clients = await held.enter_async_context(
            running_clients(
                folder,
                cache,
                urls=[f"http://127.0.0.1:{port}"],
                tokens=backends.crowd.tokens(size.clients),
                rooms=rooms,
                seed=seed,
            )
        )
        if not await clients.still(BEGIN_S):
            raise CannotMeasure(f"the clients are not in their rooms after {BEGIN_S:.0f} s")
        faults = Faults(backends, nodes, proxy, clients, witness, journal)
        held.push_async_callback(faults.close)
        yield faults, clients
        with contextlib.suppress(RedisError, OSError):
            await witness.look()


async def _settle(clients: Clients) -> bool:
    """Let everything come to rest, with a last message to every room, which shows whether its members still hear."""
    await clients.tell("calm")
    calm = await clients.still(END_S)
    await clients.tell("last")
    return await clients.still(END_S, QUIET_MS) and calm


def _now_ms() -> float:
    return time.monotonic() * 1000
