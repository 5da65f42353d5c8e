"""The fork server (tests/support/fork_server.py) as tests see it: hubs that are there in a moment."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import IO

import msgspec

from tests.support.fork_server import Request
from tests.support.programs import ENVIRONMENT, Program, ended_afterwards

START_S = 30.0
"""The first request waits until the server has imported everything, a second."""


class ForkServer:
    """Forks hubs until it is closed. It ends by itself if this process does."""

    def __init__(self) -> None:
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            descriptor = theirs.fileno()
            command = [sys.executable, "-P", "-m", "tests.support.fork_server", str(descriptor)]
            self._server = subprocess.Popen(
                command, env=ENVIRONMENT, cwd="/", stdin=subprocess.DEVNULL, pass_fds=[descriptor]
            )

    @contextlib.contextmanager
    def running(self, arguments: Sequence[str], **environment: str) -> Iterator[Program]:
        """`sparkle-hub` with these arguments: as tests.support.programs.running, but forked."""
        request = Request(list(arguments), {**ENVIRONMENT, **environment})
        read, write = os.pipe()
        status, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            socket.send_fds(self._requests, [msgspec.json.encode(request)], [theirs.fileno(), write])
        finally:
            os.close(write)
            theirs.close()
        with status, ended_afterwards(Program(_Forked(status, os.fdopen(read)))) as program:
            yield program

    def close(self) -> None:
        """End it. What it has forked goes on."""
        self._requests.close()
        self._server.wait(START_S)


class _Forked:
    """Implements tests.support.programs.Child: its exit code comes from whoever is its parent."""

    def __init__(self, status: socket.socket, stdout: IO[str]) -> None:
        self.stdout: IO[str] | None = stdout
        self._status = status
        status.settimeout(START_S)
        self.pid = int(status.recv(16))
        self._code: int | None = None

    def poll(self) -> int | None:
        """Its exit code, once it has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises TimeoutExpired."""
        if self._code is None:
            self._status.settimeout(timeout)
            try:
                self._code = int(self._status.recv(16))
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired("a forked hub", timeout or 0.0) from None
        return self._code

    def send_signal(self, sig: int) -> None:
        """Nothing happens if it has ended."""
        if self.poll() is None:
            os.kill(self.pid, sig)
