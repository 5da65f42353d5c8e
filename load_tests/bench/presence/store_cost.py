"""What presence costs Redis and its readers: a bulk read, and memory."""

import asyncio
import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from redis.asyncio import Redis

from hub.kernel.clock import SystemClock
from hub.kernel.ids import UserId
from hub.storage.redis import connect
from hub.transport.eager import HubLoop
from presence.store_redis import RedisPresenceStore

READS = 200
KEYS = "hub:presence:*"
AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class StoreCost:
    """What was seen."""

    read_ms: Sequence[float]
    """A read of so many users as a connection may watch; sorted."""
    users: int
    bytes_per_user: float
    """All keys of presence, with what Redis needs around them, over the users who are online."""


async def measure_store(redis_url: str, users: Sequence[UserId], at_once: int) -> StoreCost:
    """Measure on a cluster where these users are online, and nobody else."""
    # In a process of its own, as a node is one: beside ten thousand clients of aiohttp a read took half as long again.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        asked = list(users[:at_once])
        times = await asyncio.get_running_loop().run_in_executor(process, _read_again_and_again, redis_url, asked)
    async with connect(redis_url, size=20) as redis:
        return StoreCost(sorted(times), len(users), await _bytes(redis) / len(users))


def _read_again_and_again(redis_url: str, asked: Sequence[UserId]) -> list[float]:
    """The milliseconds of each read."""

    async def read() -> list[float]:
        async with connect(redis_url, size=20) as redis:
            store, clock, times = RedisPresenceStore(redis), SystemClock(), []
            for _ in range(READS):
                began = time.perf_counter()
                await store.read(asked, clock.now_ms())
                times.append((time.perf_counter() - began) * 1000)
            return times

    with asyncio.Runner(loop_factory=HubLoop) as runner:
        return runner.run(read())


async def _bytes(redis: Redis) -> int:
    keys = [key async for key in redis.scan_iter(match=KEYS, count=1000)]
    total = 0
    for start in range(0, len(keys), AT_ONCE):
        pipe = redis.pipeline(transaction=False)
        for key in keys[start : start + AT_ONCE]:
            pipe.execute_command("MEMORY", "USAGE", key, "SAMPLES", 0)
        total += sum(await pipe.execute())
    return total
