"""One Engine.IO session, whatever its transports are.

    POLLING ──(a WebSocket connects, "2probe")──▶ UPGRADING ──("5")──▶ WEBSOCKET
       ▲───────────(the probe fails or takes too long)──────┘
    any of these ──close──▶ CLOSING (a polling client still has to fetch its last packets) ──▶ CLOSED

A long-polling session is one whose transport can take packets only while a poll is open. Nothing above this file knows
the difference. Source: the Engine.IO protocol, revision 4.
"""

from __future__ import annotations

from asyncio import Future
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from hub.transport.engineio import packets
from hub.transport.engineio.outbox import MAX_HELD_BYTES, Backlog
from hub.transport.engineio.packets import encode_payload
from hub.transport.engineio.websocket import TEXT, CloseCode

if TYPE_CHECKING:
    from hub.transport.engineio.engine import Engine
    from hub.transport.engineio.upgrade import Upgrade
    from hub.transport.engineio.websocket_connection import WebSocketConnection

POLLING: Final = 0
UPGRADING: Final = 1
WEBSOCKET: Final = 2
CLOSING: Final = 3
CLOSED: Final = 4
MESSAGES_A_TURN: Final = 200
"""Messages of one client that are taken in one turn of the loop: a few milliseconds of it. What is read from a socket
at once may be 20 000 events, which kept everybody else waiting for 300 ms."""


class Reason:
    """Why a session ended, in the words that Socket.IO servers give to disconnect handlers."""

    SERVER_DISCONNECT: Final = "server disconnect"
    """The server has ended it for good."""
    FORCED_CLOSE: Final = "forced server close"
    """The server closes the connection, and the client may come back."""
    CLIENT_DISCONNECT: Final = "client disconnect"
    PING_TIMEOUT: Final = "ping timeout"
    TRANSPORT_CLOSE: Final = "transport close"
    TRANSPORT_ERROR: Final = "transport error"
    SLOW_READER: Final = "slow reader"


class Receiver(Protocol):
    """What a session's messages go to. Called outside any task; must neither block nor raise."""

    def text(self, payload: bytearray) -> None:
        """A text packet of type MESSAGE, its type byte included."""
        ...

    def binary(self, payload: bytearray) -> None:
        """A binary message."""
        ...

    def closed(self, reason: str) -> None:
        """The session is over. Called once, and nothing after it."""
        ...


class Source(Protocol):
    """Where a session's messages come from: its WebSocket, or the POST that is being read."""

    def deliver(self) -> None:
        """Hand over what has come, as long as the session takes it."""
        ...


class Session:
    """One session. Implements hub.transport.engineio.outbox.Sink."""

    __slots__ = (
        "backlog",
        "connection",
        "data",
        "engine",
        "held",
        "outbox",
        "pinged",
        "poll",
        "posting",
        "receiver",
        "sid",
        "slot",
        "source",
        "state",
        "upgrade",
        "write",
    )

    def __init__(self, engine: Engine, sid: str) -> None:
        self.engine = engine
        self.sid = sid
        self.state = POLLING
        self.write: Callable[[bytes], object] | None = None
        """Of the WebSocket while it takes data."""
        self.connection: WebSocketConnection | None = None
        self.poll: Future[bytes] | None = None
        """The poll that is open, and waits for something to answer it with."""
        self.posting = False
        self.upgrade: Upgrade | None = None
        """An upgrade under way."""
        self.outbox: list[bytes] | None = None
        self.backlog: Backlog | None = None
        self.slot: Any = None
        self.pinged = False
        """Whether a ping is unanswered."""
        self.receiver: Receiver | None = None
        self.source: Source | None = None
        self.held = False
        """Whether no more messages are taken for now."""
        self.data: dict[str, Any] | None = None
        """For whoever uses the session, by name."""

    # ---------------------------------------------------------------- out

    def send(self, packet: bytes) -> None:
        """Send a packet: its frames, as :mod:`hub.transport.engineio.websocket` makes them. Ended: does nothing."""
        if self.state < CLOSING:
            self.engine.outboxes.send(self, packet)

    def hold(self, frames: list[bytes]) -> None:
        """Answer the open poll with packets, or keep them, within bounds."""
        if self.state >= CLOSING:
            return
        if self.poll is not None:
            self.answer_poll(encode_payload(frames))
            return
        if self.backlog is None:
            self.backlog = Backlog()
        self.backlog.add(frames, keeps_volatile=self.state != WEBSOCKET)
        if self._held_bytes() > MAX_HELD_BYTES:
            self.close(Reason.SLOW_READER, CloseCode.SLOW_READER, drop=True)

    def _held_bytes(self) -> int:
        held = 0 if self.backlog is None else self.backlog.size
        return held if self.connection is None else held + self.connection.waiting_bytes

    def take(self) -> list[bytes]:
        """Everything that waits, oldest first."""
        waiting = [] if self.backlog is None else self.backlog.take()
        waiting += self.outbox or ()
        self.outbox = self.backlog = None
        return waiting

    def answer_poll(self, body: bytes) -> None:
        """Answer the open poll, if there is one."""
        poll, self.poll = self.poll, None
        if poll is not None and not poll.done():
            poll.set_result(body)

    # ---------------------------------------------------------------- in

    def receive(self, opcode: int, payload: bytearray) -> None:
        """A message, from either transport."""
        if self.state >= CLOSING or self.receiver is None:
            return
        if opcode != TEXT:
            self.receiver.binary(payload)
            return
        kind = payload[0] if payload else None
        if kind == packets.MESSAGE:
            self.receiver.text(payload)
        elif kind == packets.PONG and len(payload) == 1:
            self.pinged = False
            self.engine.heartbeat.schedule(self, self.engine.settings.ping_interval_s, early=True)
        elif kind == packets.CLOSE and len(payload) == 1:
            self.answer_poll(encode_payload([packets.NOOP_FRAME]))
            self.close(Reason.TRANSPORT_CLOSE, drop=True)
        else:
            self.fail("a packet that no client sends")

    def pause(self) -> None:
        """Take no more messages for now. The client is slowed by TCP, or by the POST that is not answered yet."""
        self.held = True
        if self.connection is not None:
            self.connection.pause_reading()

    def resume(self) -> None:
        """Go on where :meth:`pause` stopped, in the next turn: this may be called by a message that was just taken."""
        if self.held:
            self.held = False
            if self.source is not None:
                self.engine.loop.call_soon(self.source.deliver)

    # ---------------------------------------------------------------- long-polling

    def open_poll(self) -> Future[bytes] | bytes | None:
        """What a GET is answered with: a body, or one to come. ``None`` for a second poll, which ends the session."""
        if self.poll is not None:
            self.fail("a second poll beside an open one")
            return None
        waiting = self.take()
        if self.state == CLOSING:
            self.engine.forget(self)
        if waiting:
            return encode_payload(waiting)
        self.poll = self.engine.loop.create_future()
        return self.poll

    def poll_lost(self, poll: Future[bytes]) -> None:
        """The client of an open poll is gone."""
        if self.poll is poll:
            self.poll = None
            self.close(Reason.TRANSPORT_CLOSE, drop=True)

    # ---------------------------------------------------------------- WebSocket

    def use_websocket(self, connection: WebSocketConnection) -> None:
        """Send and receive over this WebSocket from now on; what waits goes first."""
        self.connection = self.source = connection
        self.state, connection.receiver = WEBSOCKET, self
        self.set_writable(not connection.paused)
        if self.held:
            connection.pause_reading()

    def set_writable(self, writable: bool) -> None:
        """The WebSocket takes data again, or no more."""
        if self.state != WEBSOCKET or self.connection is None:
            return
        self.write = None
        if writable:
            if waiting := self.take():
                self.connection.write(b"".join(waiting))
            if not self.connection.paused:  # which that write may have changed
                self.write = self.connection.write

    def pong(self) -> None:
        """Of no interest: Engine.IO has pings of its own."""

    def websocket_lost(self) -> None:
        """The WebSocket of this session is gone."""
        self.close(Reason.TRANSPORT_CLOSE, drop=True)

    # ---------------------------------------------------------------- heartbeat and end

    def due(self) -> None:
        """Time to ping, or the pong has not come."""
        if self.state == CLOSING:
            self.engine.forget(self)  # the client never fetched its last packets
        elif self.state == CLOSED:
            pass
        elif self.pinged and self.held:  # its pong may have come: it is we who do not read
            self.engine.heartbeat.schedule(self, self.engine.settings.ping_timeout_s)
        elif self.pinged:
            self.close(Reason.PING_TIMEOUT, CloseCode.PING_TIMEOUT, drop=True)
        else:
            self.pinged = True
            self.send(packets.PING_FRAME)
            self.engine.heartbeat.schedule(self, self.engine.settings.ping_timeout_s)

    def fail(self, what: str, code: int = CloseCode.PROTOCOL_ERROR) -> None:
        """End the session: the client did what no client does."""
        self.close(Reason.TRANSPORT_ERROR, code, what)

    def close(self, reason: str, code: int = CloseCode.NORMAL, text: str = "", *, drop: bool = False) -> None:
        """End the session. What was sent before still reaches the client, unless it is to be dropped.

        A polling client gets what waits, and after that learns from the status 400 that its session is over. Only one
        that broke the protocol gets a CLOSE packet: python-socketio's client never comes back after one.
        """
        if self.state >= CLOSING:
            return
        if self.upgrade is not None:
            self.upgrade.cancel(code)
        state, self.state, self.write, self.held = self.state, CLOSED, None, False
        waiting = self.take()
        if state == WEBSOCKET and self.connection is not None:
            if waiting and not drop:
                self.connection.write(b"".join(waiting))
            self.connection.close(code, text or reason)
        elif self.poll is not None:
            last = packets.CLOSE_FRAME if reason == Reason.TRANSPORT_ERROR else packets.NOOP_FRAME
            self.answer_poll(encode_payload([*waiting, last]))
        elif waiting and not drop:
            self.state, self.backlog = CLOSING, Backlog()
            self.backlog.add(waiting, keeps_volatile=False)
        self.engine.closed(self, reason)
