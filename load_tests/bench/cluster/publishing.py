"""A running publisher (:mod:`load_tests.bench.cluster.publisher`), and what it is told to publish."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec

from hub.config import environment
from load_tests.bench.cluster.history import Room
from load_tests.bench.cluster.publisher import Answer, Order
from load_tests.bench.errors import CannotMeasure

PROJECT = Path(__file__).parents[3]
SLACK_S = 30.0
"""Beyond the time that publishing at its pace takes."""


class Publisher:
    """The process, by its pid, and its one command."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    async def publish(
        self, rooms: Sequence[Room], *, kept: bool, count: int, per_second: float, at_once: int = 1
    ) -> Answer:
        """Publish so many events to these rooms in turn. Returns when they are in Redis."""
        assert self._process.stdin is not None
        order = Order(list(rooms), kept, count, per_second, at_once)
        self._process.stdin.write(msgspec.json.encode(order) + b"\n")
        return msgspec.json.decode(await self.answer(count / per_second + SLACK_S), type=Answer)

    async def answer(self, within_s: float) -> bytes:
        """Its next line. Raises CannotMeasure without one."""
        assert self._process.stdout is not None
        line = b""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                line = await self._process.stdout.readline()
        if not line:
            raise CannotMeasure("the publisher does not answer")
        return line


@contextlib.asynccontextmanager
async def running_publisher(redis_url: str, shards: int, history: Path) -> AsyncIterator[Publisher]:
    """Start it. What it publishes is added to ``history`` as Sending records."""
    inherited = {name: value for name, value in environment().items() if name in ("PATH", "HOME", "LANG")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "load_tests.bench.cluster.publisher", redis_url, str(shards), history),
        cwd=PROJECT,
        env=inherited,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    publisher = Publisher(process)
    try:
        await publisher.answer(SLACK_S)
        yield publisher
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
