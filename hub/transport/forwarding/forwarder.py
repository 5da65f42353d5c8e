"""Passes requests on to the node that has their session, by a way that the table of leases names."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from prometheus_client import Counter, Gauge
from yarl import URL

from hub.kernel.ids import NodeTag
from hub.kernel.ports import NodeDirectory
from hub.kernel.tasks import Tasks
from hub.transport.engineio.addresses import Peer
from hub.transport.engineio.handshake import RequestHead
from hub.transport.engineio.refusals import UNKNOWN_SESSION, Refused
from hub.transport.forwarding.hop import hop_headers
from hub.transport.forwarding.pipe import ClientEnd, NodeEnd
from hub.transport.forwarding.question import NOTHING_YET, Answer, Question
from hub.transport.forwarding.routes import Route, route_to

CONNECT_S: Final = 3.0
"""Longest wait for a connection to another node. One that is alive takes a millisecond, or a round trip; but either may
stand still for a second on a machine whose host is busy, and sessions must not be lost by that."""
WATCH_S: Final = 1.0
"""Between two looks at the leases of nodes that have not answered yet: one that hangs is given up with its lease."""
KEPT_S: Final = 15.0
"""How long an idle connection to another node is kept for the next request: a new one for each doubles its cost. The
other node keeps it for longer, so it breaks under a request only when that node or the network does. Then nobody knows
whether the request was taken, and the client is told that its session is unknown."""
SLACK_S: Final = 5.0
"""Beyond ping interval and timeout, in which every poll is answered, and every client gives up that is not."""

WAITING = Gauge("hub_forwarded_waiting", "Polls that wait for the answer of another node")
FORWARDED = Counter("hub_forwarded", "Requests passed on to other nodes, by kind and outcome", ["kind", "outcome"])


@dataclass(frozen=True, slots=True)
class OtherNode:
    """A node that a session id names. There may be none of that name."""

    tag: NodeTag
    forwarder: "Forwarder"

    async def ask(self, question: Question, body: AsyncIterator[bytes] | None = None) -> Answer:
        """Have it answer. When it gives no answer, or does not exist, this raises Refused."""
        return await self.forwarder.ask(self.tag, question, body)

    def tell(self, question: Question) -> None:
        """The same, when the answer is of no interest."""
        self.forwarder.tell(self.tag, question)

    def join(self, head: RequestHead, transport: asyncio.Transport, client: Peer) -> ClientEnd:
        """Have it serve a WebSocket, from its handshake on. What this returns gets what comes from the client."""
        return self.forwarder.join(self.tag, head, transport, client)


class Forwarder:
    """The other nodes, as one that has a request for their sessions sees them.

    A node without a lease, one that cannot be reached, and one that does not answer are all the same to a client: its
    session is unknown, so it opens another.
    """

    def __init__(self, directory: NodeDirectory, tasks: Tasks, *, secret: str | None, heartbeat_s: float) -> None:
        self._directory = directory
        self._tasks = tasks
        self._secret = secret
        self._answer_s = heartbeat_s + SLACK_S
        self._routes: dict[NodeTag, Route] = {}
        self._sessions: dict[Route, aiohttp.ClientSession] = {}
        self._cuts: dict[NodeTag, set[Callable[[], object]]] = {}
        """What ends the requests that wait for a node."""
        self._watching = self._closed = False
        self._polls: dict[Question, NodeTag] = {}
        self._ends: set[ClientEnd] = set()
        self.leaving = False
        """Whether no poll is to wait here any more."""

    # ---------------------------------------------------------------- polls

    def tell(self, node: NodeTag, question: Question) -> None:
        """See OtherNode."""

        async def tell() -> None:
            with contextlib.suppress(Refused):
                await self.ask(node, question)

        self._tasks.start(tell(), name="word to another node")

    async def ask(self, node: NodeTag, question: Question, body: AsyncIterator[bytes] | None = None) -> Answer:
        """See OtherNode."""
        if self.leaving and question.is_poll:
            return NOTHING_YET
        loop = asyncio.get_running_loop()

        def give_up() -> None:
            if not limit.expired():
                limit.reschedule(loop.time())

        try:
            route = await self._route(node)
            async with asyncio.timeout(self._answer_s) as limit:
                with self._waiting(node, give_up), self._asking(node, question):
                    answer = await self._send(route, question, body)
        except (aiohttp.ClientError, OSError) as error:  # timeouts too
            raise self._unanswered(question.method, error) from error
        FORWARDED.labels(question.method, "answered").inc()
        return answer

    async def _send(self, route: Route, question: Question, body: AsyncIterator[bytes] | None) -> Answer:
        url = URL(f"http://{route.host or 'node'}:{route.port or 80}{question.path}", encoded=True)
        query = f"EIO=4&transport=polling&sid={question.sid}"
        headers = question.headers | hop_headers(question.client, route.secret)
        async with self._session(route).request(
            question.method, url.with_query(query), headers=headers, data=body, allow_redirects=False
        ) as response:
            content_type = response.headers.get("Content-Type", "text/plain")
            return Answer(response.status, content_type, await response.read())

    def _session(self, route: Route) -> aiohttp.ClientSession:
        session = self._sessions.get(route)
        if session is None:
            connector: aiohttp.BaseConnector = (
                aiohttp.UnixConnector(route.path, keepalive_timeout=KEPT_S, limit=0)
                if route.path
                else aiohttp.TCPConnector(keepalive_timeout=KEPT_S, limit=0)
            )
            session = self._sessions[route] = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                middlewares=[_once],
                request_class=PassedOn,
                skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent", "Content-Type"),
                timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_S),
            )
        return session

    @contextlib.contextmanager
    def _asking(self, node: NodeTag, question: Question) -> Iterator[None]:
        if not question.is_poll:
            yield
            return
        self._polls[question] = node
        with WAITING.track_inprogress():
            try:
                yield
            finally:
                del self._polls[question]

    def leave(self) -> None:
        """This node is about to stop: send those whose sessions are on other nodes to others.

        Their polls are answered at once, with whatever there is, and their WebSockets end.
        """
        self.leaving = True
        for question, node in self._polls.items():
            self.tell(node, question.released())
        for end in list(self._ends):
            end.end()

    # ---------------------------------------------------------------- WebSockets

    def join(self, node: NodeTag, head: RequestHead, transport: asyncio.Transport, client: Peer) -> ClientEnd:
        """See OtherNode."""
        end = ClientEnd(asyncio.get_running_loop(), transport)
        joining = self._tasks.start(self._join(node, head, end, client), name="WebSocket to another node")
        end.on_lost = joining.cancel
        return end

    async def _join(self, node: NodeTag, head: RequestHead, client_end: ClientEnd, client: Peer) -> None:
        end = NodeEnd(client_end, client_end.answered)
        lost = asyncio.get_running_loop().create_future()
        client_end.on_lost = lambda: None if lost.done() else lost.set_result(None)
        try:
            route = await self._route(node)
            async with asyncio.timeout(CONNECT_S):
                await _connect(route, end)
        except OSError as error:  # timeouts too
            client_end.refuse()
            self._unanswered("websocket", error)
            return
        FORWARDED.labels("websocket", "connected").inc()
        if not client_end.is_open:
            end.abort()
            return
        end.write(_handshake(head, hop_headers(client, route.secret)))
        client_end.joined(end)
        self._ends.add(client_end)
        try:
            with self._waiting(node, client_end.give_up):
                await lost
        finally:
            self._ends.discard(client_end)

    # ---------------------------------------------------------------- nodes

    async def _route(self, node: NodeTag) -> Route:
        """The way to a node. Raises OSError if there is none."""
        if self._closed:  # clients may still go away, of which others would be told
            raise ConnectionError("stopped")
        address = await self._directory.address_of(node)
        if address is None:
            await self._forget(node)
            raise ConnectionError("no lease")
        route = route_to(address, self._secret)
        if route is None:
            raise ConnectionError("no way")
        self._routes[node] = route
        return route

    async def _forget(self, node: NodeTag) -> None:
        """Keep no connection to a node that is gone."""
        route = self._routes.pop(node, None)
        session = None if route is None else self._sessions.pop(route, None)
        if session is not None:
            await session.close()

    @contextlib.contextmanager
    def _waiting(self, node: NodeTag, cut: Callable[[], object]) -> Iterator[None]:
        """While this lasts ``cut`` is called when the lease of a node runs out."""
        cuts = self._cuts.setdefault(node, set())
        cuts.add(cut)
        if not self._watching:
            self._watching = True
            self._tasks.start(self._watch(), name="leases of the nodes that requests wait for")
        try:
            yield
        finally:
            cuts.discard(cut)

    async def _watch(self) -> None:
        try:
            while self._cuts:
                await asyncio.sleep(WATCH_S)
                for node in list(self._cuts):
                    if self._cuts[node] and await self._directory.address_of(node) is None:
                        for cut in list(self._cuts[node]):
                            cut()
                    if not self._cuts[node]:
                        del self._cuts[node]
        finally:
            self._watching = False

    def _unanswered(self, kind: str, error: Exception) -> Refused:
        outcome = str(error) if type(error) is ConnectionError else type(error).__name__
        FORWARDED.labels(kind, outcome).inc()
        return Refused(UNKNOWN_SESSION)

    async def close(self) -> None:
        """Close what is left of connections, and pass nothing on any more."""
        self._closed = True
        for session in self._sessions.values():
            await session.close()


class PassedOn(aiohttp.ClientRequest):
    """A request whose body may come for longer than its connection lasts.

    aiohttp ends the body of a request that is over with an error of a task that nobody awaits any more. What became of
    the request is told by its answer, or by the lack of one.
    """

    async def write_bytes(self, *arguments: Any, **named: Any) -> None:
        """See aiohttp.ClientRequest."""
        with contextlib.suppress(aiohttp.ClientConnectionResetError):
            await super().write_bytes(*arguments, **named)


class NotAnswered(aiohttp.ClientError):
    """The connection broke before the answer."""


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keeps aiohttp from repeating a GET whose connection broke: the packets of the first answer would be lost, and
    nobody would notice."""
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise NotAnswered from error


async def _connect(route: Route, end: NodeEnd) -> None:
    loop = asyncio.get_running_loop()
    if route.path:
        await loop.create_unix_connection(lambda: end, route.path)
    else:
        await loop.create_connection(lambda: end, route.host, route.port)


def _handshake(head: RequestHead, more: dict[str, str]) -> bytes:
    """A client's handshake, made anew of what counts in it."""
    target = f"{head.path}?EIO=4&transport=websocket&sid={head.query['sid']}"
    headers = {
        "Host": head.header(b"host"),
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": head.header(b"sec-websocket-version"),
        "Sec-WebSocket-Key": head.header(b"sec-websocket-key"),
    }
    if origin := head.header(b"origin"):
        headers["Origin"] = origin
    lines = [f"GET {target} HTTP/1.1", *(f"{name}: {value}" for name, value in (headers | more).items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
