"""Namespaces by prefix, and their sockets: Socket.IO for endpoints with a protocol of their own."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from hub.kernel.framed import FramedSocket
from hub.kernel.namespaces import Answer, NamespaceEndpoint, NamespaceReceiver
from hub.transport.draining import DRAIN_S, EVERY_S, WAVE
from hub.transport.engineio.outbox import Volatile
from hub.transport.engineio.session import Reason
from hub.transport.engineio.websocket import CloseCode
from hub.transport.socketio.packets import ACK, EVENT

if TYPE_CHECKING:
    from hub.transport.socketio.server import SocketServer
    from hub.transport.socketio.socket import Socket


class Guest:
    """Implements hub.kernel.namespaces.NamespaceSocket."""

    def __init__(self, namespaces: NodeNamespaces, socket: Socket) -> None:
        self._namespaces = namespaces
        self.socket = socket
        self.receiver: NamespaceReceiver | None = None
        self.id = socket.client.session.sid
        self.socket_id = socket.sid
        self.address = "" if socket.client.request is None else socket.client.request.address
        self.form = socket.client.codec.name.encode()
        self._is_pending = True
        self._asked: int | None = None
        """The number of the last question."""

    @property
    def full(self) -> bool:
        """See FramedSocket."""
        return False

    def send(self, message: bytes, *, volatile: bool = False) -> None:
        """See FramedSocket."""
        self.socket.send(Volatile(message) if volatile else message)

    def event(self, name: str, *arguments: Any) -> bytes:
        """See NamespaceSocket."""
        return self.socket.client.codec.encode(EVENT, self.socket.namespace, None, [name, *arguments])

    def question(self, answer: Answer, name: str, *arguments: Any) -> bytes:
        """See NamespaceSocket."""
        if self._asked is not None:
            self.socket.forget(self._asked)
        number = self._asked = self.socket.expect(answer)
        return self.socket.client.codec.encode(EVENT, self.socket.namespace, number, [name, *arguments])

    def acknowledgement(self, number: int, *arguments: Any) -> bytes:
        """See NamespaceSocket."""
        return self.socket.client.codec.encode(ACK, self.socket.namespace, number, list(arguments))

    def accept(self) -> None:
        """See NamespaceSocket."""
        self._settle()
        if self.socket.accept():
            self.socket.begin()
        else:
            self.end()

    def refuse(self, message: str) -> None:
        """See NamespaceSocket."""
        self._settle()
        self.socket.refuse({"message": message})
        self.end()

    def _settle(self) -> None:
        """The CONNECT is not looked at any more."""
        if self._is_pending:
            self._is_pending = False
            self.socket.client.end()

    def pause(self) -> None:
        """See FramedSocket."""
        self.socket.client.hold()

    def resume(self) -> None:
        """See FramedSocket."""
        self.socket.client.release()

    def leave(self) -> None:
        """See NamespaceSocket."""
        self._namespaces.server.dismiss(self.socket, Reason.SERVER_DISCONNECT)

    def close(self, code: int, reason: str = "") -> None:
        """See FramedSocket: the whole connection, so that its client comes back."""
        self.socket.client.session.close(Reason.FORCED_CLOSE, code, reason)

    def end(self) -> None:
        """It is over. Safe to call twice."""
        self._namespaces.guests.discard(self)
        receiver, self.receiver = self.receiver, None
        if receiver is not None:
            receiver.closed()


class PrefixEndpoint:
    """Implements hub.transport.socketio.client.Endpoint for the namespaces with one prefix."""

    def __init__(self, namespaces: NodeNamespaces, prefix: str, endpoint: NamespaceEndpoint) -> None:
        self._namespaces = namespaces
        self._prefix = prefix
        self._endpoint = endpoint

    def connect(self, socket: Socket, auth: Any) -> None:
        """See Endpoint."""
        guest = socket.owner = Guest(self._namespaces, socket)
        self._namespaces.guests.add(guest)
        socket.client.begin()
        guest.receiver = self._endpoint.opened(guest, socket.namespace.removeprefix(self._prefix), auth)

    def event(self, socket: Socket, name: str, arguments: list[Any], ack_id: int | None) -> None:
        """See Endpoint."""
        guest = socket.owner
        if isinstance(guest, Guest) and guest.receiver is not None:
            guest.receiver.event(name, arguments, ack_id)

    def event_text(self, socket: Socket, text: bytearray, start: int, ack_id: int | None) -> bool:
        """See Endpoint."""
        return False

    def disconnected(self, socket: Socket, reason: str) -> None:
        """See Endpoint."""
        if isinstance(socket.owner, Guest):
            socket.owner.end()


class NodeNamespaces:
    """Implements hub.kernel.namespaces.Namespaces."""

    def __init__(self, server: SocketServer) -> None:
        self.server = server
        self.guests: set[Guest] = set()

    def mount(self, prefix: str, endpoint: NamespaceEndpoint) -> None:
        """See Namespaces."""
        self.server.mount_prefix(prefix, PrefixEndpoint(self, prefix, endpoint))

    def send_all(self, sockets: Iterable[FramedSocket], messages: Sequence[bytes], *, volatile: bool = False) -> None:
        """See hub.kernel.framed.Sender."""
        sinks = [guest.socket.sink for guest in sockets if isinstance(guest, Guest)]
        for message in messages:
            self.server.engine.outboxes.fan_out(sinks, Volatile(message) if volatile else message)

    async def drain(self) -> None:
        """Send everybody elsewhere, in waves: their clients come back by themselves."""
        sessions = list({guest.id: guest for guest in self.guests}.values())
        size = max(WAVE, math.ceil(len(sessions) * EVERY_S / DRAIN_S))
        for start in range(0, len(sessions), size):
            if start:
                await asyncio.sleep(EVERY_S)
            for guest in sessions[start : start + size]:
                guest.close(CloseCode.GOING_AWAY)
