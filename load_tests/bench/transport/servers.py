"""The servers that are measured: started on the server's core, one at a time, and ended again."""

import contextlib
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hub.config import environment
from load_tests.bench.cache import compiled, node_packages
from load_tests.bench.errors import CannotMeasure
from load_tests.bench.processes import Cores, free_port, kept_on
from load_tests.bench.transport.backends import POSTGRES, REDIS, Backends
from load_tests.bench.transport.crowd import Crowd

PROJECT = Path(__file__).parents[3]
PEERS_FOLDER = PROJECT / "load_tests" / "peers"
BARE_SERVER = PROJECT / "load_tests" / "bare_server.py"

OURS = ("hub", "transport")
PEERS = ("node", "node-redis", "node-streams", "stock", "stock-redis", "floor", "floor-coalescing")
NAMES = {
    "hub": "hub",
    "transport": "transport alone",
    "node": "Node ws",
    "node-redis": "Node with Redis",
    "node-streams": "Node with Redis Streams and recovery",
    "stock": "stock python-socketio",
    "stock-redis": "stock python-socketio with Redis",
    "floor": "C floor",
    "floor-coalescing": "C floor, coalescing",
}
WORK_BESIDE = {"hub": (REDIS, POSTGRES), "node-redis": (REDIS,), "node-streams": (REDIS,), "stock-redis": (REDIS,)}
"""Whose CPU is shown beside a server's; these servers need what works for them."""

WIDE_LIMITS = {"SPARKLE_LIMITS_OVERRIDES": "*=60000000/1000000"}
"""Of a measured hub: nobody meets them, and each event is counted as it always is."""

START_S = 30.0
STOP_S = 15.0


@dataclass(frozen=True, slots=True)
class Server:
    """A running server, of one node or of several."""

    ports: Sequence[int]
    """Where clients connect, one of each node."""
    pids: Sequence[int]
    crowd: Crowd | None = None
    """For a hub: who connects."""
    beside: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """Processes that work for it, by what they are."""

    @property
    def afterwork_s(self) -> float:
        """How long after its clients have gone it may begin to do something about it.

        A hub holds people for five seconds before others see them go. With thousands of them that takes seconds, in
        the middle of what is measured next.
        """
        return 0.0 if self.crowd is None else 6.0


@dataclass(frozen=True)
class Hosts:
    """What is needed to start any of them."""

    cores: Cores
    cache: Path
    draw: random.Random
    backends: Backends | None
    """Redis, PostgreSQL and the people in it; for those that need them."""
    running_hub: Server | None = None
    """A hub that runs already (``--url``)."""

    @contextlib.contextmanager
    def running(self, name: str, *, nodes: int = 1) -> Iterator[Server]:
        """Start a server of ``OURS`` or ``PEERS``, of so many nodes, all on the server's core.

        Raises CannotMeasure if it does not answer.
        """
        if name == "hub" and self.running_hub is not None:
            yield self.running_hub
            return
        ports = [free_port(self.draw) for _ in range(nodes)]
        with contextlib.ExitStack() as stack:
            pids = [stack.enter_context(self._process(name, *self._command(name, port), port)).pid for port in ports]
            crowd = self._needed().crowd if name == "hub" else None
            beside = {what: self._needed().processes[what] for what in WORK_BESIDE.get(name, ())}
            yield Server(ports, pids, crowd, beside)

    def _command(self, name: str, port: int) -> tuple[list[str], dict[str, str]]:
        """What to start, and what to put into its environment."""

        def redis() -> list[str]:
            return [self._needed().redis_url]

        commands: Mapping[str, Callable[[], list[str]]] = {
            "transport": lambda: [*_module("load_tests.bare_server", port), "--no-auth-event"],
            "stock": lambda: _module("load_tests.peers.stock_server", port),
            "stock-redis": lambda: [*_module("load_tests.peers.stock_server", port), "--redis", *redis()],
            "node": lambda: self._node(port),
            "node-redis": lambda: [*self._node(port), *redis()],
            "node-streams": lambda: [*self._node(port), *redis(), "streams"],
            "floor": lambda: [str(compile_floor(self.cache)), str(port)],
            "floor-coalescing": lambda: [str(compile_floor(self.cache)), str(port), "coalesce"],
        }
        if name != "hub":
            return commands[name](), {"NODE_ENV": "production"}
        backends = self._needed()
        own_port = free_port(self.draw)
        serve = [sys.executable, "-m", "hub.cli", "serve", "--port", str(port), "--own-port", str(own_port)]
        urls = {"DATABASE_URL": backends.database_url, "REDIS_URL": backends.redis_url}
        return [*serve, "--data", str(backends.data), "--start-wait-s", "10"], urls | WIDE_LIMITS

    def _node(self, port: int) -> list[str]:
        packages = node_packages(PEERS_FOLDER / "node", self.cache)
        return [shutil.which("node") or "node", str(packages / "server.mjs"), str(port)]

    def _needed(self) -> Backends:
        assert self.backends is not None
        return self.backends

    @contextlib.contextmanager
    def _process(
        self, name: str, command: Sequence[str], more: Mapping[str, str], port: int
    ) -> Iterator[subprocess.Popen[bytes]]:
        inherited = {name: value for name, value in environment().items() if name in ("PATH", "HOME", "LANG")}
        with tempfile.TemporaryFile() as log, kept_on({self.cores.server}):
            process = subprocess.Popen(
                command, cwd=PROJECT, env=inherited | dict(more), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
            with kept_on(self.cores.others):
                try:
                    _until_it_answers(process, port)
                    yield process
                except CannotMeasure as error:
                    log.seek(0)
                    said = log.read().decode(errors="replace").strip()[-2000:]
                    raise CannotMeasure(f"{NAMES[name]}: {error}\n{said}".rstrip()) from None
                finally:
                    _end(process)


def compile_floor(cache: Path) -> Path:
    """The C floor. Raises CannotMeasure without a C compiler."""
    return compiled("floor", [PEERS_FOLDER / "floor.c"], cache)


def available(name: str) -> bool:
    """Whether this checkout has the server."""
    return name != "transport" or BARE_SERVER.exists()


def _until_it_answers(process: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
            return
        time.sleep(0.02)
    if process.poll() is None:
        raise CannotMeasure(f"it does not answer after {START_S:.0f} s")
    raise CannotMeasure(f"it ended with code {process.returncode} instead of answering")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _module(name: str, port: int) -> list[str]:
    return [sys.executable, "-m", name, "--port", str(port)]
