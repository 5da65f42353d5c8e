"""What comes in over one session: packets, and the namespaces that they are for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import orjson

from hub.transport.engineio.request import Request
from hub.transport.engineio.session import Reason, Session
from hub.transport.engineio.session_ids import new_id
from hub.transport.engineio.websocket import CloseCode, ProtocolError
from hub.transport.socketio.codecs import JSON, Form
from hub.transport.socketio.packets import (
    CONNECT,
    CONNECT_ERROR,
    DISCONNECT,
    EVENT,
    RESERVED_EVENTS,
    Packet,
)
from hub.transport.socketio.socket import CONNECTED, GONE, Socket

if TYPE_CHECKING:
    from hub.transport.socketio.observer import Observer
    from hub.transport.socketio.rooms import Rooms

MAX_IN_FLIGHT: Final = 32
"""Events and CONNECTs of one client handled at once. The next is not read from its connection until one is done, so a
client that sends faster than its handlers work is slowed by TCP and holds no memory here."""
_EVENT_HEAD: Final = b"42"
_MAX_HEAD: Final = 18
"""Of an event in the default namespace: ``42`` and an acknowledgement id."""


class Endpoint(Protocol):
    """What serves a namespace. Its methods are called outside any task; they must neither block nor raise.

    What it goes on with afterwards stands between ``socket.client.begin()`` and ``end()``, so that it is bounded.
    """

    def connect(self, socket: Socket, auth: Any) -> None:
        """A client asks to connect. Call ``socket.accept()`` or ``socket.refuse()``, now or later."""
        ...

    def event(self, socket: Socket, name: str, arguments: list[Any], ack_id: int | None) -> None:
        """An event of a connected socket."""
        ...

    def event_text(self, socket: Socket, text: bytearray, start: int, ack_id: int | None) -> bool:
        """An event that is not decoded: a JSON array, from ``start`` in the text.

        For an endpoint that knows what to expect, and reads it without making a plain value first. False: it does not
        take this one, and nothing has happened; :meth:`event` is called then. It takes none while there is an observer,
        who is shown plain values.
        """
        ...

    def disconnected(self, socket: Socket, reason: str) -> None:
        """A socket that was connected is gone. Called once."""
        ...


class Namespaces(Protocol):
    """What a client may connect to. Implemented by hub.transport.socketio.server."""

    observer: Observer | None
    """Who is told what happens, if anybody."""

    def endpoint(self, namespace: str) -> Endpoint | None:
        """What serves a namespace; ``None`` if nothing does."""
        ...

    def rooms_of(self, namespace: str) -> Rooms:
        """The rooms of a namespace."""
        ...

    def forget(self, socket: Socket) -> None:
        """A socket is connected no more: it is in no room afterwards."""
        ...


class Client:
    """One client: a session, and a socket for each namespace. Implements hub.transport.engineio.session.Receiver."""

    __slots__ = (
        "_holds",
        "_in_flight",
        "_main",
        "_namespaces",
        "_others",
        "_partial",
        "codec",
        "form",
        "request",
        "session",
        "slot",
    )

    def __init__(self, session: Session, request: Request, form: Form, namespaces: Namespaces) -> None:
        self.session = session
        self.request: Request | None = request
        self.form = form
        self.codec = form.codec
        self._namespaces = namespaces
        self._main: Socket | None = None
        """The socket of the default namespace, which nearly every packet is for."""
        self._others: dict[str, Socket] | None = None
        self._partial: Packet | None = None
        """A packet whose attachments have not all come."""
        self._in_flight = 0
        self._holds = 0
        self.slot: Any = None
        session.engine.deadlines.schedule(self, session.engine.settings.connect_timeout_s)

    # ---------------------------------------------------------------- packets

    def text(self, payload: bytearray) -> None:
        """See Receiver."""
        try:
            if self._main is not None and payload.startswith(_EVENT_HEAD) and self._take_event(self._main, payload):
                return
            if self._partial is not None:
                raise ValueError("text where an attachment is due")
            if self.codec.text is None:
                raise ValueError("text, which this parser has not")
            self._take(self.codec.text(bytes(payload[1:])))
        except (ValueError, RecursionError) as error:
            self.session.fail(str(error)[:100])

    def _take_event(self, socket: Socket, payload: bytearray) -> bool:
        """Take an event in the default namespace without attachments: nearly everything that ever comes.

        False: it is something else, or wants a closer look.
        """
        start = payload.find(b"[", 2, _MAX_HEAD)
        digits = payload[2:start]
        if start < 2 or (digits and not digits.isdigit()) or self._partial is not None or self.codec is not JSON:
            return False
        ack_id = int(digits) if digits else None
        if socket.state == CONNECTED and socket.early is None:
            endpoint = self._namespaces.endpoint(socket.namespace)
            if endpoint is not None and endpoint.event_text(socket, payload, start, ack_id):
                return True
        try:
            arguments = orjson.loads(memoryview(payload)[start:])
        except orjson.JSONDecodeError:
            return False  # perhaps half an emoji
        if not arguments or type(arguments[0]) is not str or arguments[0] in RESERVED_EVENTS:
            return False
        self.event(socket, arguments, ack_id)
        return True

    def binary(self, payload: bytearray) -> None:
        """See Receiver."""
        packet = self._partial
        try:
            if packet is not None:
                if packet.size + len(payload) > self.session.engine.settings.max_payload:
                    # Each would be within the limit; so many would be held for who never sends the last.
                    raise ProtocolError("a packet over the payload limit with its attachments", CloseCode.TOO_BIG)
                packet.add_attachment(bytes(payload))
                self._take(packet)
            elif self.codec.binary is not None:
                self._take(self.codec.binary(payload))
            else:
                raise ValueError("an attachment of nothing")
        except ProtocolError as error:
            self.session.fail(str(error), error.code)
        except (ValueError, RecursionError) as error:
            self.session.fail(str(error)[:100])

    def _take(self, packet: Packet) -> None:
        if packet.attachments:
            self._partial = packet
            return
        self._partial = None
        socket = self.socket(packet.namespace)
        if packet.type == CONNECT:
            if socket is not None:
                raise ValueError("a second CONNECT to a namespace")
            self._connect(packet.namespace, packet.data)
        elif socket is None:
            # A client that has just been put out of one namespace may not know it yet; one that never connected to any
            # has no business here.
            if self._main is None and not self._others:
                raise ValueError("a packet before CONNECT")
        elif packet.type == DISCONNECT:
            self._leave(socket, Reason.CLIENT_DISCONNECT)
        elif packet.type == EVENT:
            self.event(socket, packet.data, packet.id)
        elif packet.id is not None:
            socket.answered(packet.id, packet.data)

    def event(self, socket: Socket, arguments: list[Any], ack_id: int | None) -> None:
        """Have an event served, whose name is the first argument. One that comes early waits, and holds up the rest."""
        if socket.early is not None:
            socket.early.append((arguments, ack_id))
            self.hold()
            return
        endpoint = self._namespaces.endpoint(socket.namespace)
        if endpoint is not None and socket.state == CONNECTED:
            if (observer := self._namespaces.observer) is not None:
                observer.received(socket, arguments)
            endpoint.event(socket, arguments[0], arguments[1:], ack_id)

    # ---------------------------------------------------------------- sockets

    @property
    def observer(self) -> Observer | None:
        """Who is told what happens, if anybody."""
        return self._namespaces.observer

    def socket(self, namespace: str) -> Socket | None:
        """The socket of a namespace, if there is one."""
        if self._main is not None and self._main.namespace == namespace:
            return self._main
        return self._others.get(namespace) if self._others else None

    def sockets(self) -> list[Socket]:
        """All sockets."""
        return [*([self._main] if self._main else []), *(self._others or {}).values()]

    def _connect(self, namespace: str, auth: Any) -> None:
        endpoint = self._namespaces.endpoint(namespace)
        if endpoint is None:
            self.session.send(self.codec.encode(CONNECT_ERROR, namespace, None, {"message": "Invalid namespace"}))
            return
        socket = Socket(self, namespace, new_id())
        if namespace == "/":
            self._main = socket
        else:
            self._others = (self._others or {}) | {namespace: socket}
        self._namespaces.rooms_of(namespace).add(socket)
        endpoint.connect(socket, auth)

    def accepted(self, socket: Socket, sink: Session) -> None:
        """A socket is connected: what its rooms are sent goes to ``sink`` from now on."""
        self.session.engine.deadlines.cancel(self)
        socket.sink = sink
        self._namespaces.rooms_of(socket.namespace).moved(socket)
        if (observer := self.observer) is not None:
            observer.connected(socket)

    def left(self, socket: Socket) -> None:
        """A socket is connected no more: it is in no room, and no packet of it is taken."""
        socket.state = GONE
        if socket.early:
            self.release()
        socket.early = None
        self._namespaces.forget(socket)
        if self._main is socket:
            self._main = None
        elif self._others:
            self._others.pop(socket.namespace, None)

    def _leave(self, socket: Socket, reason: str) -> None:
        was_connected = socket.state == CONNECTED
        self.left(socket)
        endpoint = self._namespaces.endpoint(socket.namespace)
        if was_connected and endpoint is not None:
            endpoint.disconnected(socket, reason)
        if was_connected and (observer := self.observer) is not None:
            observer.disconnected(socket, reason)

    def closed(self, reason: str) -> None:
        """See Receiver. A socket that is still pending is ended by whoever looks at its CONNECT."""
        self.session.engine.deadlines.cancel(self)
        self._partial = None
        for socket in self.sockets():
            self._leave(socket, reason)

    def due(self) -> None:
        """No CONNECT was accepted in time."""
        if not any(socket.state == CONNECTED for socket in self.sockets()):
            self.session.close(Reason.SERVER_DISCONNECT, CloseCode.POLICY, "no CONNECT in time")

    # ---------------------------------------------------------------- how much is under way

    def begin(self) -> None:
        """One more event, or CONNECT, is being handled."""
        self._in_flight += 1
        if self._in_flight == MAX_IN_FLIGHT:
            self.hold()

    def end(self) -> None:
        """One of them is done."""
        if self._in_flight == MAX_IN_FLIGHT:
            self.release()
        self._in_flight -= 1

    def hold(self) -> None:
        """Take no packet until :meth:`release`; holds are counted."""
        self._holds += 1
        if self._holds == 1:
            self.session.pause()

    def release(self) -> None:
        """End a hold."""
        self._holds -= 1
        if not self._holds:
            self.session.resume()
