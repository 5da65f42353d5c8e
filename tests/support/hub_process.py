"""A real hub in processes of its own: `sparkle-hub run` over the test session's servers, and its nodes by name."""

import contextlib
import itertools
import os
import signal
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

import msgspec
import redis

from tests.support.hub import CHEAP
from tests.support.programs import Program, children_of, running
from tests.support.servers import Servers
from tests.support.wait import until_sync

START_S = 30.0
"""A start takes two seconds; on a machine with other work it has taken ten."""


class Live(msgspec.Struct, rename="camel"):
    """What `/health/live` answers."""

    node_id: str


@dataclass(frozen=True)
class Node:
    """One node and its successors: the supervisor starts it again under the same name and address."""

    name: str
    url: str
    """Where this node answers, and no other."""
    supervisor: int

    @property
    def pid(self) -> int:
        """The process that is this node at the moment."""
        pid = until_sync(self._find)
        assert pid is not None
        return pid

    @property
    def node_id(self) -> str:
        """The id of the process that is this node at the moment. Raises URLError while there is none."""
        with urllib.request.urlopen(f"{self.url}/health/live", timeout=5) as answer:
            return msgspec.json.decode(answer.read(), type=Live).node_id

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Stop it in its tracks, and let it go on afterwards."""
        pid = self.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def is_ready(self) -> bool:
        """Whether it says of itself that it is."""
        try:
            with urllib.request.urlopen(f"{self.url}/health/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):  # refused, reset, or 503
            return False

    def _find(self) -> int | None:
        for pid in children_of(self.supervisor):
            with contextlib.suppress(OSError):  # it may end while we look
                if Path(f"/proc/{pid}/comm").read_text().rstrip() == self.name:  # it was forked
                    return pid
                command = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
                if ("--node-name", self.name) in itertools.pairwise(command):
                    return pid
        return None


@dataclass(frozen=True)
class HubProcess:
    """A running hub. `url` is the port that its nodes share."""

    url: str
    nodes: tuple[Node, ...]
    program: Program
    database_url: str

    def admin(self, *words: str) -> str:
        """Run `sparkle-hub admin` beside it, and give what that printed."""
        command = [sys.executable, "-m", "hub.cli", "admin", *words]
        with running(command, uid=None, inherit=(), DATABASE_URL=self.database_url) as program:
            assert program.end(START_S) == 0, program.output
            return program.output

    @property
    def output(self) -> str:
        """Everything that supervisor and nodes have written, logs included."""
        return self.program.output

    def other(self, node: Node) -> Node:
        """Of two nodes, the one that is not `node`."""
        return next(one for one in self.nodes if one != node)

    def wait_until_ready(self) -> None:
        """Wait until every node is ready; for after a test that ended one."""
        until_sync(lambda: all(node.is_ready() for node in self.nodes), START_S)


@contextlib.contextmanager
def running_hub_process(
    servers: Servers, data: Path, *, nodes: int = 2, redis_url: str | None = None, **environment: str
) -> Iterator[HubProcess]:
    """Start a hub on an empty database and an empty Valkey, and stop it in good order within a bounded time.

    `data` is the folder of its key, `redis_url` an empty Redis to use instead. `environment` are settings beside those
    of every test.
    """
    if redis_url is None:
        redis_url = servers.redis_url
        with redis.Redis.from_url(redis_url) as client:
            client.flushall()
            client.function_flush()
    arguments = ["run", "--nodes", str(nodes), "--port", "0", "--data", str(data)]
    with servers.fresh_database() as database_url:
        urls = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
        with servers.forks.running(arguments, **{**CHEAP, **urls, **environment}) as program:
            shared = _address(program, "Sparkle Hub listens on")
            names = [f"n{number}" for number in range(1, nodes + 1)]
            found = tuple(Node(name, _address(program, f"node {name} alone"), program.pid) for name in names)
            yield HubProcess(shared, found, program, database_url)


def _address(program: Program, beginning: str) -> str:
    line = program.line_with(beginning, START_S)
    return next(word.rstrip(",;") for word in line.split() if word.startswith("http://"))
