"""RFC 6455 on one TCP connection."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final, Protocol

from hub.transport.engineio import websocket
from hub.transport.engineio.addresses import Addresses
from hub.transport.engineio.outbox import WRITE_BUFFER_BYTES
from hub.transport.engineio.session import MESSAGES_A_TURN
from hub.transport.engineio.websocket import BINARY, CloseCode, FrameReader, ProtocolError, close_frame, frame

LINGER_S: Final = 10.0
"""How long a client gets, after either side's close frame, to read what was sent before it and to answer. Then the
connection is aborted."""


class MessageReceiver(Protocol):
    """What the messages of a connection go to."""

    @property
    def held(self) -> bool:
        """Whether no more messages are taken for now."""
        ...

    def receive(self, opcode: int, payload: bytearray) -> None:
        """A text or binary message."""
        ...

    def pong(self) -> None:
        """The client has answered a ping of RFC 6455."""
        ...

    def set_writable(self, writable: bool) -> None:
        """The connection takes data, or no more for now."""
        ...

    def fail(self, what: str, code: int = CloseCode.PROTOCOL_ERROR) -> None:
        """The client broke RFC 6455. The connection is closed with ``code`` by this call."""
        ...

    def websocket_lost(self) -> None:
        """The connection is gone, or the client has closed it."""
        ...


class WebSocketConnection(asyncio.Protocol):
    """A WebSocket after its handshake. ``receiver`` must be set before data comes."""

    __slots__ = (
        "_address",
        "_addresses",
        "_loop",
        "_reader",
        "_reading",
        "_timer",
        "_transport",
        "paused",
        "receiver",
        "write",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, max_payload: int) -> None:
        self._loop, self._transport = loop, transport
        self._reader: FrameReader | None = FrameReader(max_payload)
        """``None`` after a violation: what follows one cannot be understood."""
        self._reading = True
        self._timer: asyncio.TimerHandle | None = None
        """Runs once either side has closed, and what was sent before has still to be read."""
        self.write = transport.write
        self.receiver: MessageReceiver | None = None
        self.paused = False
        """Whether more waits in the transport than it should hold."""
        self._addresses: Addresses | None = None
        self._address = ""
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)

    def counted(self, addresses: Addresses, address: str) -> None:
        """This connection counts for an address until it is lost."""
        self._addresses, self._address = addresses, address

    @property
    def waiting_bytes(self) -> int:
        """What the kernel has not taken yet."""
        return self._transport.get_write_buffer_size()

    def pause_reading(self) -> None:
        """Read no more, so that TCP slows the client down."""
        if self._reading and not self._transport.is_closing():
            self._reading = False
            self._transport.pause_reading()

    def _read_on(self) -> None:
        if not self._reading and not self._transport.is_closing():
            self._reading = True
            self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if self._reader is None:
            return
        self._reader.receive(data)
        if self._timer is None:
            self.deliver()
        else:
            self._look_for_close(self._reader)

    def _look_for_close(self, reader: FrameReader) -> None:
        """We have closed: nothing counts any more but the client's own close frame."""
        try:
            while (message := reader.next_message()) is not None:
                if message[0] == websocket.CLOSE:
                    self._transport.close()
                    return
        except ProtocolError:
            self._reader = None

    def deliver(self) -> None:
        """Hand over every message that is complete, as long as the receiver takes them; then read on.

        Many take several turns of the loop.
        """
        try:
            for _ in range(MESSAGES_A_TURN):
                receiver = self.receiver
                if receiver is None or self._timer is not None:
                    break
                if receiver.held:
                    return
                message = None if self._reader is None else self._reader.next_message()
                if message is None:
                    break
                opcode, payload = message
                if opcode <= BINARY:
                    receiver.receive(opcode, payload)
                else:
                    self._control(opcode, payload)
            else:
                self.pause_reading()
                self._loop.call_soon(self.deliver)
                return
        except ProtocolError as error:
            self._reader = None
            if self.receiver is not None:
                self.receiver.fail(str(error), error.code)
            return
        self._read_on()

    def _control(self, opcode: int, payload: bytearray) -> None:
        if opcode == websocket.PING:
            # A client that pings without reading the answers would fill our memory: it gets none while it does not.
            if not self.paused:
                self.write(frame(bytes(payload), websocket.PONG))
        elif opcode == websocket.PONG:
            if self.receiver is not None:
                self.receiver.pong()
        elif opcode == websocket.CLOSE:
            self.write(frame(bytes(payload[:2]), websocket.CLOSE))
            self._linger()
            self._transport.close()
            self._lost()

    def _linger(self) -> None:
        self._timer = self._loop.call_later(LINGER_S, self._transport.abort)

    def close(self, code: int = CloseCode.NORMAL, reason: str = "") -> None:
        """Send a close frame after what was written, and wait for the client's for a while. Safe to call twice.

        The stream ends with it, the connection does not: what we had not read would make the kernel take the close
        frame back.
        """
        if self._timer is not None or self._transport.is_closing():
            return
        self.write(close_frame(code, reason))
        if self._transport.can_write_eof():
            with contextlib.suppress(OSError):  # asyncio's own loop says so if the client has gone; uvloop does not
                self._transport.write_eof()
        self._linger()
        self._read_on()  # otherwise its close frame, or its end, is not noticed

    def _lost(self) -> None:
        receiver, self.receiver = self.receiver, None
        if receiver is not None:
            receiver.websocket_lost()

    def eof_received(self) -> bool:
        """See asyncio.Protocol. Our side is closed too, as if by a close frame."""
        self._lost()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        if self._timer is not None:
            self._timer.cancel()
        if self._addresses is not None:
            self._addresses.leave(self._address)
        self._lost()

    def pause_writing(self) -> None:
        """See asyncio.Protocol."""
        self.paused = True
        if self.receiver is not None:
            self.receiver.set_writable(False)

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        self.paused = False
        if self.receiver is not None:
            self.receiver.set_writable(True)
