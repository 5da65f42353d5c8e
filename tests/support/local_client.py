"""A client of a Socket.IO server without any network: packets are handed to its session, and taken from it."""

import asyncio
from collections import deque

from hub.transport.engineio.handshake import RequestHead
from hub.transport.engineio.request import Request
from hub.transport.engineio.session import CLOSING
from hub.transport.engineio.websocket import BINARY, TEXT, payloads_of
from hub.transport.socketio.server import SocketServer

Packet = str | bytes
"""A text packet, type in front, or a binary message."""


class LocalClient:
    """One session. Implements hub.transport.engineio.session.Source: what it sends waits while the session is held."""

    def __init__(self, server: SocketServer, path: str = "/socket.io/") -> None:
        head = RequestHead(f"GET {path}?EIO=4&transport=polling HTTP/1.1\r\nHost: hub.example".encode())
        self.session = server.engine.open(Request(head, ("192.0.2.1", 1234)))
        self.session.source = self
        self._unread: deque[Packet] = deque()
        self.received()

    def send(self, *packets: Packet) -> None:
        """Send packets; those that the session does not take yet wait."""
        self._unread += packets
        self.deliver()

    def deliver(self) -> None:
        """See Source."""
        while self._unread and not self.session.held and self.session.state < CLOSING:
            packet = self._unread.popleft()
            if isinstance(packet, str):
                self.session.receive(TEXT, bytearray(packet.encode()))
            else:
                self.session.receive(BINARY, bytearray(packet))

    @property
    def unread(self) -> int:
        """How many packets the session has not taken yet."""
        return len(self._unread)

    @property
    def ended(self) -> bool:
        """Whether the session is over."""
        return self.session.state >= CLOSING

    def received(self) -> list[Packet]:
        """What has been sent to it since the last call."""
        packets = payloads_of(b"".join(self.session.take()))
        return [payload if opcode == BINARY else payload.decode() for opcode, payload in packets]

    def drop(self) -> None:
        """Be gone, without a word."""
        self.session.websocket_lost()


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(10):
        await asyncio.sleep(0)
