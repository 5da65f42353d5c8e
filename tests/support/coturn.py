"""A coturn with the configuration that the hub ships, on the loopback."""

import contextlib
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.programs import PROJECT, running
from tests.support.wait import until_sync

SECRET = "north-star-of-the-tests"
"""Its ``static-auth-secret``."""


@dataclass(frozen=True)
class Coturn:
    """A running one; it takes UDP and TCP on one port."""

    port: int

    def url(self, transport: str) -> str:
        """As in RTCIceServer. ``transport`` is ``udp`` or ``tcp``."""
        return f"turn:127.0.0.1:{self.port}?transport={transport}"


@contextlib.contextmanager
def running_coturn(*options: str) -> Iterator[Coturn]:
    """Start it with these options beside the shipped ones. Skips without the program; a failure in CI."""
    program = shutil.which("turnserver")
    if program is None:
        lacking = "turnserver (Debian's coturn) is not installed"
        if os.environ.get("SPARKLE_TEST_ALL"):  # noqa: TID251 about this test run, not about the hub
            pytest.fail(f"SPARKLE_TEST_ALL is set, and {lacking}")
        pytest.skip(lacking)
    port = _unused_port()
    shipped = ["-c", str(PROJECT / "deploy" / "turnserver.conf")]
    here = ["--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", f"--listening-port={port}"]
    with tempfile.TemporaryDirectory() as folder:
        files = [f"--pidfile={folder}/pid", f"--userdb={folder}/users"]
        command = [program, *shipped, *here, *files, f"--static-auth-secret={SECRET}", *options]
        with running(command) as coturn:
            # It keeps its log back when that is no terminal, so the port says that it is there
            until_sync(lambda: _listens(port) or coturn.popen.poll() is not None)
            assert coturn.popen.poll() is None, coturn.output
            yield Coturn(port)


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def _unused_port() -> int:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        port: int = holder.getsockname()[1]
        return port
