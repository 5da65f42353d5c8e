"""A WebSocket whose session is on another node: bytes go both ways, as fast as the slower side takes them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, cast

from hub.transport.engineio.addresses import Addresses
from hub.transport.engineio.outbox import WRITE_BUFFER_BYTES
from hub.transport.engineio.refusals import UNKNOWN_SESSION, Refused
from hub.transport.engineio.websocket_connection import LINGER_S

ANSWER_S: Final = 3.0
"""Longest wait for the first byte from the other node: a handshake is answered in a millisecond."""


class End(asyncio.Protocol):
    """One end of a pipe: what comes in here goes out at ``other``."""

    __slots__ = ("_finished", "_reading", "_timer", "other", "transport")

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        """``None`` before the connection, and after it."""
        self.other: End | None = None
        self._reading = True
        self._finished = False
        """Whether nothing more comes in."""
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)

    @property
    def is_open(self) -> bool:
        """Whether what is written may still arrive."""
        return self.transport is not None and not self.transport.is_closing()

    def write(self, data: bytes) -> None:
        """Send what the other end got."""
        if self.transport is not None and self.is_open:
            self.transport.write(data)

    def read(self, on: bool) -> None:
        """Read on, or no more for now, so that TCP slows the sender down."""
        if self.transport is None or self.transport.is_closing() or on is self._reading:
            return
        self._reading = on
        if on:
            self.transport.resume_reading()
        else:
            self.transport.pause_reading()

    def finish(self) -> None:
        """Nothing more is to be sent; what comes is still passed on."""
        if self.transport is not None and self.is_open:
            self.transport.write_eof()

    def linger(self) -> None:
        """Be gone in LINGER_S at the latest."""
        if self.transport is not None and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LINGER_S, self.transport.abort)

    def end(self) -> None:
        """Close, after what was sent. Who does not read that is not waited for longer than LINGER_S."""
        if self.transport is not None:
            self.linger()
            self.transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self.transport is not None:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if self.other is not None:
            self.other.write(data)

    def pause_writing(self) -> None:
        """See asyncio.Protocol."""
        if self.other is not None:
            self.other.read(False)

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        if self.other is not None:
            self.other.read(True)

    def eof_received(self) -> bool:
        """See asyncio.Protocol. After its close frame the hub sends no more, and waits for the client's."""
        self._finished = True
        other = self.other
        if other is None:
            return False
        other.finish()
        # An end that has finished is not read any more, and shows nothing when it is lost.
        for end in (self, other):
            if other._finished:
                end.end()
            else:
                end.linger()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self.transport = None
        if self._timer is not None:
            self._timer.cancel()
        if self.other is not None:
            self.other.end()


class NodeEnd(End):
    """The end at the other node. ``answered`` is called at the first byte."""

    __slots__ = ("_answered",)

    def __init__(self, client: ClientEnd, answered: Callable[[], None]) -> None:
        super().__init__()
        self.other = client
        self._answered: Callable[[], None] | None = answered

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        answered, self._answered = self._answered, None
        if answered is not None:
            answered()
        super().data_received(data)


class ClientEnd(End):
    """The end at the client. Until the node is connected, nothing is read from it."""

    __slots__ = ("_address", "_addresses", "_answer_timer", "_early", "_is_answered", "on_lost")

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport) -> None:
        super().__init__()
        self._addresses: Addresses | None = None
        self._address = ""
        self._early = b""
        self._is_answered = False
        self.on_lost: Callable[[], object] = lambda: None
        """Called once, when the client is gone."""
        self.connection_made(transport)
        self.read(False)
        self._answer_timer = loop.call_later(ANSWER_S, self.refuse)

    def counted(self, addresses: Addresses, address: str) -> None:
        """This connection counts for an address until it is lost."""
        self._addresses, self._address = addresses, address

    def answered(self) -> None:
        """The node has begun to answer: whatever comes next is its own affair."""
        self._is_answered = True
        self._answer_timer.cancel()

    def joined(self, node: End) -> None:
        """The node is connected."""
        self.other = node
        node.write(self._early)
        self._early = b""
        self.read(True)

    def refuse(self) -> None:
        """Answer as the node would that does not know the session. Only before the node has begun to answer."""
        self._answer_timer.cancel()
        self.write(Refused(UNKNOWN_SESSION).response())
        self.end()
        node, self.other = self.other, None
        if node is not None:
            node.other = None
            node.abort()

    def give_up(self) -> None:
        """The node is dead: end both connections at once, with an answer if there was none yet."""
        if not self._is_answered:
            self.refuse()
            return
        self.abort()
        if self.other is not None:
            self.other.abort()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol. What came with the handshake waits for the node; more of it is not read."""
        if self.other is None:
            self._early += data
        else:
            super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._answer_timer.cancel()
        if self._addresses is not None:
            self._addresses.leave(self._address)
        self.on_lost()
        super().connection_lost(exc)
