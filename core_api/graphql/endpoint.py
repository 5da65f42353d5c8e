"""``/graphql`` on aiohttp: POST for queries and mutations, WebSocket for everything."""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import msgspec
from aiohttp import web

from core_api.graphql.executor import Executor
from core_api.graphql.messages import Operation
from core_api.graphql.rate_limits import OPERATION
from core_api.graphql.settings import GraphQLSettings
from core_api.graphql.slots import Seats
from core_api.graphql.transport_ws import Connection
from hub.kernel import wire
from hub.kernel.clock import Clock
from hub.kernel.errors import MalformedBody, Overloaded
from hub.kernel.events import Actor
from hub.kernel.limited import Limited
from hub.kernel.ports import Authenticator

JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"
"""Who accepts it gets a status that says whether the operation ran; with ``application/json`` it is always 200."""
SUBPROTOCOL = "graphql-transport-ws"
MAX_MESSAGE_BYTES = 1_000_000
"""Of a WebSocket message: what REST takes as a body."""
HEARTBEAT_S = 25.0
"""Between WebSocket pings, as on the socket: a client that is gone is noticed within 38 s."""
CLOSE_S = 2.0
"""How long a client may take to answer a close frame: as long as a node that stops waits for its requests."""

Identify = Callable[[web.Request], Awaitable[Actor | None]]
"""Who sends a request, by its headers; ``None`` for a stranger. Raises Unauthorized, TokenExpired or Suspended."""


class Endpoint:
    """Serves the address. :meth:`close` ends its connections."""

    def __init__(
        self,
        executor: Executor,
        identify: Identify,
        authenticator: Authenticator,
        clock: Clock,
        settings: GraphQLSettings,
        limited: Limited,
    ) -> None:
        self._executor = executor
        self._identify = identify
        self._authenticator = authenticator
        self._clock = clock
        self._settings = settings
        self._limited = limited
        self._connections: set[Connection] = set()
        self._seats = Seats(settings.connections_each, settings.strangers)

    async def post(self, request: web.Request) -> web.Response:
        """Run a query or a mutation. Raises what is wrong with the request itself as a HubError."""
        source = self._count(request)
        actor = await self._identify(request)
        if actor is not None:
            self._limited.take({OPERATION: 1}, actor.user_id, None)
        # A page of another site can post a form, or text, but not JSON: no cookie counts here, and none ever shall.
        if request.content_type != JSON:
            raise MalformedBody(f"Send the operation as {JSON}.")
        result = await self._executor.run(_operation(await request.read()), actor, source)
        headers = {"Cache-Control": "no-store"}
        body = msgspec.json.encode(result.body)
        if GRAPHQL_JSON in request.headers.get("Accept", ""):
            status = HTTPStatus.OK if result.ran else HTTPStatus.BAD_REQUEST
            return web.Response(body=body, status=status, content_type=GRAPHQL_JSON, headers=headers)
        return web.Response(body=body, content_type=JSON, headers=headers)

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """Serve a WebSocket until it ends. Raises Overloaded or RateLimited before it begins."""
        source = self._count(request)
        if len(self._connections) >= self._settings.connections:
            raise Overloaded("This node has as many GraphQL connections as it takes.", retry_after=5)
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client is gone")
        # Without compression: a small message must not unpack to a large one, and each state would take 300 KB.
        socket = web.WebSocketResponse(
            protocols=[SUBPROTOCOL],
            max_msg_size=MAX_MESSAGE_BYTES,
            heartbeat=HEARTBEAT_S,
            timeout=CLOSE_S,
            compress=False,
        )
        connection = Connection(
            socket,
            self._executor,
            self._authenticator,
            self._clock,
            self._settings,
            self._seats,
            self._limited,
            source,
            cut=transport.abort,
        )
        self._connections.add(connection)
        try:
            await socket.prepare(request)
            await connection.serve()
        finally:
            self._connections.discard(connection)
        return socket

    def _count(self, request: web.Request) -> str | None:
        """Count the request for its address, and give what that counts as. Raises RateLimited.

        First of all, as by REST: a token is verified in the time of many refusals.
        """
        source = self._limited.source(request.remote or "")
        self._limited.take({OPERATION: 1}, None, source)
        return source

    async def close(self) -> None:
        """Close all connections, so that their clients come back to another node."""
        await asyncio.gather(*(connection.restart() for connection in list(self._connections)))


def _operation(body: bytes) -> Operation:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedBody(f"The body is not valid JSON: {error}") from None
    return wire.decode(value, Operation)
