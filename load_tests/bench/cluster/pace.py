"""How long an event takes to the members on another node, at a pace, and how many messages that is between nodes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from load_tests.bench.cluster.backends import Backends
from load_tests.bench.cluster.clients import running_clients
from load_tests.bench.cluster.history import Got, Sending, read_history
from load_tests.bench.cluster.message_count import counting_messages
from load_tests.bench.cluster.nodes import Nodes
from load_tests.bench.cluster.publishing import running_publisher
from load_tests.bench.errors import CannotMeasure
from load_tests.bench.processes import cpu_of

PER_SECOND = 150.0
SECONDS = 6.0
WARM_UP_S = 1.0
CLIENTS = 12
"""Four in each of three rooms, if rooms are spread evenly: the clients and not the nodes should be idle."""
BEGIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Pace:
    """What was seen."""

    per_second: float
    kept_ms: Sequence[float]
    """From publishing a kept event, in a process of its own, to each client that got it; sorted."""
    ephemeral_ms: Sequence[float]
    messages: float
    """Messages to a node for each event."""
    busy: float
    """Part of a core that the busiest node used: how far from its most this was."""


async def measure_pace(folder: Path, cache: Path, backends: Backends, nodes: Nodes, *, shards: int, seed: int) -> Pace:
    """Measure on a cluster that does nothing else. ``folder`` is for histories. About 15 s."""
    rooms = backends.crowd.rooms[len(backends.crowd.rooms) // 2 :]
    published = folder / "published.jsonl"
    async with (
        running_publisher(backends.redis_url, shards, published) as publisher,
        running_clients(
            folder,
            cache,
            urls=[f"http://127.0.0.1:{node.port}" for node in nodes.all],
            tokens=backends.crowd.tokens(CLIENTS),
            rooms=rooms,
            seed=seed,
            kinds=["websocket"],
        ) as clients,
    ):
        if not await clients.still(BEGIN_S):
            raise CannotMeasure(f"the clients are not in their rooms after {BEGIN_S:.0f} s")
        count = int(PER_SECOND * SECONDS)
        for kept in (True, False):
            await publisher.publish(rooms, kept=kept, count=int(PER_SECOND * WARM_UP_S), per_second=PER_SECOND)
        began_ms = time.monotonic() * 1000
        async with counting_messages(backends.redis_url, rooms) as messages:
            before = [cpu_of(node.pid).run_ns for node in nodes.all]
            kept_answer = await publisher.publish(rooms, kept=True, count=count, per_second=PER_SECOND)
            busy = max(cpu_of(node.pid).run_ns - was for node, was in zip(nodes.all, before, strict=True))
            per_node = await messages.per_node(len(nodes.all))
        middle_ms = time.monotonic() * 1000
        await publisher.publish(rooms, kept=False, count=count, per_second=PER_SECOND)
        await clients.still(BEGIN_S, quiet_ms=300.0)
        await clients.end()
    sent: dict[str, float] = {}
    kept_ms: list[float] = []
    ephemeral_ms: list[float] = []
    for record in read_history(published, folder / "clients.jsonl"):
        if isinstance(record, Sending) and record.t >= began_ms:
            sent[record.id] = record.t
        elif isinstance(record, Got) and record.id in sent:
            (kept_ms if sent[record.id] < middle_ms else ephemeral_ms).append(record.t - sent[record.id])
    if not kept_ms or not ephemeral_ms:
        raise CannotMeasure("nothing that was published came to any client")
    part = busy / 1e9 / kept_answer.seconds
    return Pace(PER_SECOND, sorted(kept_ms), sorted(ephemeral_ms), per_node / count, part)
