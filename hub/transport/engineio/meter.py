"""Counts of what comes and goes, by the second, while somebody asks for them; nothing of this runs otherwise."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from hub.kernel.clock import Clock
from hub.transport.engineio.outbox import Outboxes, Sink
from hub.transport.engineio.session import CLOSING, Session
from hub.transport.engineio.websocket import CloseCode

if TYPE_CHECKING:
    from hub.transport.engineio.engine import Engine
    from hub.transport.engineio.websocket_connection import WebSocketConnection

MAX_COUNTS: Final = 4000
"""Kept until they are taken: ten minutes of six types, with what else the reasons of disconnections add."""


class Meter:
    """Counts by second, type and subtype: what the Socket.IO Admin UI calls aggregated events.

    Packets and bytes out are counted when they are handed over: a broadcast is so many packets as it has receivers.
    Bytes out are those of WebSocket frames, whatever the transport; bytes in are those of messages.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counts: dict[tuple[int, str, str | None], int] = {}
        self.upgraded: Callable[[Session], None] | None = None
        """Called with a polling session that has moved to a WebSocket."""

    def count(self, type: str, number: int = 1, subtype: str | None = None) -> None:
        """Count something that happens now."""
        key = (self._clock.now_ms() // 1000, type, subtype)
        self._counts[key] = self._counts.get(key, 0) + number
        if len(self._counts) > MAX_COUNTS:
            del self._counts[next(iter(self._counts))]

    def take(self) -> list[dict[str, Any]]:
        """What was counted since this was called last, oldest first, with timestamps in milliseconds."""
        counts, self._counts = self._counts, {}
        return [
            {"timestamp": second * 1000, "type": type, "count": number} | ({"subType": subtype} if subtype else {})
            for (second, type, subtype), number in counts.items()
        ]


class MeteredSession(Session):
    """A session that was opened while there was a meter."""

    __slots__ = ()

    def __init__(self, engine: Engine, sid: str) -> None:
        super().__init__(engine, sid)
        self._count("rawConnection")

    def _count(self, type: str, number: int = 1, subtype: str | None = None) -> None:
        if (meter := self.engine.meter) is not None:
            meter.count(type, number, subtype)

    def receive(self, opcode: int, payload: bytearray) -> None:
        """See Session."""
        self._count("packetsIn")
        self._count("bytesIn", len(payload))
        super().receive(opcode, payload)

    def use_websocket(self, connection: WebSocketConnection) -> None:
        """See Session."""
        was_polling = self.receiver is not None  # else it begins with this WebSocket
        super().use_websocket(connection)
        meter = self.engine.meter
        if was_polling and meter is not None and meter.upgraded is not None:
            meter.upgraded(self)

    def close(self, reason: str, code: int = CloseCode.NORMAL, text: str = "", *, drop: bool = False) -> None:
        """See Session."""
        if self.state < CLOSING:
            self._count("rawDisconnection", subtype=reason)
        super().close(reason, code, text, drop=drop)


class MeteredOutboxes(Outboxes):
    """Outboxes that count what is put into them."""

    __slots__ = ("_meter",)

    def __init__(self, loop: AbstractEventLoop, meter: Meter) -> None:
        super().__init__(loop)
        self._meter = meter

    def send(self, sink: Sink, packet: bytes) -> None:
        """See Outboxes."""
        self._meter.count("packetsOut")
        self._meter.count("bytesOut", len(packet))
        super().send(sink, packet)

    def fan_out(self, sinks: Iterable[Sink], packet: bytes) -> None:
        """See Outboxes."""
        receivers = list(sinks)
        if receivers:
            self._meter.count("packetsOut", len(receivers))
            self._meter.count("bytesOut", len(receivers) * len(packet))
        super().fan_out(receivers, packet)
