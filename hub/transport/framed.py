"""One WebSocket of binary messages: bounded out, slowed down in, pinged, and closed with a reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from hub.kernel.framed import FramedReceiver
from hub.transport.engineio.outbox import MAX_HELD_BYTES, Backlog, Volatile
from hub.transport.engineio.session_ids import new_id
from hub.transport.engineio.websocket import BINARY, PING, CloseCode, frame
from hub.transport.socket_metrics import METRICS

if TYPE_CHECKING:
    from hub.transport.engineio.websocket_connection import WebSocketConnection
    from hub.transport.framed_sockets import NodeFramedSockets

KEEP_ALIVE_S: Final = 15.0
"""Between two signs of life: the clients of y-websocket and Hocuspocus leave after 30 s without one."""
PING_FRAME: Final = frame(b"", PING)


class Framed:
    """Implements hub.kernel.framed.FramedSocket, hub.transport.engineio.outbox.Sink and MessageReceiver.

    What the client does not take waits in a backlog. Past MAX_HELD_BYTES the endpoint is told, which sends nothing more
    but answers, and no message is taken that would ask for any: so the memory of a client that does not read is that,
    and what the last message asked for.
    """

    __slots__ = (
        "_backlog",
        "_connection",
        "_ended",
        "_holds",
        "_pinged_at",
        "_sockets",
        "address",
        "filled_at",
        "id",
        "outbox",
        "receiver",
        "slot",
        "write",
    )

    def __init__(self, sockets: NodeFramedSockets, connection: WebSocketConnection, address: str) -> None:
        self._sockets = sockets
        self._connection = connection
        self._backlog = Backlog()
        self._holds = 0
        self._ended = False
        self._pinged_at: float | None = None
        self.id = new_id()
        self.address = address
        self.filled_at: float | None = None
        """Since when it is full, by the loop's clock."""
        self.outbox: list[bytes] | None = None
        self.write: Callable[[bytes], object] | None = connection.write
        self.receiver: FramedReceiver | None = None
        self.slot: Any = None
        connection.receiver = self
        self._schedule()

    def begin(self, receiver: FramedReceiver) -> None:
        """What comes goes to ``receiver`` from now on, which may have closed the socket already."""
        if self._ended:
            receiver.closed()
        else:
            self.receiver = receiver

    # ---------------------------------------------------------------- out

    @property
    def full(self) -> bool:
        """See FramedSocket."""
        return self.filled_at is not None

    def send(self, message: bytes, *, volatile: bool = False) -> None:
        """See FramedSocket."""
        if not self._ended:
            framed = frame(message, BINARY)
            self._sockets.outboxes.send(self, Volatile(framed) if volatile else framed)

    def hold(self, packets: list[bytes]) -> None:
        """See Sink."""
        if not self._ended:
            self._backlog.add(packets, keeps_volatile=False)
            self._look_if_full()

    def _look_if_full(self) -> None:
        waiting = self._backlog.size + self._connection.waiting_bytes
        if self.filled_at is None and waiting > MAX_HELD_BYTES and self.receiver is not None:
            self.filled_at = self._sockets.loop.time()
            METRICS.framed_filled += 1
            self.pause()
            self.receiver.filled()

    def _take(self) -> list[bytes]:
        waiting = [*self._backlog.take(), *(self.outbox or ())]
        self.outbox = None
        return waiting

    def set_writable(self, writable: bool) -> None:
        """See MessageReceiver."""
        self.write = None
        if self._ended:
            return
        if not writable:
            self._look_if_full()
            return
        if waiting := self._take():
            self._connection.write(b"".join(waiting))
        if self._connection.paused:  # by that write
            return
        self.write = self._connection.write
        if self.filled_at is not None and self.receiver is not None:
            self.filled_at = None
            self.resume()
            self.receiver.drained()

    # ---------------------------------------------------------------- in

    @property
    def held(self) -> bool:
        """See MessageReceiver."""
        return self._holds > 0

    def receive(self, opcode: int, payload: bytearray) -> None:
        """See MessageReceiver."""
        if opcode != BINARY:
            self.close(CloseCode.UNSUPPORTED, "messages are binary here")
        elif self.receiver is not None:
            self.receiver.message(bytes(payload))

    def pause(self) -> None:
        """See FramedSocket."""
        self._holds += 1
        self._connection.pause_reading()

    def resume(self) -> None:
        """See FramedSocket."""
        self._holds -= 1
        if not self._holds:
            self._sockets.loop.call_soon(self._connection.deliver)

    # ---------------------------------------------------------------- heartbeat and end

    def _schedule(self) -> None:
        settings = self._sockets.settings
        self._sockets.heartbeat.schedule(self, min(KEEP_ALIVE_S, settings.ping_interval_s), early=True)

    def pong(self) -> None:
        """See MessageReceiver."""
        self._pinged_at = None

    def due(self) -> None:
        """Time for a sign of life, and to look for one. See hub.transport.engineio.timer_wheel.Entry."""
        if self.receiver is None:
            return
        now, settings = self._sockets.loop.time(), self._sockets.settings
        if self.filled_at is not None and now - self.filled_at >= settings.ping_interval_s + settings.ping_timeout_s:
            self._end(CloseCode.SLOW_READER, "what was sent is not read", drop=True)
        elif self._pinged_at is not None and not self.held and now - self._pinged_at >= settings.ping_timeout_s:
            self._end(CloseCode.PING_TIMEOUT, "no pong came", drop=True)
        else:
            if self._pinged_at is None:
                self._pinged_at = now
                self._sockets.outboxes.send(self, PING_FRAME)
            self._schedule()
            self.receiver.keep_alive()

    def close(self, code: int, reason: str = "") -> None:
        """See FramedSocket."""
        self._end(code, reason)

    def fail(self, what: str, code: int = CloseCode.PROTOCOL_ERROR) -> None:
        """See MessageReceiver."""
        self._end(code, what)

    def websocket_lost(self) -> None:
        """See MessageReceiver."""
        self._end(CloseCode.NORMAL, drop=True)

    def _end(self, code: int, reason: str = "", *, drop: bool = False) -> None:
        if self._ended:
            return
        self._ended = True
        receiver, self.receiver, self.write = self.receiver, None, None
        waiting = self._take()
        if waiting and not drop:
            self._connection.write(b"".join(waiting))
        self._connection.close(code, reason)
        self._sockets.forget(self, code)
        if receiver is not None:
            receiver.closed()
