"""How long an event takes from the time it was due to the members on another node, when that node's core is half busy.

The rate is found by trying. Clients are the C load generator's: those in Node need two thirds of a core at a third of
this rate, and what is measured then is how long they wait for it. Beside it stand what cannot be better: how late
Redis has the same events at somebody who only subscribes, and how late this machine wakes up who only sleeps.
"""

import asyncio
import contextlib
import re
import statistics
import time
from collections.abc import AsyncIterator
from dataclasses import astuple, dataclass
from typing import Any

from hub.cluster.address import RedisAddress
from hub.cluster.link import Link
from load_tests.bench.cluster.one_node import Members, OneNode
from load_tests.bench.cluster.recovery_times import quantile
from load_tests.bench.errors import CannotMeasure
from load_tests.bench.processes import cpu_of

ROOM_SIZE = 10
ROOMS = 20
HALF = 0.5
"""Of a core. A run counts if it comes within CLOSE of it."""
CLOSE = 0.1
SECONDS = 3.0
FIRST_PER_SECOND = 1000.0
TRIES = 6
"""To find the rate: an event costs less the more of them come at once, so one guess from the first does not do."""
RUNS = 5
"""Of each kind, in turn."""
REST_S = 0.3
SLEEP_S = 0.001
SLEEPS = 2000
DUE = re.compile(rb'"?ts\W+(\d{19})')
"""When an event was due, in nanoseconds of the monotonic clock: in its body, whatever that is packed in."""


@dataclass(frozen=True, slots=True)
class Taken:
    """One run, or the medians of several."""

    per_second: float
    busy: float
    """Part of its core that the node used."""
    waited: float
    """Part of the time for which the node was ready and had no core: whatever else is on it, and its host's doing."""
    p50_ms: float
    p99_ms: float
    subscriber_p50_ms: float
    subscriber_p99_ms: float
    """The same events at a bare subscriber, which is on the core of Redis and the publisher."""


@dataclass(frozen=True, slots=True)
class HalfLoad:
    """What was seen."""

    kept: Taken
    ephemeral: Taken
    late_p99_ms: float
    """How late the machine wakes up a thread that sleeps a millisecond, while the node idles."""


async def measure_half_load(one: OneNode) -> HalfLoad:
    """Measure. About a minute. Raises CannotMeasure if events do not arrive, or no rate keeps the node half busy."""
    late_ms = await asyncio.to_thread(_late_ms)
    async with one.members(ROOMS, ROOM_SIZE) as members, _subscriber(one) as heard_ms:
        rates = {kept: await _rate(one, members, heard_ms, kept=kept) for kept in (True, False)}
        runs: dict[bool, list[Taken]] = {True: [], False: []}
        for _ in range(RUNS):
            for kept, rate in rates.items():
                runs[kept].append(await _run(one, members, heard_ms, rate, kept=kept))
    return HalfLoad(_median(runs[True]), _median(runs[False]), quantile(late_ms, 0.99))


def _late_ms() -> list[float]:
    late_ms = []
    for _ in range(SLEEPS):
        began = time.monotonic()
        time.sleep(SLEEP_S)
        late_ms.append((time.monotonic() - began - SLEEP_S) * 1000)
    return sorted(late_ms)


@contextlib.asynccontextmanager
async def _subscriber(one: OneNode) -> AsyncIterator[list[float]]:
    """How late each event came to somebody who only subscribes, in ms, as they come."""
    heard_ms: list[float] = []

    def take(reply: Any) -> None:
        if reply[0] == b"smessage" and (due := DUE.search(reply[2])):
            heard_ms.append(time.monotonic() * 1e3 - int(due[1]) / 1e6)

    link = await Link.open(RedisAddress.of(one.backends.redis_url))
    try:
        channels = [name for name in await link.call("PUBSUB", "SHARDCHANNELS") if b":c:room:" in name]
        link.listen(take)
        for channel in channels:
            link.send("SSUBSCRIBE", channel)
        yield heard_ms
    finally:
        link.close()


async def _rate(one: OneNode, members: Members, heard_ms: list[float], *, kept: bool) -> float:
    """Events a second that keep the node half busy."""
    per_second, tried = FIRST_PER_SECOND, list[str]()
    while len(tried) < TRIES:
        busy = (await _run(one, members, heard_ms, per_second, kept=kept)).busy
        if abs(busy - HALF) <= CLOSE:
            return per_second
        tried.append(f"{busy:.0%} at {per_second:.0f} events a second")
        per_second *= HALF / busy
    raise CannotMeasure(f"no rate keeps the node half busy: {', '.join(tried)}")


async def _run(one: OneNode, members: Members, heard_ms: list[float], per_second: float, *, kept: bool) -> Taken:
    count = int(per_second * SECONDS)
    await asyncio.sleep(REST_S)
    heard_ms.clear()
    await members.told("listen")
    before = cpu_of(one.node.pid)
    answer = await one.publisher.publish(members.rooms, kept=kept, count=count, per_second=per_second)
    used = cpu_of(one.node.pid).since(before)
    await asyncio.sleep(REST_S)
    seen = await members.told("count")
    if seen.deliveries != count * ROOM_SIZE or len(heard_ms) != count:
        raise CannotMeasure(f"{seen.deliveries} deliveries came in place of {count * ROOM_SIZE}")
    heard_ms.sort()
    return Taken(
        count / answer.seconds,
        busy=used.run_ns / 1e9 / answer.seconds,
        waited=used.wait_ns / 1e9 / answer.seconds,
        p50_ms=seen.p50_us / 1000,
        p99_ms=seen.p99_us / 1000,
        subscriber_p50_ms=quantile(heard_ms, 0.5),
        subscriber_p99_ms=quantile(heard_ms, 0.99),
    )


def _median(runs: list[Taken]) -> Taken:
    return Taken(*(statistics.median(column) for column in zip(*map(astuple, runs), strict=True)))
