"""`sparkle-hub demo` against real hubs: every chapter is told; a node killed while two people write costs nothing."""

import contextlib
import os
import re
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs import Program, children_of, running
from tests.support.servers import Servers
from tests.support.wait import until_sync

CHAPTERS = [
    "Two people",
    "Two connections",
    "Presence",
    "A room",
    "A post",
    "A document",
    "A call",
    "A companion",
    "A token",
]
HUB = [sys.executable, "-m", "hub.cli"]


class RunningHub:
    """A `sparkle-hub run` that is ready."""

    def __init__(self, program: Program) -> None:
        self.program = program
        listens = program.line_with("Sparkle Hub listens on", timeout_s=60)
        self.url = re.findall(r"http://[^\s,]+", listens)[0]
        self.own_urls = re.findall(r"^node \S+ alone: (\S+)$", program.output, re.MULTILINE)

    @contextlib.contextmanager
    def one_killed(self) -> Iterator[None]:
        """kill -9 a node; afterwards wait until it has been started again."""
        restarts = self.program.output.count("is ready again")
        os.kill(children_of(self.program.pid)[0], signal.SIGKILL)  # the servers are not children of this hub
        yield
        until_sync(lambda: self.program.output.count("is ready again") > restarts, 30)


@contextlib.contextmanager
def running_hub(servers: Servers, nodes: int, data: Path, database_url: str) -> Iterator[RunningHub]:
    """A hub that the demo is shown; the one that the demo starts for itself is executed."""
    arguments = ["run", "--nodes", str(nodes), "--port", "0", "--data", str(data)]
    urls = {"DATABASE_URL": database_url, "REDIS_URL": servers.redis_url}
    with servers.forks.running(arguments, SPARKLE_MEDIA_SERVERS="0", **urls) as program:  # the demo's calls are a mesh
        yield RunningHub(program)


@pytest.fixture(scope="module")
def two_nodes(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """A hub of two nodes for several tests. A node that one of them killed is running again before the next."""
    with (
        servers.fresh_database() as database_url,
        running_hub(servers, 2, tmp_path_factory.mktemp("data"), database_url) as hub,
    ):
        yield hub


def assert_complete(demo: Program) -> None:
    code = demo.end(timeout_s=90)
    assert code == 0, demo.output
    assert_told(demo, CHAPTERS)


def assert_told(demo: Program, chapters: list[str]) -> None:
    told = iter(demo.lines)
    assert all(chapter in told for chapter in chapters), demo.output  # in this order
    assert "edits acknowledged, 0 lost" in demo.output


def assert_goes_on(demo: Program) -> None:
    """It is told as far as the chapters that are the same on any hub, and dear: a model and a chain have to start."""
    demo.line_with("A call", timeout_s=60)
    assert_told(demo, CHAPTERS[: CHAPTERS.index("A call") + 1])


def test_the_demo_observes_everything_across_the_two_nodes_behind_one_port(two_nodes: RunningHub) -> None:
    with running([*HUB, "demo", "--url", two_nodes.url]) as demo:
        assert_complete(demo)
    assert "the node is another than ada's" in demo.output
    assert "Traceback" not in demo.output


def test_no_acknowledged_edit_is_lost_when_a_node_is_killed_while_two_people_write(two_nodes: RunningHub) -> None:
    first, second = two_nodes.own_urls
    urls = ["--url", first, "--second-url", second]
    with running([*HUB, "demo", *urls, "--edits", "40", "--pace-ms", "40"]) as demo:
        demo.line_with("has 20 edits acknowledged", timeout_s=30)
        with two_nodes.one_killed():
            assert_goes_on(demo)
    assert demo.output.count("is back, on node") == 1, demo.output
    assert "80 edits acknowledged, 0 lost" in demo.output


def test_on_a_hub_of_one_node_the_demo_works_and_says_what_it_does_not_show(
    servers: Servers, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    with (
        running_hub(servers, 1, tmp_path, database_url) as hub,
        running([*HUB, "demo", "--url", hub.url, "--edits", "3"]) as demo,
    ):
        assert_goes_on(demo)
    assert "this hub has one node" in demo.output


def test_without_an_address_the_demo_runs_an_embedded_hub_and_leaves_nothing_behind(tmp_path: Path) -> None:
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o755)  # as root, the servers run as somebody else
    with running([*HUB, "demo", "--edits", "3"], TMPDIR=str(tmp_path)) as demo:
        assert_complete(demo)
    assert not any(is_listening(port) for port in ports_in(demo.output))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_the_demos_own_hub_ends_when_the_demo_is_ended(
    database_url: str, redis_url: str, tmp_path: Path, end: signal.Signals
) -> None:
    command = [*HUB, "demo"]
    with running(command, TMPDIR=str(tmp_path), DATABASE_URL=database_url, REDIS_URL=redis_url) as demo:
        demo.line_with("Presence", timeout_s=60)
        assert all(is_listening(port) for port in ports_in(demo.output))
        demo.send(end)
        demo.end()
    until_sync(lambda: not any(is_listening(port) for port in ports_in(demo.output)), 30)
    assert "Traceback" not in demo.output
    assert end == signal.SIGKILL or not list(tmp_path.iterdir())


def test_a_hub_that_is_not_there_fails_the_demo_in_a_sentence() -> None:
    with running([*HUB, "demo", "--url", f"http://127.0.0.1:{unused_port()}"]) as demo:
        assert demo.end(timeout_s=30) == 1
    assert "FAILED: Cannot connect to host 127.0.0.1" in demo.output
    assert "Traceback" not in demo.output


def ports_in(output: str) -> list[int]:
    ports = [int(port) for port in re.findall(r"uses http://127\.0\.0\.1:(\d+)", output)]
    assert len(ports) == 2, output
    return ports


def is_listening(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def unused_port() -> int:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        port: int = holder.getsockname()[1]
        return port
