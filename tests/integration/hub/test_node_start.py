"""hub.node as a process: what it says when it cannot start, and how it stops."""

import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.error import HTTPError

import msgspec
import pytest
import redis

from hub.cluster.leases import ADDRESSES
from hub.kernel.ports import NodeAddress
from hub.transport.forwarding.hop import CLIENT, SECRET
from hub.transport.forwarding.private_socket import is_ours
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


def status_of_refusal(target: str, **headers: str) -> int:
    with pytest.raises(HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(target, headers=headers), timeout=5)
    with refused.value as answer:
        return answer.code


def test_a_node_with_a_name_for_other_machines_publishes_it_and_lets_nobody_in_without_the_secret(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    secret = "s" * 32
    command = [sys.executable, "-m", "hub.cli", "serve", "--port", "0", "--data", str(tmp_path)]
    environment = {**CHEAP, "DATABASE_URL": database_url, "REDIS_URL": redis_url}
    cluster = {"SPARKLE_CLUSTER_HOST": "127.0.0.1", "SPARKLE_CLUSTER_SECRET": secret}
    with running(command, uid=None, inherit=(), **environment, **cluster) as program:
        program.line_with("listens on", 20)
        with redis.Redis.from_url(redis_url) as client:
            ((_, published),) = client.hgetall(ADDRESSES).items()
        address = msgspec.json.decode(published, type=NodeAddress)
        assert address.host == "127.0.0.1"
        assert is_ours(address.socket)
        folder = Path(address.socket).parent
        target = f"http://127.0.0.1:{address.port}/socket.io/?EIO=4&transport=polling&sid=unknown"
        assert status_of_refusal(target) == 403
        assert status_of_refusal(target, **{SECRET: secret, CLIENT: "192.0.2.7 5"}) == 400
        program.send(signal.SIGTERM)
        assert program.end(15) == 0
    with redis.Redis.from_url(redis_url) as client:
        assert client.hgetall(ADDRESSES) == {}
    assert not folder.exists()


def test_a_port_for_nodes_that_is_taken_is_named(database_url: str, redis_url: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, line = failed_start(
            tmp_path,
            DATABASE_URL=database_url,
            REDIS_URL=redis_url,
            SPARKLE_CLUSTER_HOST="127.0.0.1",
            SPARKLE_CLUSTER_SECRET="s" * 32,
            SPARKLE_CLUSTER_PORT=str(port),
        )
    assert (code, f"port {port} " in line) == (1, True)


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
