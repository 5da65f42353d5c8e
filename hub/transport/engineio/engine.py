"""All Engine.IO sessions of this process, and what they share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import orjson

from hub.kernel.ids import NodeTag
from hub.transport.eager import Spawn, spawner
from hub.transport.engineio.meter import Meter, MeteredOutboxes, MeteredSession
from hub.transport.engineio.outbox import Outboxes
from hub.transport.engineio.request import Request
from hub.transport.engineio.session import CLOSED, CLOSING, Reason, Receiver, Session
from hub.transport.engineio.session_ids import new_session_id
from hub.transport.engineio.settings import EngineSettings
from hub.transport.engineio.timer_wheel import TimerWheel
from hub.transport.engineio.websocket import CloseCode, frame
from hub.transport.engineio.websocket_connection import WebSocketConnection
from hub.transport.socket_metrics import METRICS

MAX_ENDED: Final = 1000
"""Ended polling sessions whose reason is remembered."""

Accept = Callable[[Session, Request], Receiver]
"""Makes the receiver of a new session's messages."""


class Engine:
    """The sessions of a process. ``endpoints`` says, by path, who takes a new one, after its open packet was sent.
    ``node`` stands in the ids of sessions, if there may be other nodes.

    Everything here runs in one event loop: the one that runs when ``start`` is called, at the latest by the first
    session.
    """

    loop: asyncio.AbstractEventLoop
    outboxes: Outboxes
    spawn: Spawn
    """Makes tasks that start eagerly."""

    def __init__(self, settings: EngineSettings, endpoints: dict[str, Accept], *, node: NodeTag | None = None) -> None:
        self.settings = settings
        self.node = node
        self.endpoints = endpoints
        self.sessions: dict[str, Session] = {}
        self.heartbeat = TimerWheel(settings.ping_interval_s, settings.ping_timeout_s)
        self.deadlines = TimerWheel(settings.connect_timeout_s, settings.head_timeout_s)
        self.ended: dict[str, str] = {}
        """Why sessions were ended that a client may ask for once more, the last ones."""
        self.meter: Meter | None = None
        self._started = False

    def start(self) -> None:
        """Begin to keep time."""
        if not self._started:
            self._started = True
            self.loop = asyncio.get_running_loop()
            self.measure(self.meter)
            self.spawn = spawner(self.loop)
            self.heartbeat.start(self.loop)
            self.deadlines.start(self.loop)

    def measure(self, meter: Meter | None) -> None:
        """Have ``meter`` count what goes out from now on, and what comes in over sessions that are opened from now on.

        ``None``: nobody.
        """
        self.meter = meter
        if self._started:
            self.outboxes = Outboxes(self.loop) if meter is None else MeteredOutboxes(self.loop, meter)

    def stop(self) -> None:
        """Close every session; the clients come back by themselves, elsewhere."""
        for session in list(self.sessions.values()):
            session.close(Reason.FORCED_CLOSE, CloseCode.GOING_AWAY)
        self.heartbeat.stop()
        self.deadlines.stop()

    def open(self, request: Request, connection: WebSocketConnection | None = None, *, before: bytes = b"") -> Session:
        """A new session, over a WebSocket if one is given. Its open packet is the first thing that it sends.

        ``before`` is written with it: the answer to the WebSocket's handshake, which else were a write of its own.
        """
        self.start()
        session = (Session if self.meter is None else MeteredSession)(self, new_session_id(self.node))
        self.sessions[session.sid] = session
        session.send(before + self._open_packet(session.sid, upgrades=connection is None))
        if connection is not None:
            session.use_websocket(connection)
        self.heartbeat.schedule(session, self.settings.ping_interval_s, early=True)
        session.receiver = self.endpoints[request.path](session, request)
        return session

    def _open_packet(self, sid: str, *, upgrades: bool) -> bytes:
        packet: dict[str, Any] = {
            "sid": sid,
            "upgrades": ["websocket"] if upgrades else [],
            "pingInterval": round(self.settings.ping_interval_s * 1000),
            "pingTimeout": round(self.settings.ping_timeout_s * 1000),
            "maxPayload": self.settings.max_payload,
        }
        return frame(b"0" + orjson.dumps(packet))

    def closed(self, session: Session, reason: str) -> None:
        """Called by a session that has ended. One in CLOSING stays until its last packets are fetched, or time out."""
        METRICS.closed[reason] += 1
        if session.connection is None:  # by WebSocket the close frame has told it
            self.ended[session.sid] = reason
            if len(self.ended) > MAX_ENDED:
                del self.ended[next(iter(self.ended))]
        self.heartbeat.cancel(session)
        if session.state == CLOSING:
            self.heartbeat.schedule(session, self.settings.ping_timeout_s)
        else:
            self.forget(session)
        source, session.source = session.source, None
        if source is not None:
            self.loop.call_soon(source.deliver)  # a POST that was held is answered
        receiver, session.receiver = session.receiver, None
        if receiver is not None:
            receiver.closed(reason)

    def forget(self, session: Session) -> None:
        """The session's id is unknown from now on."""
        session.state = CLOSED
        self.heartbeat.cancel(session)
        self.sessions.pop(session.sid, None)
