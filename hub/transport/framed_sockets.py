"""The WebSockets of binary messages of this node: their paths, handshakes, fan-out and end."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, cast

from hub.kernel.errors import Unavailable
from hub.kernel.framed import FramedEndpoint, FramedSocket
from hub.transport.draining import DRAIN_S, EVERY_S, WAVE
from hub.transport.engineio.addresses import peer_of
from hub.transport.engineio.handshake import RequestHead
from hub.transport.engineio.outbox import Outboxes, Sink, Volatile
from hub.transport.engineio.refusals import Refused
from hub.transport.engineio.timer_wheel import TimerWheel
from hub.transport.engineio.websocket import BINARY, CloseCode, frame
from hub.transport.engineio.websocket_connection import WebSocketConnection
from hub.transport.framed import Framed
from hub.transport.problems import problem_of
from hub.transport.socket_metrics import METRICS

if TYPE_CHECKING:
    from hub.transport.engineio.engine import Engine
    from hub.transport.engineio.settings import EngineSettings


class Mounted:
    """An endpoint at its path."""

    __slots__ = ("endpoint", "max_message", "path")

    def __init__(self, path: str, endpoint: FramedEndpoint, max_message: int) -> None:
        self.path, self.endpoint, self.max_message = path, endpoint, max_message

    def name_in(self, path: str) -> str | None:
        """What stands after the path; ``None`` if it is another one."""
        if not self.path.endswith("/"):
            return "" if path == self.path else None
        name = path.removeprefix(self.path)
        return name if name and name != path and "/" not in name else None


class NodeFramedSockets:
    """Implements hub.kernel.framed.FramedSockets. Loop, clock and writes are those of the Engine.IO engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._mounted: list[Mounted] = []
        self._open: set[Framed] = set()
        self._closing = False

    # ---------------------------------------------------------------- for its sockets

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """Where everything runs."""
        return self._engine.loop

    @property
    def outboxes(self) -> Outboxes:
        """Through which everything goes out."""
        return self._engine.outboxes

    @property
    def heartbeat(self) -> TimerWheel:
        """Of all sockets."""
        return self._engine.heartbeat

    @property
    def settings(self) -> EngineSettings:
        """Times and sizes."""
        return self._engine.settings

    def forget(self, socket: Framed, code: int) -> None:
        """A socket has ended."""
        self._open.discard(socket)
        self.heartbeat.cancel(socket)
        METRICS.framed -= 1
        METRICS.framed_closed[str(code)] += 1

    # ---------------------------------------------------------------- endpoints and handshakes

    def mount(self, path: str, endpoint: FramedEndpoint, *, max_message: int) -> None:
        """See FramedSockets."""
        self._mounted.append(Mounted(path, endpoint, max_message))

    def paths(self) -> list[str]:
        """The paths that are served; what ends with a slash stands for all below it."""
        return [one.path for one in self._mounted]

    def find(self, path: str) -> tuple[Mounted, str] | None:
        """The endpoint that serves a path, and the name in it."""
        for mounted in self._mounted:
            if (name := mounted.name_in(path)) is not None:
                return mounted, name
        return None

    def accept(
        self, mounted: Mounted, name: str, head: RequestHead, answer: bytes, transport: asyncio.Transport
    ) -> WebSocketConnection:
        """Take a WebSocket whose handshake was found good. Raises Refused while the node drains."""
        if self._closing:
            raise Refused.by(problem_of(Unavailable("This node is about to stop.")))
        self._engine.start()
        connection = WebSocketConnection(self.loop, transport, mounted.max_message)
        transport.write(answer)
        socket = Framed(self, connection, peer_of(transport)[0])
        self._open.add(socket)
        METRICS.framed += 1
        socket.begin(mounted.endpoint.opened(socket, name, head.query))
        return connection

    # ---------------------------------------------------------------- out

    def send_all(self, sockets: Iterable[FramedSocket], messages: Sequence[bytes], *, volatile: bool = False) -> None:
        """See FramedSockets."""
        framed = b"".join([frame(message, BINARY) for message in messages])
        self.outboxes.fan_out(cast("Iterable[Sink]", sockets), Volatile(framed) if volatile else framed)

    # ---------------------------------------------------------------- end

    async def drain(self) -> None:
        """Let nobody in any more, and send everybody elsewhere, in waves: their clients come back by themselves."""
        self._closing = True
        sockets = list(self._open)
        size = max(WAVE, math.ceil(len(sockets) * EVERY_S / DRAIN_S))
        for start in range(0, len(sockets), size):
            if start:
                await asyncio.sleep(EVERY_S)
            for socket in sockets[start : start + size]:
                socket.close(CloseCode.SERVICE_RESTART, "the node restarts")

    async def close(self) -> None:
        """Close those that came in meanwhile."""
        for socket in list(self._open):
            socket.close(CloseCode.SERVICE_RESTART, "the node restarts")
