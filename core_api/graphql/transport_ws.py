"""A WebSocket that speaks graphql-transport-ws.

Not strawberry's handler: it takes messages as they come, so that ``[]`` ends in a traceback; its operations share one
context for hours; it knows no token that runs out; and a client that stops reading holds its send for ever.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing, suppress
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from core_api.graphql.executor import Executor
from core_api.graphql.messages import INVALID, Complete, ConnectionInit, Operation, Ping, Subscribe, decode
from core_api.graphql.rate_limits import OPERATION
from core_api.graphql.settings import GraphQLSettings
from core_api.graphql.slots import Seats
from hub.kernel.clock import Clock
from hub.kernel.errors import HubError, Overloaded, RateLimited, Suspended, TokenExpired, Unauthorized
from hub.kernel.events import Actor
from hub.kernel.limited import Limited
from hub.kernel.ports import Authenticator, Credentials
from hub.kernel.tasks import Running, Tasks

log = logging.getLogger(__name__)

RESTART = 1012
"""The node goes: clients come back by themselves."""
INTERNAL = 1011
TRY_AGAIN = 1013
BAD_REQUEST = 4400
UNAUTHORIZED = 4401
"""Clients take it as final: sign in again."""
FORBIDDEN = 4403
"""Clients come back, and ask for ``connectionParams`` anew: right for a token that has run out."""
NO_SUBPROTOCOL = 4406
INIT_TIMEOUT = 4408
TAKEN_ID = 4409
TWO_INITS = 4429
SHORTEST_S = 0.05
"""Between two looks at a session, also while its token is at its end and not over it."""
MAX_REASON_BYTES = 123
"""Of a close frame, RFC 6455."""


class Closed(Exception):
    """The connection must end, with this code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class Connection:
    """Serves one client. Operations run side by side; each answers in its own order. ``cut`` drops the connection.

    ``source`` is what the client's address counts as.
    """

    def __init__(
        self,
        socket: web.WebSocketResponse,
        executor: Executor,
        authenticator: Authenticator,
        clock: Clock,
        settings: GraphQLSettings,
        seats: Seats,
        limited: Limited,
        source: str | None,
        *,
        cut: Callable[[], None],
    ) -> None:
        self._socket = socket
        self._cut = cut
        self._executor = executor
        self._authenticator = authenticator
        self._clock = clock
        self._settings = settings
        self._seats = seats
        self._limited = limited
        self._source = source
        self._actor: Actor | None = None
        self._tasks = Tasks()
        self._operations: dict[str, Running] = {}

    async def serve(self) -> None:
        """Until either side ends it. Operations under way are stopped then."""
        try:
            if self._socket.ws_protocol is None:
                raise Closed(NO_SUBPROTOCOL, "Subprotocol not acceptable")
            await self._greet()
            with self._seats.taken(None if self._actor is None else self._actor.user_id):
                await self._send({"type": "connection_ack"})
                while (message := await self._receive()) is not None:
                    await self._serve(message)
        except Closed as closed:
            await self._close(closed.code, closed.reason)
        except Overloaded as error:
            await self._close(TRY_AGAIN, error.code)
        except ConnectionError:
            pass  # the client is gone
        except Exception:  # the outermost frame: the answer was a WebSocket, so it is too late for a problem document
            log.exception("a GraphQL connection failed")
            await self._close(INTERNAL, "internal")
        finally:
            await self._tasks.close()

    async def restart(self) -> None:
        """Send the client to another node."""
        await self._close(RESTART, "The node restarts")

    # Who it is

    async def _greet(self) -> None:
        try:
            async with asyncio.timeout(self._settings.init_s):
                message = await self._receive()
                while isinstance(message, Ping):
                    await self._send({"type": "pong"})
                    message = await self._receive()
        except TimeoutError:
            raise Closed(INIT_TIMEOUT, "Connection initialisation timeout") from None
        if message is None:
            raise ConnectionResetError
        if not isinstance(message, ConnectionInit):
            raise Closed(UNAUTHORIZED, "Unauthorized")
        token = (message.payload or {}).get("token")
        if token is not None:
            try:
                credentials = await self._authenticated(token)
            except Closed:
                raise
            except Exception as error:  # whoever knows is away, which says nothing about the token
                log.warning("a GraphQL client could not be authenticated: %r", error)
                raise Closed(TRY_AGAIN, "unavailable") from None
            self._actor = credentials.actor
            self._tasks.start(self._watch(token, credentials), name="graphql session watch")

    async def _authenticated(self, token: object) -> Credentials:
        """Raises Closed for a token that is not good. An outage of what knows goes up as it is."""
        if not isinstance(token, str):
            raise Closed(BAD_REQUEST, "The token must be text")
        try:
            return await self._authenticator.authenticate(token)
        except TokenExpired as error:
            raise Closed(FORBIDDEN, error.code) from None
        except (Unauthorized, Suspended) as error:
            raise Closed(UNAUTHORIZED, error.code) from None

    async def _watch(self, token: str, credentials: Credentials) -> None:
        """End the connection with its token or its session."""
        while True:
            left_s = (credentials.expires_at_ms - self._clock.now_ms()) / 1000
            await asyncio.sleep(max(SHORTEST_S, min(left_s, self._settings.recheck_s)))
            try:
                credentials = await self._authenticated(token)
            except Closed as closed:
                await self._close(closed.code, closed.reason)
                return
            except Exception as error:  # whoever knows is away: open connections stay, as on the socket
                log.warning("a GraphQL session could not be looked at: %r", error)
                await asyncio.sleep(self._settings.recheck_s)

    # Messages

    async def _receive(self) -> Any:
        """The next message, ``None`` after the last. Raises Closed for what is none."""
        frame = await self._socket.receive()
        if frame.type is WSMsgType.TEXT:
            try:
                return decode(frame.data)
            except INVALID as error:
                raise Closed(BAD_REQUEST, f"Invalid message: {error}") from None
        if frame.type is WSMsgType.BINARY:
            raise Closed(BAD_REQUEST, "Messages must be text")
        return None

    async def _serve(self, message: Any) -> None:
        match message:
            case Subscribe(id=operation_id, payload=operation):
                await self._subscribe(operation_id, operation)
            case Complete(id=operation_id):
                if (running := self._operations.pop(operation_id, None)) is not None:
                    running.cancel()
            case Ping():
                await self._send({"type": "pong"})
            case ConnectionInit():
                raise Closed(TWO_INITS, "Too many initialisation requests")

    async def _subscribe(self, operation_id: str, operation: Operation) -> None:
        if operation_id in self._operations:
            raise Closed(TAKEN_ID, f"Subscriber for {operation_id} already exists")
        try:
            self._admit()
        except (Overloaded, RateLimited) as error:
            await self._send({"id": operation_id, "type": "error", "payload": [_entry(error)]})
            return
        self._operations[operation_id] = self._tasks.start(self._run(operation_id, operation), name="graphql operation")

    def _admit(self) -> None:
        """Count one more operation. Raises Overloaded, RateLimited."""
        self._limited.take({OPERATION: 1}, None if self._actor is None else self._actor.user_id, self._source)
        if len(self._operations) >= self._settings.subscriptions:
            raise Overloaded(f"A connection has at most {self._settings.subscriptions} operations at a time.")

    async def _run(self, operation_id: str, operation: Operation) -> None:
        try:
            async with aclosing(self._executor.stream(operation, self._actor, self._source)) as results:
                async for result in results:
                    if not result.ran:
                        self._operations.pop(operation_id, None)
                        await self._send({"id": operation_id, "type": "error", "payload": result.body["errors"]})
                        return
                    await self._send({"id": operation_id, "type": "next", "payload": result.body})
            self._operations.pop(operation_id, None)  # before the message: the client may use the id again at once
            await self._send({"id": operation_id, "type": "complete"})
        except ConnectionError:
            pass  # the client is gone, and the connection's own task sees it too

    async def _send(self, message: dict[str, Any]) -> None:
        """Raises ConnectionError if the client is gone, or does not read and is cut for it."""
        text = msgspec.json.encode(message).decode()
        try:
            async with asyncio.timeout(self._settings.send_s):
                await self._socket.send_str(text)
        except TimeoutError:
            log.info("a GraphQL client that does not read is cut")
            self._cut()  # a close would wait behind what is not read
            raise ConnectionResetError("the client does not read") from None
        except RuntimeError as error:  # aiohttp's word for a socket that is closing
            raise ConnectionResetError(str(error)) from None

    async def _close(self, code: int, reason: str) -> None:
        message = reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore").encode()
        with suppress(ConnectionError, RuntimeError):
            await self._socket.close(code=code, message=message)


def _entry(error: HubError) -> dict[str, Any]:
    wire = error.to_wire()
    return {"message": wire.pop("message"), "extensions": wire}
