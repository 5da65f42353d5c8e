"""One node process: how it is started, when it is ready, how it is kept running."""

import asyncio
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hub.embedded.spawn import Process, spawn
from hub.supervisor.errors import StartError

READY_S = 60.0  # includes waiting for another node's migrations
DRAIN_S = 25.0  # a node sends its clients elsewhere, and finishes what it has begun
_READY_POLL_S = 0.03
_ANSWER_S = 2.0
_FIRST_DELAY_S = 0.1
_LONGEST_DELAY_S = 5.0
_SETTLED_S = 10.0  # a node that ran this long before it died starts the back-off anew


@dataclass(frozen=True)
class NodeSpec:
    """What a node is told: its name, the shared address, its own loopback port and those of all nodes."""

    name: str
    host: str
    port: int
    own_port: int
    peer_ports: tuple[int, ...]
    data: Path
    start_wait_s: float = 0.0
    """How long the node waits for servers that do not answer yet: it is started beside them, and imports meanwhile."""

    @property
    def own_url(self) -> str:
        """Where this node, and no other, answers; the browser tests and the health check use it."""
        return f"http://127.0.0.1:{self.own_port}"


def serve_command(spec: NodeSpec) -> Sequence[str]:
    """The command line of a node: this Python, with -P if we were started with it."""
    python = [sys.executable, *(["-P"] if sys.flags.safe_path else [])]
    return [
        *(*python, "-m", "hub.cli", "serve", "--host", spec.host, "--port", str(spec.port)),
        *("--own-port", str(spec.own_port), "--peer-ports", ",".join(map(str, spec.peer_ports))),
        *("--reuse-port", "--data", str(spec.data), "--node-name", spec.name),
        *("--start-wait-s", str(spec.start_wait_s)),
    ]


def media_command(spec: NodeSpec) -> Sequence[str]:
    """The command line of a media server, whose commands are on the ``own_port``."""
    python = [sys.executable, *(["-P"] if sys.flags.safe_path else [])]
    return [
        *(*python, "-m", "hub.cli", "media", "--http-port", str(spec.own_port)),
        *("--data", str(spec.data)),
        *("--node-name", spec.name, "--start-wait-s", str(spec.start_wait_s)),
    ]


class Node:
    """A node process and its successors, or a media server and its own. Its output goes where ours goes."""

    def __init__(
        self,
        spec: NodeSpec,
        *,
        command: Sequence[str],
        environment: Mapping[str, str],
        lock: int,
        announce: Callable[[str], None],
        title: str = "node",
    ) -> None:
        """`lock` is inherited by the process: it tells the next start that this node has really gone."""
        self.spec = spec
        self._called = f"{title} {spec.name}"
        self._command = command
        self._environment = environment
        self._lock = lock
        self._announce = announce
        self._process: Process | None = None

    async def start(self) -> None:
        """Start it and wait until it is ready; raises StartError when it ends before, or takes too long."""
        self._process = process = spawn(
            self._command,
            environment=self._environment,
            when_parent_dies=signal.SIGTERM,
            inherit=[self._lock],
        )
        end = time.monotonic() + READY_S
        while not await answers_ready(self.spec.own_port):
            if (code := process.exit_code) is not None:
                raise StartError(
                    f"{self._called} {process.end} before it was ready; the reason is above",
                    code if code > 0 else 128 - code,  # what a shell reports for a signal
                )
            if time.monotonic() > end:
                raise StartError(f"{self._called} is not ready after {READY_S:.0f} s")
            await asyncio.sleep(_READY_POLL_S)

    async def keep_running(self) -> None:
        """Start it again whenever it ends, until cancelled. Needs a first `start`."""
        delay_s, started = _FIRST_DELAY_S, time.monotonic()
        while self._process is not None:
            await self._process.wait()
            if time.monotonic() - started > _SETTLED_S:
                delay_s = _FIRST_DELAY_S
            self._announce(f"{self._called} {self._process.end}; starting it again in {delay_s:g} s")
            await asyncio.sleep(delay_s)
            delay_s, started = min(2 * delay_s, _LONGEST_DELAY_S), time.monotonic()
            try:
                await self.start()
            except StartError as error:
                self._announce(str(error))
                await self.stop()  # no effect on one that has ended
            else:
                self._announce(f"{self._called} is ready again after {time.monotonic() - started:.1f} s")

    async def stop(self) -> None:
        """Let it drain for up to 25 s, then kill it. Idempotent."""
        if self._process is not None:
            await self._process.stop(signal.SIGTERM, DRAIN_S)

    def kill(self) -> None:
        """End it at once; `stop` or `keep_running` notice."""
        if self._process is not None:
            self._process.send(signal.SIGKILL)


async def answers_ready(port: int) -> bool:
    """Whether `GET /health/ready` on the loopback answers 200. One short request needs no HTTP client."""
    try:
        async with asyncio.timeout(_ANSWER_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(b"GET /health/ready HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                status_line = await reader.readline()
            finally:
                writer.close()
    except OSError:  # refused, reset, or TimeoutError
        return False
    return status_line.split()[1:2] == [b"200"]
