"""Long-polling, as a route of aiohttp; and WebSocket handshakes on connections that aiohttp reads already."""

import asyncio
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from aiohttp import HttpVersion11, web

from hub.transport.engineio.addresses import peer_of
from hub.transport.engineio.engine import Engine
from hub.transport.engineio.handshake import RequestHead
from hub.transport.engineio.packets import decode_payload
from hub.transport.engineio.refusals import BAD_METHOD, BAD_REQUEST, Refused, check_transport, find_session
from hub.transport.engineio.request import Request
from hub.transport.engineio.session import CLOSING, MESSAGES_A_TURN, WEBSOCKET, Session
from hub.transport.engineio.websocket import CloseCode, Message, ProtocolError
from hub.transport.forwarding.hop import LOST, RELEASE
from hub.transport.front import HEAD_BYTES, Doorkeeper, Front, watched
from hub.transport.passing_on import METHODS, pass_on, take_word
from hub.transport.problems import BadRequest, problem

P = ParamSpec("P")
T = TypeVar("T")
BODY_S: Final = 30.0
"""Longest that a POST may take to arrive: a megabyte over a poor mobile link."""
NO_STORE: Final = {"Cache-Control": "no-store"}


class PollingRoutes:
    """Serves the paths of an engine. The Origin has been checked before (hub.transport.middleware).

    ``forwarded``: what other nodes pass on, which is for sessions of this node, and goes no further.
    """

    def __init__(self, door: Doorkeeper, *, forwarded: bool = False) -> None:
        self._door = door
        self._forwarded = forwarded
        self._engine: Engine = door.engine

    def add_routes(self, app: web.Application) -> None:
        """Serve every path of the engine, by every method."""
        for path in self._engine.endpoints:
            app.router.add_route("*", path, self.handle)
        if not self._forwarded:
            for path in self._door.framed.paths():
                app.router.add_get(f"{path}{{name}}" if path.endswith("/") else path, self.handle_framed)

    async def handle_framed(self, request: web.Request) -> web.StreamResponse:
        """Accept a WebSocket of an editor on a connection that was used before."""
        try:
            if request.headers.get("Upgrade", "").lower() != "websocket":
                raise Refused.by(problem(426, BadRequest.code, "Connect by WebSocket.", temporary=False))
            return await self._websocket(request)
        except Refused as refused:
            headers = {"Upgrade": "websocket", **NO_STORE, **refused.headers} if refused.status == 426 else NO_STORE
            return web.Response(
                status=refused.status, body=refused.body, content_type=refused.content_type, headers=headers
            )

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        headers = NO_STORE | _cors(request)
        try:
            response = await self._serve(request)
        except Refused as refused:
            response = web.Response(
                status=refused.status, body=refused.body, content_type=refused.content_type, headers=refused.headers
            )
        except ProtocolError as error:
            response = web.Response(status=400, text=f"{error}\n")
        response.headers.update(headers)
        return response

    async def _serve(self, request: web.Request) -> web.Response:
        if request.method == "OPTIONS":
            return web.Response()
        if request.query.get("transport") == "websocket" and not self._forwarded:
            return await self._websocket(request)
        check_transport(request.query, "polling")
        node = None if self._forwarded else self._door.elsewhere(request.query)
        if node is not None:
            return await pass_on(request, node, self._engine.settings.max_payload)
        session = find_session(self._engine, request.query)
        if session is None:
            return await self._open(request)
        if session.state == WEBSOCKET or request.method not in METHODS:
            raise Refused(BAD_REQUEST)
        if self._forwarded and not request.headers.keys().isdisjoint((LOST, RELEASE)):
            return take_word(request, session)
        return await (self._poll if request.method == "GET" else self._post)(request, session)

    async def _open(self, request: web.Request) -> web.Response:
        if request.method != "GET":
            raise Refused(BAD_METHOD)
        if self._forwarded:
            raise Refused(BAD_REQUEST)
        opener = Request(_head(request), peer_of(request.transport))
        session = await self._outside(self._engine.open, opener)
        return await self._poll(request, session)

    async def _outside(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """What a function returns that is called outside any task, as WebSockets call it: handlers start eagerly then,
        and tasks do not nest.
        """
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        def run() -> None:
            try:
                done.set_result(function(*arguments, **named))
            except Exception as error:
                done.set_exception(error)

        asyncio.get_running_loop().call_soon(run)
        return await done

    async def _poll(self, request: web.Request, session: Session) -> web.Response:
        poll = session.open_poll()
        if not isinstance(poll, asyncio.Future):
            return _body(poll)

        def lost() -> None:
            session.poll_lost(poll)
            poll.cancel()

        with watched(request, lost):
            return _body(await poll)

    async def _post(self, request: web.Request, session: Session) -> web.Response:
        if session.posting or session.state >= CLOSING:
            session.fail("a POST beside another")
            raise Refused(BAD_REQUEST)
        session.posting = True
        try:
            messages = decode_payload(await self._read(request))
            await _Post(session, messages).delivered
        except ProtocolError as error:
            session.fail(str(error), error.code)
            raise
        except TimeoutError:
            session.fail("a POST that drips", CloseCode.POLICY)
            raise web.HTTPRequestTimeout from None
        except web.RequestPayloadError:
            session.fail("a POST whose body is not what its head says")
            raise Refused(BAD_REQUEST) from None
        except (web.HTTPException, OSError):
            session.fail("a POST that is too big, or did not come to its end")
            raise
        finally:
            session.posting = False
        return web.Response(body=b"ok", content_type="text/html")

    async def _read(self, request: web.Request) -> bytes:
        """The body. Raises HTTPRequestEntityTooLarge, or TimeoutError for a body that drips."""
        limit = self._engine.settings.max_payload
        body = bytearray()
        async with asyncio.timeout(BODY_S):
            if (request.content_length or 0) > limit:
                raise web.HTTPRequestEntityTooLarge(limit, request.content_length or 0)
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > limit:
                    raise web.HTTPRequestEntityTooLarge(limit, len(body))
        return bytes(body)

    async def _websocket(self, request: web.Request) -> web.Response:
        """A handshake on a connection that was used before: proxies keep theirs alive."""
        front = request.transport and request.transport.get_protocol()
        if not isinstance(front, Front) or request.method != "GET" or request.version != HttpVersion11:
            raise Refused(BAD_REQUEST)
        lost = await self._outside(self._take_over, request, front)
        if lost is not None:
            await lost
        raise asyncio.CancelledError  # the connection is lost: there is nobody to answer

    def _take_over(self, request: web.Request, front: Front) -> asyncio.Future[None] | None:
        """Accept a WebSocket and feed it, in one turn: what its client sends next is no HTTP. ``None``: it has gone."""
        head = _head(request)
        return None if request.transport is None else front.take_over(self._door.accept(head, front.transport))


class _Post:
    """The packets of one POST on their way to the session. Implements hub.transport.engineio.session.Source."""

    def __init__(self, session: Session, messages: list[Message]) -> None:
        loop = session.engine.loop
        self._session, self._messages = session, iter(messages)
        self.delivered: asyncio.Future[None] = loop.create_future()
        """Done when the last packet was taken: a client that sends faster than its handlers work waits for it."""
        session.source = self
        loop.call_soon(self.deliver)

    def deliver(self) -> None:
        """See Source. Many packets take several turns of the loop."""
        session = self._session
        for _ in range(MESSAGES_A_TURN):
            if session.held:
                return
            message = next(self._messages, None)
            if message is None or session.state >= CLOSING:
                if session.source is self:
                    session.source = None
                if not self.delivered.done():
                    self.delivered.set_result(None)
                return
            session.receive(*message)
        session.engine.loop.call_soon(self.deliver)


def _body(body: bytes | None) -> web.Response:
    if body is None:
        raise Refused(BAD_REQUEST)
    return web.Response(body=body, content_type="text/plain", charset="UTF-8")


def _head(request: web.Request) -> RequestHead:
    """The request's head, taken once more: aiohttp is more lenient. Raises Refused, ProtocolError."""
    # The path as it was matched: there are other ways to write it, and some clients send a whole URL.
    lines = [f"{request.method} {request.path}?{request.rel_url.raw_query_string} HTTP/1.1".encode()]
    lines += [name + b": " + value for name, value in request.raw_headers]
    head = b"\r\n".join(lines)
    if len(head) > HEAD_BYTES:
        raise Refused(BAD_REQUEST, status=431)
    return RequestHead(head)


def _cors(request: web.Request) -> dict[str, str]:
    """What lets the page of an allowed origin read the answer."""
    origin = request.headers.get("Origin")
    if not origin:
        return {}
    headers = {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Credentials": "true",
        "Vary": "Origin",
    }
    if request.method == "OPTIONS":
        headers["Access-Control-Allow-Methods"] = "GET, POST, OPTIONS"
        if wanted := request.headers.get("Access-Control-Request-Headers"):
            headers["Access-Control-Allow-Headers"] = wanted
    return headers
