"""The server of the conformance suites as a process: Socket.IO at /socket.io/, an Engine.IO echo at /engine.io/."""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tests.support.programs import Program, running

BARE_SERVER = (sys.executable, "-m", "load_tests.bare_server")
RELAYED_SERVER = (sys.executable, "-m", "load_tests.relayed_server")
"""The same, with each session on another node than the one that is asked."""
MAX_PAYLOAD = 1_000_000
"""What the server takes in one message or request, in bytes."""

_START_S = 30.0


@dataclass(frozen=True)
class Pace:
    """How a server is set, in milliseconds."""

    name: str
    ping_interval_ms: int
    ping_timeout_ms: int
    connect_timeout_ms: int
    relayed: bool = False
    """Whether each session is on another node."""

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

ANOTHER_NODE = replace(NORMAL_PING, name="another-node", relayed=True)
"""At the defaults, with each session on another node than the one that is asked."""


@dataclass(frozen=True)
class BareServer:
    """A running server."""

    port: int
    pace: Pace
    program: Program


@contextlib.contextmanager
def running_bare_server(pace: Pace, command: Sequence[str] = BARE_SERVER) -> Iterator[BareServer]:
    """Start a server on a free port of the loopback; `command` is what the flags are appended to."""
    with running([*command, "--port=0", *pace.flags]) as program:
        address = program.line_with("listening on http://127.0.0.1:", _START_S)
        yield BareServer(int(address.rpartition(":")[2]), pace, program)
        assert program.popen.poll() is None, program.output
