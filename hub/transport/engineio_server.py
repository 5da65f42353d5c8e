"""python-engineio as we use it: sessions that bad packets, slow readers and lost connections cannot keep or break.

With hub.transport.socketio_server the only file that knows private names of the pinned libraries. What is replaced of
python-engineio 4: it logs a traceback for each malformed packet and goes on, reads of a POST what has arrived so far,
refuses a POST of more than 16 packets although clients send them, waits for ever for a client that does not read, and
keeps any amount for it.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import engineio
from aiohttp import web
from engineio import packet
from engineio.async_socket import AsyncSocket
from engineio.exceptions import SocketIsClosedError

log = logging.getLogger(__name__)

MAX_WAITING_BYTES = 4 << 20
"""What may wait for one client, in characters or bytes: more than any join or burst of a client that reads."""
MAX_PACKETS_A_POST = 10_000
"""A client posts all it has, up to a megabyte. The limit keeps a megabyte of separators from being half a million
packets."""
LINGER_S = 5.0
"""How long a closed WebSocket may take to deliver what waits, before its connection is aborted."""
FROM_CLIENTS = frozenset({packet.CLOSE, packet.PONG, packet.MESSAGE, packet.UPGRADE})


class Outbox(asyncio.Queue[Any]):
    """Packets that wait for a client, and how much that is.

    Overrides the three methods that asyncio.Queue has for this purpose.
    """

    def _init(self, maxsize: int) -> None:
        super()._init(maxsize)
        self.waiting_bytes = 0

    def _put(self, item: Any) -> None:
        super()._put(item)
        self.waiting_bytes += _size(item)

    def _get(self) -> Any:
        item = super()._get()
        self.waiting_bytes -= _size(item)
        return item


class EngineSocket(AsyncSocket):
    """One Engine.IO session. The first thing it gets that is no Engine.IO closes it."""

    queue: Outbox
    _request: web.Request | None = None
    """Of the WebSocket, where there is one."""

    def push(self, data: str | bytes) -> None:
        """Queue a message. A session that is closed, or closing, takes it and does nothing."""
        if not (self.closing or self.closed):
            self.queue.put_nowait(packet.Packet(packet.MESSAGE, data))

    @property
    def reads_too_slowly(self) -> bool:
        """Whether more waits than we keep for one client."""
        return self.queue.waiting_bytes > MAX_WAITING_BYTES

    async def close(self, wait: bool = False, abort: bool = False, reason: str | None = None) -> None:
        """Close, without waiting until the client has read everything: one that is gone never does."""
        # Always abort, which sends no CLOSE packet: python-socketio's client never comes back after one. What ends the
        # writer, and with it the WebSocket, is None in its queue.
        await super().close(wait=False, abort=True, reason=reason)
        self.queue.put_nowait(None)
        if self._request is not None:
            asyncio.get_running_loop().call_later(LINGER_S, _abort, self._request)

    async def drop(self) -> None:
        """Close, and throw away what waits."""
        while not self.queue.empty():
            self.queue.get_nowait()
            self.queue.task_done()
        await self.close()
        if self._request is not None:
            _abort(self._request)

    async def receive(self, pkt: packet.Packet) -> None:
        """Handle a packet. Raises SocketIsClosedError, which ends the loop of a WebSocket, and nothing else."""
        if self.closed:
            raise SocketIsClosedError
        if pkt.packet_type not in FROM_CLIENTS:
            await self._protocol_error(f"packet type {pkt.packet_type}")
            raise SocketIsClosedError
        await super().receive(pkt)

    async def handle_post_request(self, environ: Mapping[str, Any]) -> None:
        """Take what a polling client sends. It learns of an error from its next poll: the session is closed."""
        try:
            body = await environ["aiohttp.request"].read()
            for encoded in _split(body):
                await self.receive(packet.Packet(encoded_packet=encoded))
        except SocketIsClosedError:
            return
        except (web.HTTPException, OSError, ValueError, LookupError) as error:
            await self._protocol_error(repr(error))

    async def _websocket_handler(self, ws: Any) -> None:
        upgrades = self.connected
        if not upgrades:
            self._request = ws.environ["aiohttp.request"]
        try:
            await super()._websocket_handler(ws)
        except (OSError, ValueError, LookupError, TypeError) as error:  # of a packet that could not be decoded
            if upgrades and not self.upgraded:
                log.debug("%s: upgrade failed: %r", self.sid, error)
            else:
                await self._protocol_error(repr(error))
        finally:
            self.upgrading = False

    async def _protocol_error(self, what: str) -> None:
        log.debug("%s: protocol error: %s", self.sid, what)
        await self.close(reason=self.server.reason.TRANSPORT_ERROR)


class EngineServer(engineio.AsyncServer):
    """The Engine.IO server, with our sessions."""

    service_task_handle: asyncio.Task[None] | None

    def create_queue(self, *_: Any, **__: Any) -> Outbox:
        """The queue of a session."""
        return Outbox()

    async def _handle_connect(self, environ: dict[str, Any], transport: str, jsonp_index: int | None = None) -> Any:
        if self.service_task_handle is None:
            self.service_task_handle = self.start_background_task(self._service_task)
        sid = self.generate_id()
        session = self.sockets[sid] = EngineSocket(self, sid)
        opening = {
            "sid": sid,
            "upgrades": self._upgrades(sid, transport),
            "pingTimeout": self.ping_timeout * 1000,
            "pingInterval": self.ping_interval * 1000,
            "maxPayload": self.max_http_buffer_size,
        }
        await session.send(packet.Packet(packet.OPEN, opening))
        await self._trigger_event("connect", sid, environ, run_async=False)
        session.schedule_ping()
        if transport != "websocket":
            session.connected = True
            return self._ok(await session.poll(), jsonp_index=jsonp_index)
        try:
            return await session.handle_get_request(environ)
        finally:
            await session.close(abort=True)
            self.sockets.pop(sid, None)

    def _log_error_once(self, message: str, _key: str) -> None:
        self.logger.debug(message)  # a request that does not fit is its client's fault, and no error here


def _split(body: bytes) -> list[str]:
    """The packets in the body of a POST. Raises ValueError."""
    if not body:
        return []
    encoded = body.decode().split("\x1e", MAX_PACKETS_A_POST)
    if len(encoded) > MAX_PACKETS_A_POST:
        raise ValueError("too many packets")
    return encoded


def _size(item: packet.Packet | None) -> int:
    return len(item.data) if item is not None and isinstance(item.data, str | bytes) else 0


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
