"""The server of the conformance suites as a process: Socket.IO at /socket.io/, an Engine.IO echo at /engine.io/."""

import contextlib
import random
import socket
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.support.programs import Program, running
from tests.support.wait import until_sync

BARE_SERVER = (sys.executable, "-m", "load_tests.bare_server")
MAX_PAYLOAD = 1_000_000
"""What the server takes in one message or request, in bytes."""

_START_S = 30.0
_PORTS = range(20_000, 32_000)
"""Below 32768, where the kernel begins to give clients their ports."""


@dataclass(frozen=True)
class Pace:
    """How a server is set, in milliseconds."""

    name: str
    ping_interval_ms: int
    ping_timeout_ms: int
    connect_timeout_ms: int

    @property
    def flags(self) -> list[str]:
        """The command-line flags that set it so."""
        return [
            f"--ping-interval-ms={self.ping_interval_ms}",
            f"--ping-timeout-ms={self.ping_timeout_ms}",
            f"--connect-timeout-ms={self.connect_timeout_ms}",
        ]

    def __str__(self) -> str:
        return self.name


SHORT_PING = Pace("short-ping", 300, 200, 1_000)
"""The ping of the public suites, for what waits for one."""

NORMAL_PING = Pace("normal-ping", 25_000, 20_000, 45_000)
"""The defaults. Whatever ends within a second here was ended on purpose."""


@dataclass(frozen=True)
class BareServer:
    """A running server."""

    port: int
    pace: Pace
    program: Program


@contextlib.contextmanager
def running_bare_server(pace: Pace, command: Sequence[str] = BARE_SERVER) -> Iterator[BareServer]:
    """Start a server on a free port of the loopback; `command` is what the flags are appended to."""
    port = _free_port()
    with running([*command, f"--port={port}", *pace.flags]) as program:
        until_sync(lambda: _accepts(port, program), _START_S)
        yield BareServer(port, pace, program)
        assert program.popen.poll() is None, program.output


def _free_port() -> int:
    while True:
        port = random.choice(_PORTS)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


def _accepts(port: int, program: Program) -> bool:
    assert program.popen.poll() is None, program.output
    with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False
