"""The upgrade of a polling session to a WebSocket: probe, answer, switch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hub.transport.engineio import packets
from hub.transport.engineio.packets import encode_payload
from hub.transport.engineio.session import POLLING, UPGRADING, Session
from hub.transport.engineio.websocket import TEXT, CloseCode

if TYPE_CHECKING:
    from hub.transport.engineio.websocket_connection import WebSocketConnection

NOOP_EVERY_S: Final = 0.1
"""Pause between polls that are released during a probe. Answering each at once would make a client whose probe answer
was lost poll as fast as it can."""


class Upgrade:
    """The WebSocket that a polling session may move to.

    While it is probed polls go on as before; one that finds nothing is answered with a noop, so that the client can
    stop polling and send its upgrade packet.
    """

    __slots__ = ("_connection", "_ends_at", "_session", "_timer")

    def __init__(self, session: Session, connection: WebSocketConnection) -> None:
        self._session, self._connection = session, connection
        session.upgrade = connection.receiver = self
        loop, timeout_s = session.engine.loop, session.engine.settings.upgrade_timeout_s
        self._ends_at = loop.time() + timeout_s
        self._timer = loop.call_later(timeout_s, self.cancel, CloseCode.POLICY)

    @property
    def held(self) -> bool:
        """Never: there is nothing to wait for."""
        return False

    def receive(self, opcode: int, payload: bytearray) -> None:
        """A message over the WebSocket. Anything but the two that an upgrade has ends it, and polling goes on.

        So does an upgrade while a POST is not taken whole: what is left of it would be lost. Clients pause before.
        """
        session = self._session
        if opcode == TEXT and payload == packets.PROBE and session.state == POLLING:
            session.state = UPGRADING
            self._connection.write(packets.PROBE_ANSWER)
            self._release_poll()
        elif (
            opcode == TEXT and payload == packets.UPGRADE_PACKET and session.state == UPGRADING and not session.posting
        ):
            self._end()
            session.answer_poll(encode_payload([packets.NOOP_FRAME]))
            session.use_websocket(self._connection)
        else:
            self.cancel(CloseCode.PROTOCOL_ERROR)

    def set_writable(self, writable: bool) -> None:
        """Of no interest: only the probe's answer is written."""

    def pong(self) -> None:
        """Of no interest."""

    def fail(self, _what: str, code: int = CloseCode.PROTOCOL_ERROR) -> None:
        """The WebSocket broke its protocol."""
        self.cancel(code)

    def websocket_lost(self) -> None:
        """The WebSocket is gone."""
        self.cancel()

    def cancel(self, code: int = CloseCode.NORMAL) -> None:
        """Close the WebSocket; the session goes on polling."""
        if self._session.upgrade is not self:
            return
        self._end()
        if self._session.state == UPGRADING:
            self._session.state = POLLING
        self._connection.close(code, "the upgrade was not completed")

    def _release_poll(self) -> None:
        session, loop = self._session, self._session.engine.loop
        if loop.time() >= self._ends_at:
            self.cancel(CloseCode.POLICY)
            return
        if session.outbox is None:
            session.answer_poll(encode_payload([packets.NOOP_FRAME]))
        self._timer.cancel()
        self._timer = loop.call_later(NOOP_EVERY_S, self._release_poll)

    def _end(self) -> None:
        self._timer.cancel()
        self._session.upgrade = None
