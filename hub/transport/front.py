"""One port for everything: WebSockets of Engine.IO and of editors stay here, all other HTTP goes to aiohttp."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, cast

from aiohttp import web

from hub.kernel.errors import RateLimited
from hub.transport.engineio.addresses import Addresses, peer_of
from hub.transport.engineio.engine import Engine
from hub.transport.engineio.handshake import VERSION, RequestHead
from hub.transport.engineio.refusals import BAD_REQUEST, Refused, check_transport, find_session
from hub.transport.engineio.request import Request
from hub.transport.engineio.session import WEBSOCKET, Session
from hub.transport.engineio.session_ids import node_of
from hub.transport.engineio.upgrade import Upgrade
from hub.transport.engineio.websocket import CloseCode, ProtocolError
from hub.transport.engineio.websocket_connection import WebSocketConnection
from hub.transport.forwarding.forwarder import Forwarder, OtherNode
from hub.transport.forwarding.pipe import ClientEnd
from hub.transport.framed_sockets import NodeFramedSockets
from hub.transport.origins import OriginRule
from hub.transport.problems import ForbiddenOrigin, problem_of

BACKLOG: Final = 4096
"""Connections that wait to be accepted: a mass reconnect after a drain comes within one second."""
HEAD_BYTES: Final = 32 << 10
"""Of the first request head of a connection, and of the first line of each: 500 ids in a query take 18 KB, and no
browser or proxy sends more beside it than 8."""
TOO_MANY: Final = "This address has too many connections open."
_END: Final = b"\r\n\r\n"

Connection = WebSocketConnection | ClientEnd
"""What gets the bytes of a WebSocket: its session is here, or on another node."""


class Doorkeeper:
    """What the TCP connections of a node share: who may come in, and where what they ask for is served.

    Without a ``forwarder`` sessions of other nodes are unknown.
    """

    def __init__(self, engine: Engine, origins: OriginRule, forwarder: Forwarder | None = None) -> None:
        self.engine = engine
        self.framed = NodeFramedSockets(engine)
        """The WebSockets of editors."""
        self.origins = origins
        self.forwarder = forwarder
        self.addresses = Addresses(engine.settings.connections_per_address, engine.settings.uncapped_addresses)
        self._http: Callable[[], asyncio.Protocol] | None = None

    async def listen(self, runner: web.AppRunner, sock: socket.socket, *, backlog: int = BACKLOG) -> asyncio.Server:
        """Take connections from a bound socket; what is no socket of Engine.IO goes to the runner, which is set up."""
        self._http = runner.server
        self.engine.start()
        return await self.engine.loop.create_server(lambda: Front(self), sock=sock, backlog=backlog)

    def http(self) -> asyncio.Protocol:
        """A protocol of aiohttp for one connection."""
        if self._http is None:
            raise RuntimeError("nothing is listened on yet")
        return self._http()

    def is_ours(self, head: bytes) -> bool:
        """Whether a request is for a path of ours, as far as that can be told of one that may be malformed."""
        target = head[:HEAD_BYTES].split(b"\r\n", 1)[0].split(b"?", 1)[0].decode("latin-1")
        return any(path in target for path in self.engine.endpoints) or any(
            f" {path}" in target for path in self.framed.paths()
        )

    def elsewhere(self, query: Mapping[str, str]) -> OtherNode | None:
        """The other node whose session a request says it is for; ``None``: it is for this node to answer."""
        sid = query.get("sid")
        if sid is None or self.forwarder is None or query.get("EIO") != "4" or sid in self.engine.sessions:
            return None
        node = node_of(sid)
        return None if node is None or node == self.engine.node else OtherNode(node, self.forwarder)

    def accept(self, head: RequestHead, transport: asyncio.Transport) -> Connection:
        """Take a WebSocket by its handshake, and give the connection that is to get what comes after it.

        Raises Refused, when nothing has been written yet.
        """
        found = self.framed.find(head.path)
        if found is not None:
            return self.framed.accept(*found, head, self._handshake_answer(head), transport)
        answer = self.check(head)
        node = self.elsewhere(head.query)
        if node is not None:
            return node.join(head, transport, peer_of(transport))
        return self.answer(head, answer, transport)

    def check(self, head: RequestHead) -> bytes:
        """The answer to the WebSocket handshake of a session, if it may be accepted. Raises Refused."""
        if head.path not in self.engine.endpoints:
            raise Refused(BAD_REQUEST)
        answer = self._handshake_answer(head)
        check_transport(head.query, "websocket")
        return answer

    def _handshake_answer(self, head: RequestHead) -> bytes:
        if head.wants_websocket and not head.has_our_version:
            raise Refused(BAD_REQUEST, status=426, headers={"Sec-WebSocket-Version": VERSION.decode()})
        answer = head.websocket_answer()
        if answer is None or b"host" not in head.headers:
            raise Refused(BAD_REQUEST)
        if not self.origins.allows(head.header(b"origin"), head.header(b"host")):
            raise Refused.by(problem_of(ForbiddenOrigin()))
        return answer

    def answer(self, head: RequestHead, answer: bytes, transport: asyncio.Transport) -> WebSocketConnection:
        """Accept a WebSocket, for a session of this node or a new one. Raises Refused."""
        engine = self.engine
        session = find_session(engine, head.query)
        connection = WebSocketConnection(engine.loop, transport, engine.settings.max_payload)
        if session is None:
            engine.open(Request(head, peer_of(transport)), connection, before=answer)
        else:
            transport.write(answer)
            _join(session, connection)
        return connection


def _handshake(head: bytes) -> RequestHead:
    """Raises Refused for what is no proper request."""
    try:
        return RequestHead(head)
    except ProtocolError:
        raise Refused(BAD_REQUEST) from None


def _join(session: Session, connection: WebSocketConnection) -> None:
    """Offer a polling session its WebSocket; there is one at a time."""
    if session.upgrade is None and session.state < WEBSOCKET:
        Upgrade(session, connection)
    else:
        connection.close(CloseCode.PROTOCOL_ERROR, "this session has a WebSocket, or is getting one")


class Front(asyncio.Protocol):
    """The first protocol of every TCP connection.

    It waits for the first request head. A WebSocket handshake for Engine.IO becomes a WebSocketConnection; anything
    else is aiohttp's, and this stays before it as a pipe: so the end of a client with an open poll is noticed, and a
    handshake on a kept-alive connection can be taken over.
    """

    __slots__ = ("_address", "_admitted", "_door", "_head", "_inner", "on_lost", "slot", "transport")

    def __init__(self, door: Doorkeeper) -> None:
        self._door = door
        self._head = b""
        self._inner: asyncio.Protocol | None = None
        self.slot: Any = None
        self.on_lost: Callable[[Exception | None], object] | None = None
        """Called once, when the connection is lost."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self.transport = cast("asyncio.Transport", transport)
        self._admitted = self._enter()
        engine = self._door.engine
        engine.deadlines.schedule(self, engine.settings.head_timeout_s)

    def _enter(self) -> bool:
        """Count the connection, and say whether its address may have it."""
        self._address = peer_of(self.transport)[0]
        return self._door.addresses.enter(self._address)

    def _leave(self) -> None:
        """The connection is gone, and was not handed on."""
        self._door.addresses.leave(self._address)

    def due(self) -> None:
        """The first request head has not come in time."""
        if self._inner is None:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if self._inner is not None:
            self._inner.data_received(data)
            return
        data = self._head + data if self._head else data.lstrip(b"\r\n")  # RFC 9112, section 2.2
        end = data.find(_END)
        if end < 0 and len(data) <= HEAD_BYTES and (not data or data[:1].isupper()):
            self._head = data
            return
        self._door.engine.deadlines.cancel(self)
        self._head = b""
        if not self._admitted:
            self._refuse(Refused.by(problem_of(RateLimited(TOO_MANY))))
        elif not 0 <= end <= HEAD_BYTES:  # aiohttp would wait for the end of one for ever
            self._refuse(Refused(BAD_REQUEST, status=431 if len(data) > HEAD_BYTES else 400))
        elif not self._is_taken(data[:end], data[end + len(_END) :]):
            self._inner = self._http()
            self._inner.connection_made(self.transport)
            self._inner.data_received(data)

    def _is_taken(self, head: bytes, rest: bytes) -> bool:
        """Whether this was a WebSocket handshake for one of our paths, which is answered here, well or badly."""
        if b"websocket" not in head.lower() or not self._door.is_ours(head):
            return False
        try:
            connection = self._accept(_handshake(head))
        except Refused as refused:
            self._refuse(refused)
            return True
        connection.counted(self._door.addresses, self._address)
        self.transport.set_protocol(connection)
        if rest:
            connection.data_received(rest)
        return True

    def _accept(self, head: RequestHead) -> Connection:
        return self._door.accept(head, self.transport)

    def _http(self) -> asyncio.Protocol:
        return self._door.http()

    def take_over(self, connection: Connection) -> asyncio.Future[None]:
        """Feed a WebSocket from now on, whose handshake aiohttp has read.

        The handler that calls this must wait for the future, which is done when the connection is lost.
        """
        handler, self._inner = self._inner, connection
        lost: asyncio.Future[None] = self._door.engine.loop.create_future()

        def on_lost(error: Exception | None) -> None:
            if handler is not None:
                handler.connection_lost(error)
            if not lost.done():
                lost.set_result(None)

        self.on_lost = on_lost
        return lost

    def _refuse(self, refused: Refused) -> None:
        self.transport.write(refused.response())
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._door.engine.deadlines.cancel(self)
        self._leave()
        on_lost, self.on_lost = self.on_lost, None
        if on_lost is not None:
            on_lost(exc)
        if self._inner is not None:
            self._inner.connection_lost(exc)

    def eof_received(self) -> bool | None:
        """See asyncio.Protocol."""
        return None if self._inner is None else self._inner.eof_received()

    def pause_writing(self) -> None:
        """See asyncio.Protocol."""
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        if self._inner is not None:
            self._inner.resume_writing()


@contextlib.contextmanager
def watched(request: web.Request, lost: Callable[[], object]) -> Iterator[None]:
    """While this lasts ``lost`` is called when the client is gone. Raises Refused if it is already."""
    front = request.transport and request.transport.get_protocol()
    if not isinstance(front, Front):
        lost()
        raise Refused(BAD_REQUEST)
    front.on_lost = lambda _error: lost()
    try:
        yield
    finally:
        front.on_lost = None
