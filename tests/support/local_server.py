"""The bare server inside the test's own process: for what must be looked at from both sides."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from hub.transport.engineio.engine import Engine
from hub.transport.engineio.session import Session
from hub.transport.engineio.settings import EngineSettings
from hub.transport.engineio.timer_wheel import TimerWheel
from hub.transport.front import Doorkeeper
from hub.transport.origins import OriginRule
from hub.transport.socketio.rooms import Rooms
from hub.transport.socketio.server import SocketServer
from load_tests.bare_server import bare_server
from tests.support.raw_client import Client
from tests.support.socket_server import listening


@dataclass
class LocalServer:
    """A server that listens, and a client of it."""

    server: SocketServer
    door: Doorkeeper
    client: Client

    @property
    def engine(self) -> Engine:
        """Its engine."""
        return self.server.engine

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.client.port}"

    def session(self, sid: str) -> Session:
        """Our side of a session."""
        return self.engine.sessions[sid]

    def left_behind(self) -> dict[str, Any]:
        """All that is still kept of clients, by what it is."""
        rooms = [self.server.rooms_of(namespace) for namespace in self.server.connected_namespaces()]
        kept = {
            "sessions": self.engine.sessions,
            "sockets": [socket for one in rooms for socket in one.sockets],
            "rooms": [name for one in rooms for name in rooms_kept(one)],
            "environ": self.server.environ,
            "leaving": self.server.leaving,
            "handlers": self.server._handlers._running,
            "addresses": self.door.addresses._open,
            "heartbeats": _entries(self.engine.heartbeat),
            "deadlines": _entries(self.engine.deadlines),
        }
        return {name: value for name, value in kept.items() if value}


def rooms_kept(rooms: Rooms) -> set[str]:
    """The rooms that a table is kept of. An empty one would be kept for ever, and nobody would notice."""
    return {room for table in rooms._members.values() for room in table}


def _entries(wheel: TimerWheel) -> list[object]:
    return [entry for slot in wheel._slots for entry in slot]


@contextlib.asynccontextmanager
async def local_server(
    settings: EngineSettings | None = None, *, origins: str = "*", dual_stack: bool = False
) -> AsyncIterator[LocalServer]:
    """Start a bare server, whose handlers are those of load_tests.bare_server. See also `listening`."""
    server = bare_server(settings or EngineSettings())
    door = Doorkeeper(server.engine, OriginRule([origins]))
    async with listening(server, door, dual_stack=dual_stack) as port:
        client = Client(port)
        try:
            yield LocalServer(server, door, client)
        finally:
            await client.close()
