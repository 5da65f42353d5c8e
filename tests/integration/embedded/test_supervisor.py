"""The supervisor with stand-ins for nodes: start, signals, deaths, refusals."""

import json
import os
import signal
import socket
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hub.embedded.locks import FileLock
from tests.support.programs import Program, children_of, is_alive, running
from tests.support.wait import until_sync

LAUNCHER = Path(__file__).parent / "launch_hub.py"


@contextmanager
def hub(data: Path, **options: str | int | bool) -> Iterator[Program]:
    arguments = {"data": str(data), "port": 0, **options}
    with running([sys.executable, LAUNCHER, json.dumps(arguments)]) as program:
        yield program


def address_in(line: str) -> str:
    return next(word.rstrip(",;") for word in line.split() if word.startswith("http://"))


def ask(url: str) -> dict[str, object]:
    with urllib.request.urlopen(url, timeout=5) as answer:
        body: dict[str, object] = json.load(answer)
    return body


def wait_until_up(program: Program) -> str:
    return address_in(program.line_with("Sparkle Hub listens on"))


def test_it_says_where_the_hub_and_each_node_listen(tmp_path: Path) -> None:
    with hub(tmp_path) as program:
        assert ask(wait_until_up(program))["name"] in {"n1", "n2"}
        for name in ("n1", "n2"):
            assert ask(address_in(program.line_with(f"node {name} alone")))["name"] == name


def test_nodes_get_the_given_environment_and_the_urls_and_nothing_else(tmp_path: Path) -> None:
    with hub(tmp_path) as program:
        environment = ask(wait_until_up(program))["environment"]
    assert isinstance(environment, dict)
    environment.pop("LC_CTYPE", None)  # added by Python itself where the locale is C
    assert environment == {
        "FROM_BASE": "yes",
        "DATABASE_URL": "postgresql://elsewhere/database",
        "REDIS_URL": "redis://elsewhere",
    }


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_signal_stops_everything_and_exits_0(tmp_path: Path, number: signal.Signals) -> None:
    with hub(tmp_path) as program:
        wait_until_up(program)
        nodes = children_of(program.pid)
        assert len(nodes) == 2
        program.send(number)
        assert program.end() == 0, program.output
        assert not any(is_alive(pid) for pid in nodes)


def test_real_servers_are_started_first_and_stopped_last(data: Path) -> None:
    with hub(data, servers=True) as program:
        url = wait_until_up(program)
        assert "starting PostgreSQL and Valkey, data in" in program.output
        environment = ask(url)["environment"]
        assert isinstance(environment, dict)
        assert environment["DATABASE_URL"].startswith("postgresql://sparkle@/postgres?host=/")
        processes = children_of(program.pid)
        assert len(processes) == 4
        program.send(signal.SIGINT)
        assert program.end() == 0, program.output
        assert not any(is_alive(pid) for pid in processes)


def test_ctrl_c_during_the_start_stops_what_has_been_started(data: Path) -> None:
    with hub(data, servers=True) as program:
        program.line_with("starting PostgreSQL and Valkey")
        program.send(signal.SIGINT)
        assert program.end() == 0, program.output
        assert not (data / "sockets").exists()
        assert program.output.endswith("stopped")
        for name in ("postgres", "valkey"):  # the lock is held by every process of a server
            with FileLock(data / f"{name}.lock") as lock:
                assert lock.try_acquire()


def test_a_second_ctrl_c_kills_nodes_that_do_not_stop(tmp_path: Path) -> None:
    with hub(tmp_path, mode="deaf") as program:
        wait_until_up(program)
        nodes = children_of(program.pid)
        program.send(signal.SIGINT)
        program.line_with("a second Ctrl-C")
        program.send(signal.SIGINT)
        assert program.end(timeout_s=5.0) == 0
        assert not any(is_alive(pid) for pid in nodes)


def test_a_node_that_dies_is_started_again_on_its_own_port(tmp_path: Path) -> None:
    with hub(tmp_path) as program:
        wait_until_up(program)
        own = address_in(program.line_with("node n1 alone"))
        before = ask(own)["pid"]
        assert isinstance(before, int)
        os.kill(before, signal.SIGKILL)
        program.line_with("node n1 was killed by SIGKILL; starting it again in 0.1 s")
        program.line_with("node n1 is ready again")
        assert ask(own)["pid"] != before


def test_a_node_that_ends_at_once_ends_the_start_with_its_code(tmp_path: Path) -> None:
    with hub(tmp_path, mode="exit") as program:
        assert program.end() == 2
        assert "exited with code 2 before it was ready" in program.output
        assert "cannot go on" in program.output  # what the node itself said


def test_nodes_end_with_a_killed_supervisor_and_the_next_one_gets_the_port(tmp_path: Path) -> None:
    with hub(tmp_path) as first:
        url = wait_until_up(first)
        nodes = children_of(first.pid)
        first.send(signal.SIGKILL)
        first.end()
        with hub(tmp_path, port=int(url.rpartition(":")[2])) as second:
            assert wait_until_up(second) == url
            until_sync(lambda: not any(is_alive(pid) for pid in nodes))


def test_a_port_in_use_is_refused_by_number(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with hub(tmp_path, port=port) as program:
            assert program.end() == 1
            assert f"error: port {port} on 127.0.0.1 is in use by another program" in program.output


def test_two_hubs_cannot_share_a_port(tmp_path: Path) -> None:
    with hub(tmp_path / "a") as first:
        port = int(wait_until_up(first).rpartition(":")[2])
        with hub(tmp_path / "b", port=port) as second:
            assert second.end() == 1
            assert f"port {port} on 127.0.0.1 is in use" in second.output


def test_a_second_hub_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    with hub(tmp_path) as first:
        wait_until_up(first)
        with hub(tmp_path) as second:
            assert second.end() == 1
            assert f"is in use by another Sparkle Hub (pid {first.pid})" in second.output
