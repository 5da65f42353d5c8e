"""Several nodes of the transport inside the test's own process, each with a port of its own, and no Redis."""

import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from hub.kernel.ids import NodeTag
from hub.kernel.ports import NodeAddress
from hub.kernel.tasks import Tasks
from hub.transport.engineio.session import Session
from hub.transport.engineio.settings import EngineSettings
from hub.transport.forwarding.forwarder import Forwarder
from hub.transport.forwarding.private_socket import private_socket
from hub.transport.front import Doorkeeper
from hub.transport.node_entrance import NodeEntrance
from hub.transport.origins import OriginRule
from hub.transport.socketio.server import SocketServer
from load_tests.bare_server import bare_server
from load_tests.relayed_server import new_tag
from tests.support.raw_client import Client
from tests.support.raw_engineio import PollingSession
from tests.support.socket_server import listening

SECRET = "the-secret-of-all-nodes-in-tests"


@dataclass
class Directory:
    """What the table of leases says. Implements hub.kernel.ports.NodeDirectory; tests change it."""

    addresses: dict[NodeTag, NodeAddress] = field(default_factory=dict)
    asked: list[NodeTag] = field(default_factory=list)

    async def address_of(self, node: NodeTag) -> NodeAddress | None:
        """See NodeDirectory."""
        self.asked.append(node)
        return self.addresses.get(node)


@dataclass
class LocalNode:
    """One node, and a client of its port."""

    server: SocketServer
    door: Doorkeeper
    forwarder: Forwarder
    client: Client
    address: NodeAddress
    entrance_port: int
    """For other nodes, by TCP, with the secret."""

    @property
    def tag(self) -> NodeTag:
        """What its session ids end with."""
        assert self.server.engine.node is not None
        return self.server.engine.node

    def session(self, opened: PollingSession) -> Session:
        """Our side of a session of this node."""
        return self.server.engine.sessions[opened.handshake.sid]

    def open_connections(self, address: str = "127.0.0.1") -> int:
        """How many count for an address."""
        return self.door.addresses._open.get(address, 0)

    def takes_up(self, opened: PollingSession) -> PollingSession:
        """A session of any node, that goes on through this one."""
        path = opened.target.partition("?")[0]
        return PollingSession(self.client.connection, path, opened.handshake, None)


@dataclass
class LocalCluster:
    """Nodes that find each other."""

    nodes: list[LocalNode]
    directory: Directory


@contextlib.asynccontextmanager
async def local_cluster(
    count: int = 2,
    settings: EngineSettings | None = None,
    *,
    by_tcp: bool = False,
    secrets: tuple[str, ...] = (),
    origins: str = "*",
) -> AsyncIterator[LocalCluster]:
    """Start nodes that reach each other by Unix sockets, or by TCP; with the secrets given, or the same."""
    directory = Directory()
    async with contextlib.AsyncExitStack() as held:
        nodes = []
        for number in range(count):
            secret = secrets[number] if secrets else SECRET
            nodes.append(await held.enter_async_context(_node(directory, settings, by_tcp, secret, origins)))
        yield LocalCluster(nodes, directory)


@contextlib.asynccontextmanager
async def _node(
    directory: Directory, settings: EngineSettings | None, by_tcp: bool, secret: str, origins: str
) -> AsyncIterator[LocalNode]:
    chosen, tasks = settings or EngineSettings(), Tasks()
    server = bare_server(chosen, node=new_tag())
    heartbeat_s = chosen.ping_interval_s + chosen.ping_timeout_s
    forwarder = Forwarder(directory, tasks, secret=secret, heartbeat_s=heartbeat_s)
    door = Doorkeeper(server.engine, OriginRule([origins]), forwarder)
    entrance = NodeEntrance(door)
    with private_socket() as private:
        assert private is not None
        await entrance.listen(private[0], secret=None)
        for_nodes = socket.create_server(("127.0.0.1", 0))
        port = for_nodes.getsockname()[1]
        await entrance.listen(for_nodes, secret=secret)
        address = NodeAddress(host="127.0.0.1", port=port) if by_tcp else NodeAddress(socket=private[1])
        async with listening(server, door) as own_port:
            client = Client(own_port)
            node = LocalNode(server, door, forwarder, client, address, port)
            directory.addresses[node.tag] = address
            try:
                yield node
            finally:
                await client.close()
                await entrance.close()
                await forwarder.close()
                await tasks.close()
