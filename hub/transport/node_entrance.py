"""Where other nodes come in, with what they pass on for sessions of this one; nothing else is served there."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import cast

from aiohttp import web
from aiohttp.typedefs import Middleware

from hub.kernel.errors import RateLimited
from hub.transport.engineio.handshake import RequestHead
from hub.transport.engineio.refusals import BAD_REQUEST, Refused
from hub.transport.engineio.websocket_connection import WebSocketConnection
from hub.transport.forwarding.forwarder import KEPT_S
from hub.transport.forwarding.hop import Guard
from hub.transport.front import BACKLOG, TOO_MANY, Doorkeeper, Front
from hub.transport.middleware import origins, scope
from hub.transport.polling import PollingRoutes
from hub.transport.problems import problem_of

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class NodeFront(Front):
    """The first protocol of a connection from another node. What it brings counts for the address of its client."""

    __slots__ = ("_serve", "guard")

    def __init__(self, door: Doorkeeper, guard: Guard, serve: Callable[[], asyncio.Protocol]) -> None:
        super().__init__(door)
        self.guard = guard
        self._serve = serve

    def _enter(self) -> bool:
        return True

    def _leave(self) -> None:
        pass

    def _http(self) -> asyncio.Protocol:
        return self._serve()

    def _accept(self, head: RequestHead) -> WebSocketConnection:
        address, _port = self.guard.client_of(lambda name: head.header(name.lower().encode()))
        answer = self._door.check(head)
        if "sid" not in head.query:
            raise Refused(BAD_REQUEST)
        addresses = self._door.addresses
        try:
            if not addresses.enter(address):
                raise Refused.by(problem_of(RateLimited(TOO_MANY)))
            connection = self._door.answer(head, answer, self.transport)
        except Refused:
            addresses.leave(address)
            raise
        self._address = address
        return connection


class NodeEntrance:
    """The listeners for other nodes. ``listen`` as often as there are ways in, then ``close``."""

    def __init__(self, door: Doorkeeper) -> None:
        self._door = door
        app = web.Application(middlewares=[scope, _admit(door), origins(door.origins)])
        PollingRoutes(door, forwarded=True).add_routes(app)
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=1, keepalive_timeout=2 * KEPT_S
        )
        self._servers: list[asyncio.Server] = []

    async def listen(self, bound: socket.socket, *, secret: str | None) -> None:
        """Take connections from a bound socket. ``secret``: ``None`` where only nodes can connect."""
        if (serve := self._runner.server) is None:
            await self._runner.setup()
            serve = cast("web.Server", self._runner.server)
        self._door.engine.start()
        loop, guard = asyncio.get_running_loop(), Guard(secret)

        def front() -> NodeFront:
            return NodeFront(self._door, guard, serve)

        if bound.family == socket.AF_UNIX:
            server = await loop.create_unix_server(front, sock=bound, backlog=BACKLOG)
        else:
            server = await loop.create_server(front, sock=bound, backlog=BACKLOG)
        self._servers.append(server)

    async def close(self) -> None:
        """Take no more, and end what is under way."""
        for server in self._servers:
            server.close()
        await self._runner.cleanup()


def _admit(door: Doorkeeper) -> Middleware:
    """A middleware that lets in what a node has sent, as one more connection of its client's address."""

    @web.middleware
    async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
        front = request.transport and request.transport.get_protocol()
        try:
            if not isinstance(front, NodeFront):
                raise Refused(BAD_REQUEST)  # the other node has gone
            address, _port = front.guard.client_of(lambda name: request.headers.get(name, ""))
        except Refused as refused:
            answer = web.Response(status=refused.status, body=refused.body, content_type=refused.content_type)
            answer.force_close()
            return answer
        admitted = door.addresses.enter(address)
        try:
            return await handler(request) if admitted else problem_of(RateLimited(TOO_MANY))
        finally:
            door.addresses.leave(address)

    return admit
