"""hub.node as a process: what it says when it cannot start, and how it stops."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.hub import CHEAP
from tests.support.programs import running


def failed_start(tmp_path: Path, **environment: str) -> tuple[int, str]:
    """Exit code and last line of a node that cannot start; there must be no traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "hub.cli", "serve", "--port", "0", "--data", str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize("redis", ["redis://127.0.0.1:1/0", "redis://127.0.0.1:1/0?no_such=1"])
def test_a_node_without_redis_says_so_and_fails(database_url: str, tmp_path: Path, redis: str) -> None:
    code, line = failed_start(tmp_path, DATABASE_URL=database_url, REDIS_URL=redis)
    assert code == 1
    assert line.startswith("sparkle-hub: REDIS_URL: ")


def test_a_node_without_postgresql_says_so_and_fails(redis_url: str, tmp_path: Path) -> None:
    code, line = failed_start(tmp_path, DATABASE_URL="postgresql://127.0.0.1:1/x", REDIS_URL=redis_url)
    assert code == 1
    assert line.startswith("sparkle-hub: DATABASE_URL: ")


def test_a_node_that_may_wait_gives_up_in_the_end_with_the_reason(redis_url: str, tmp_path: Path) -> None:
    started = time.monotonic()
    code, line = failed_start(
        tmp_path, DATABASE_URL="postgresql://127.0.0.1:1/x", REDIS_URL=redis_url, SPARKLE_START_WAIT_S="0.5"
    )
    assert time.monotonic() - started > 0.5
    assert (code, line.startswith("sparkle-hub: DATABASE_URL: ")) == (1, True)


def test_a_node_that_may_wait_starts_once_its_servers_answer(database_url: str, redis_url: str, tmp_path: Path) -> None:
    """Valkey is reached through a link that appears only while the node waits."""
    link = tmp_path / "valkey.sock"
    command = [sys.executable, "-m", "hub.cli", "serve", "--port", "0", "--data", str(tmp_path), "--start-wait-s", "20"]
    environment = {**CHEAP, "DATABASE_URL": database_url, "REDIS_URL": f"unix://{link}"}
    with running(command, uid=None, inherit=(), **environment) as program:
        link.symlink_to(redis_url.removeprefix("unix://"))
        program.line_with("listens on", 20)


def test_a_node_that_is_told_to_stop_twice_stops_once_and_in_good_order(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "hub.cli", "serve", "--port", "0", "--data", str(tmp_path)]
    environment = {**CHEAP, "DATABASE_URL": database_url, "REDIS_URL": redis_url}
    with running(command, uid=None, inherit=(), **environment) as program:
        program.line_with("listens on", 20)
        program.send(signal.SIGTERM)
        program.send(signal.SIGTERM)
        assert program.end(15) == 0
        assert "Traceback" not in program.output
