"""The bare server with every session on another node: ``python -m load_tests.relayed_server --port P``.

Both nodes are in this process. The one that listens opens its sessions on the other and knows none itself, so each
request for one is passed on, over a Unix socket, as between the nodes of a hub. Only WebSockets that open a session are
served at once.
"""

import contextlib
from collections.abc import AsyncIterator

from hub.kernel.ids import NodeId, NodeTag, new_ulid, tag_of
from hub.kernel.ports import NodeAddress
from hub.kernel.tasks import Tasks
from hub.transport.engineio.engine import Engine
from hub.transport.engineio.request import Request
from hub.transport.engineio.session import Session
from hub.transport.engineio.settings import EngineSettings
from hub.transport.engineio.websocket_connection import WebSocketConnection
from hub.transport.forwarding.forwarder import Forwarder
from hub.transport.forwarding.private_socket import private_socket
from hub.transport.front import Doorkeeper
from hub.transport.node_entrance import NodeEntrance
from hub.transport.origins import OriginRule
from hub.transport.socketio.server import SocketServer
from load_tests.bare_server import bare_server, main, serve_by


class RelayEngine(Engine):
    """Opens its sessions on another node."""

    def __init__(self, other: Engine) -> None:
        super().__init__(other.settings, other.endpoints, node=new_tag())
        self._other = other

    def open(self, request: Request, connection: WebSocketConnection | None = None, *, before: bytes = b"") -> Session:
        """See Engine."""
        return self._other.open(request, connection, before=before)


class OneNode:
    """Knows where one node is. Implements hub.kernel.ports.NodeDirectory."""

    def __init__(self, node: NodeTag | None, address: NodeAddress) -> None:
        self._node, self._address = node, address

    async def address_of(self, node: NodeTag) -> NodeAddress | None:
        """See NodeDirectory."""
        return self._address if node == self._node else None


def new_tag() -> NodeTag:
    """The tag of a node that has just been made."""
    return tag_of(NodeId(new_ulid()))


@contextlib.asynccontextmanager
async def relayed(server: SocketServer) -> AsyncIterator[Doorkeeper]:
    """A door that passes every request on to ``server``, which needs the tag of a node."""
    anybody, tasks, settings = OriginRule(["*"]), Tasks(), server.engine.settings
    entrance = NodeEntrance(Doorkeeper(server.engine, anybody))
    with private_socket() as private:
        if private is None:
            raise OSError("there is no folder for a socket")
        listening, path = private
        await entrance.listen(listening, secret=None)
        directory = OneNode(server.engine.node, NodeAddress(socket=path))
        forwarder = Forwarder(
            directory, tasks, secret=None, heartbeat_s=settings.ping_interval_s + settings.ping_timeout_s
        )
        try:
            yield Doorkeeper(RelayEngine(server.engine), anybody, forwarder)
        finally:
            server.engine.stop()
            await entrance.close()
            await forwarder.close()
            await tasks.close()


async def _serve(port: int, settings: EngineSettings, auth_after_s: float | None) -> None:
    async with relayed(bare_server(settings, auth_after_s=auth_after_s, node=new_tag())) as door:
        await serve_by(door, port)


if __name__ == "__main__":
    main(_serve)
