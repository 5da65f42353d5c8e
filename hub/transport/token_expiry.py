"""Connections whose access token runs out: told in time, and closed if no newer one comes."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from hub.kernel.clock import Clock, from_ms
from hub.kernel.wire import ServerEvent, to_wire
from hub.transport.engineio.timer_wheel import TimerWheel
from hub.transport.engineio.websocket import CloseCode

if TYPE_CHECKING:
    from hub.transport.connection import Connection

REASON: Final = "token expired"
"""Why the session ended, for disconnect handlers and metrics."""
FINEST_S: Final = 10.0
"""The shortest delay that the wheel is made for: it turns by half a second, so a connection outlives its token by a
second at most."""
LONGEST_S: Final = 600.0
"""The life of an access token by default. A longer one takes several turns, so that the wheel need not be larger:
1200 slots, 80 KB."""


class SessionExpiring(ServerEvent):
    """The access token of the connection runs out at ``expiresAt``. Send ``auth:refresh`` with a newer one, or the
    connection is closed then; an unmodified client reconnects by itself.
    """

    event = "session:expiring"
    expires_at: datetime


class TokenExpiry:
    """Watches the tokens of all connections of a node, with one timer.

    Deadlines are in wall-clock time, which a wheel does not know: each time one comes, what is left is looked at anew.
    So a clock that is set back closes nobody early, and one that is set forward is noticed within LONGEST_S.
    """

    def __init__(self, clock: Clock, notice_s: float) -> None:
        """``notice_s``: how long before the end a connection is told; halfway, if its token lives less than twice."""
        self._clock = clock
        self._notice_ms = round(notice_s * 1000)
        self._wheel = TimerWheel(FINEST_S, LONGEST_S)
        self._turns = False

    def watch(self, connection: Connection) -> None:
        """Begin, for a connection that was let in or has a newer token."""
        if not self._turns:
            self._turns = True
            self._wheel.start(connection.engine.loop)
        connection.warned = False
        left_ms = connection.expires_at_ms - self._clock.now_ms()
        self._schedule(connection, left_ms - min(self._notice_ms, left_ms // 2))

    def forget(self, connection: Connection) -> None:
        """The connection is gone."""
        self._wheel.cancel(connection)

    async def close(self) -> None:
        """Watch nothing any more."""
        self._wheel.stop()

    def due(self, connection: Connection) -> None:
        """Something of this connection is due, or it is time to look again."""
        left_ms = connection.expires_at_ms - self._clock.now_ms()
        if left_ms <= 0:
            # Not by a DISCONNECT packet, after which a client stays away: it comes back with a fresh token.
            connection.socket.client.session.close(REASON, CloseCode.TOKEN_EXPIRED, "the access token has expired")
        elif not connection.warned and left_ms > self._notice_ms:
            self._schedule(connection, left_ms - self._notice_ms)
        else:
            self._schedule(connection, left_ms)
            if not connection.warned:
                connection.warned = True
                event = SessionExpiring(expires_at=from_ms(connection.expires_at_ms))
                connection.socket.emit(event.event, to_wire(event))

    def _schedule(self, connection: Connection, delay_ms: int) -> None:
        self._wheel.schedule(connection, min(max(delay_ms, 0) / 1000, LONGEST_S))
