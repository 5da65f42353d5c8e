"""python-socketio as we use it. Its private names are known here and in hub.transport.engineio_server, nowhere else."""

from collections.abc import Iterable
from typing import Any, Protocol

import socketio
from aiohttp import web
from socketio import packet
from socketio.msgpack_packet import MsgPackPacket

from hub.kernel.errors import HubError
from hub.kernel.ids import ConnectionId
from hub.transport.engineio_server import EngineServer, EngineSocket
from hub.transport.packet_json import PacketJson

NAMESPACE = "/"
RESERVED = frozenset({"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"})
"""Names that a client may not send: stock python-socketio would run the application's own handlers for them."""
PING_INTERVAL_S = 25
PING_TIMEOUT_S = 20
MAX_PACKET_BYTES = 1_000_000


def _undefined(code: int, _data: bytes) -> None:
    """notepack, which browsers encode with, writes ``undefined`` as extension 0. No other means anything to us."""
    if code != 0:
        raise ValueError(f"extension type {code}")


PACKETS: dict[str, Any] = {"json": "default", "msgpack": MsgPackPacket.configure(ext_hook=_undefined)}
"""The parsers, by name."""


class Endpoint(Protocol):
    """What the server calls for one connection's life. Implemented by hub.transport.sockets."""

    async def admit(self, server: "HubSocketServer", connection_id: ConnectionId, auth: object, address: str) -> None:
        """Check the handshake of a connection to ``server``. Raises HubError to refuse it."""
        ...

    async def connected(self, connection_id: ConnectionId) -> None:
        """The client has its CONNECT packet."""
        ...

    async def event(self, connection_id: ConnectionId, name: str, arguments: list[Any], ack_id: int | None) -> None:
        """An event came in. Returns when the next one may be read."""
        ...

    async def disconnected(self, connection_id: ConnectionId) -> None:
        """The connection is gone. Called once for each that was admitted."""
        ...


class HubSocketServer(socketio.AsyncServer):
    """One Socket.IO endpoint: stock protocol and Engine.IO, our dispatch, our rooms.

    Rooms, emits and acknowledgements do not go through python-socketio's manager: its emit makes a task for every
    recipient, and its rooms are another copy of what we keep anyway.
    """

    def __init__(self, endpoint: Endpoint, *, parser: str) -> None:
        super().__init__(
            async_mode="aiohttp",
            serializer=PACKETS[parser],
            json=PacketJson,
            cors_allowed_origins="*",  # hub.transport.middleware has checked the origin, before a request comes here
            ping_interval=PING_INTERVAL_S,
            ping_timeout=PING_TIMEOUT_S,
            max_http_buffer_size=MAX_PACKET_BYTES,
            monitor_clients=True,
        )
        self._endpoint = endpoint
        self.on("connect", self._on_connect)
        self.on("disconnect", self._on_disconnect)

    async def stop(self, _app: web.Application) -> None:
        """End the task that looks for dead clients."""
        await self.shutdown()

    async def send(self, connections: Iterable[ConnectionId], event: str, payload: Any) -> None:
        """Send an event to connections of this server, encoded once. Who is gone is passed over."""
        message = self.packet_class(packet.EVENT, namespace=NAMESPACE, data=[event, payload])
        await self._push([self._session(connection_id) for connection_id in connections], message)

    async def acknowledge(self, connection_id: ConnectionId, ack_id: int, answer: Any) -> None:
        """Send the acknowledgement of an event."""
        ack = self.packet_class(packet.ACK, namespace=NAMESPACE, id=ack_id, data=[answer])
        await self._push([self._session(connection_id)], ack)

    async def dismiss(self, connection_id: ConnectionId) -> None:
        """Close for good: the DISCONNECT packet ends an unmodified client's reconnecting."""
        session = self._session(connection_id)
        await self.disconnect(connection_id)
        if session is not None:  # a client that is not unmodified would stay otherwise
            await session.close()

    async def cut(self, connection_id: ConnectionId) -> None:
        """Close the transport: the client comes back by itself."""
        if (session := self._session(connection_id)) is not None:
            await session.close()

    async def _send_packet(self, eio_sid: str, pkt: packet.Packet) -> None:
        await self._push([self.eio.sockets.get(eio_sid)], pkt)

    async def _push(self, sessions: Iterable[EngineSocket | None], message: packet.Packet) -> None:
        encoded = message.encode()
        parts = encoded if isinstance(encoded, list) else [encoded]
        for session in sessions:
            if session is None:
                continue
            for part in parts:
                session.push(part)
            if session.reads_too_slowly:
                await session.drop()

    def _session(self, connection_id: ConnectionId) -> EngineSocket | None:
        session: EngineSocket | None = self.eio.sockets.get(self.manager.eio_sid_from_sid(connection_id, NAMESPACE))
        return session

    def _engineio_server_class(self) -> type[EngineServer]:
        return EngineServer

    async def _on_connect(self, sid: str, environ: dict[str, Any], auth: object = None) -> None:
        request: web.Request = environ["aiohttp.request"]
        try:
            await self._endpoint.admit(self, ConnectionId(sid), auth, request.remote or "")
        except HubError as error:
            refusal = error.to_wire()
            raise socketio.exceptions.ConnectionRefusedError(refusal.pop("message"), refusal) from None

    async def _on_disconnect(self, sid: str, _reason: str) -> None:
        await self._endpoint.disconnected(ConnectionId(sid))

    async def _handle_connect(self, eio_sid: str, namespace: str | None, data: Any) -> None:
        if (namespace or NAMESPACE) != NAMESPACE:
            await super()._handle_connect(eio_sid, namespace, data)  # refuses: there is one namespace
            return
        if self.manager.sid_from_eio_sid(eio_sid, NAMESPACE) is not None:
            raise ValueError("a second CONNECT on one connection")
        await super()._handle_connect(eio_sid, namespace, data)
        if (sid := self.manager.sid_from_eio_sid(eio_sid, NAMESPACE)) is None:
            return
        if eio_sid in self.environ:
            await self._endpoint.connected(ConnectionId(sid))
        else:  # the transport went away during the handshake, when there was no connection to end yet
            await self._handle_disconnect(eio_sid, NAMESPACE)

    async def _handle_event(self, eio_sid: str, namespace: str | None, id: int | None, data: Any) -> None:
        sid = self.manager.sid_from_eio_sid(eio_sid, namespace or NAMESPACE)
        if sid is None or not self.manager.is_connected(sid, NAMESPACE):
            raise ValueError("an event before CONNECT")
        if not isinstance(data, list) or not data or not isinstance(data[0], str) or data[0] in RESERVED:
            raise ValueError("no event name, or a reserved one")
        if id is not None and type(id) is not int:
            raise ValueError("an acknowledgement id that is no number")
        await self._endpoint.event(ConnectionId(sid), data[0], data[1:], id)

    async def _handle_ack(self, eio_sid: str, namespace: str | None, id: int | None, data: Any) -> None:
        """We ask for no acknowledgements; python-socketio would log a warning for each."""

    async def _handle_eio_message(self, eio_sid: str, data: Any) -> None:
        if eio_sid not in self.environ:
            return  # closed; this was on its way
        try:
            await super()._handle_eio_message(eio_sid, data)
        except Exception as error:  # whatever a hostile packet does to the parser ends that one connection
            self.logger.debug("protocol error of %s: %r", eio_sid, error)
            if (session := self.eio.sockets.get(eio_sid)) is not None:
                await session.close()
