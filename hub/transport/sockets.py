"""Connections of this node: admission, their rooms, and events in the order they came."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Any

import msgspec
import structlog
from prometheus_client import Counter, Gauge

from hub.kernel.clock import from_ms
from hub.kernel.errors import HubError, InvalidPayload, Overloaded, Unavailable
from hub.kernel.events import Caller, EventRouter
from hub.kernel.ids import ConnectionId, NodeId, RoomName, session_room, user_room
from hub.kernel.ports import Gate
from hub.kernel.tasks import Tasks
from hub.kernel.wire import ServerEvent, to_wire
from hub.transport.connection import Connection, UnderWay
from hub.transport.outages import as_hub_error
from hub.transport.packet_json import HALF_CHARACTER
from hub.transport.socketio_server import HubSocketServer

log = logging.getLogger(__name__)

LAST_EVENTS_S = 5.0
"""Longest wait, after a connection has gone, for the events of it that are being handled."""
LEAVING_AT_ONCE = 32
"""Connections whose disconnect hooks run at the same time: after a drain thousands go together, and every hook needs
Redis."""

CONNECTIONS = Gauge("hub_connections", "Socket.IO connections of this node")
EVENTS = Counter("hub_events_total", "Client events by name and outcome", ["event", "outcome"])
DELIVERIES = Counter("hub_deliveries_total", "Events written to connections of this node")


class SessionReady(ServerEvent):
    """Sent once after every connect: rooms are joined, events are served from here on."""

    event = "session:ready"
    user_id: str
    session_id: str
    connection_id: str
    node_id: str
    expires_at: datetime
    recovered: bool = False
    unread_notifications: int = 0


class EventFailed(ServerEvent):
    """An event that asked for no acknowledgement failed. ``error`` is what the acknowledgement would have carried."""

    event = "hub:error"
    failed: str = msgspec.field(name="event")
    error: dict[str, Any]


class Sockets:
    """Every Socket.IO connection of this node, over both parsers.

    Implements hub.cluster.rooms.LocalRooms and hub.transport.socketio_server.Endpoint.
    """

    def __init__(self, node_id: NodeId, tasks: Tasks) -> None:
        self._node_id = node_id
        self._tasks = tasks
        self._gate: Gate | None = None
        self._router = EventRouter()
        self._draining = False
        self._under_way = UnderWay()
        self._leaving = asyncio.Semaphore(LEAVING_AT_ONCE)
        self._connections: dict[ConnectionId, Connection] = {}
        self._rooms: dict[RoomName, set[ConnectionId]] = {}
        self.left: Callable[[set[RoomName]], Any] | None = None
        """Awaited with the rooms of a connection that is gone, so that they are counted anew."""

    def __len__(self) -> int:
        return len(self._connections)

    def serve(self, gate: Gate, router: EventRouter) -> None:
        """Let in whom ``gate`` admits, and serve the events of ``router``. Nobody is let in before.

        Not in the constructor, because the features behind the router need the rooms that are kept here.
        """
        self._gate, self._router = gate, router

    # Rooms of this node

    def join(self, connection_id: ConnectionId, room: RoomName) -> None:
        """See hub.cluster.rooms.LocalRooms."""
        if (connection := self._connections.get(connection_id)) is not None:
            connection.rooms.add(room)
            self._rooms.setdefault(room, set()).add(connection_id)

    def leave(self, connection_id: ConnectionId, room: RoomName) -> None:
        """See hub.cluster.rooms.LocalRooms."""
        if (connection := self._connections.get(connection_id)) is not None:
            connection.rooms.discard(room)
        self._forget(connection_id, room)

    def _forget(self, connection_id: ConnectionId, room: RoomName) -> None:
        members = self._rooms.get(room, set())
        members.discard(connection_id)
        if not members:
            self._rooms.pop(room, None)

    def members(self, room: RoomName) -> frozenset[ConnectionId]:
        """See hub.cluster.rooms.LocalRooms."""
        return frozenset(self._rooms.get(room, ()))

    def is_member(self, connection_id: ConnectionId, room: RoomName) -> bool:
        """See hub.cluster.rooms.LocalRooms."""
        return connection_id in self._rooms.get(room, ())

    async def deliver(self, rooms: list[RoomName], event: str, payload: Any, skip: ConnectionId | None = None) -> None:
        """See hub.cluster.rooms.LocalRooms."""
        recipients = set().union(*(self._rooms.get(room, ()) for room in rooms))
        recipients.discard(skip)
        by_server: dict[HubSocketServer, list[ConnectionId]] = {}
        for connection_id in recipients:
            by_server.setdefault(self._connections[connection_id].server, []).append(connection_id)
        for server, connections in by_server.items():
            await server.send(connections, event, payload)
            DELIVERIES.inc(len(connections))

    async def send(self, connection_id: ConnectionId, event: str, payload: Any) -> None:
        """See hub.cluster.rooms.LocalRooms."""
        if (connection := self._connections.get(connection_id)) is not None:
            await connection.server.send([connection_id], event, payload)

    async def disconnect(self, room: RoomName, event: str | None, payload: Any) -> None:
        """See hub.cluster.rooms.LocalRooms."""
        for connection_id in self.members(room):
            if event is not None:
                await self.send(connection_id, event, payload)
            if (connection := self._connections.get(connection_id)) is not None:
                await connection.server.dismiss(connection_id)

    async def cut_all(self) -> None:
        """Close every transport; the clients come back by themselves, to any node."""
        for connection_id, connection in list(self._connections.items()):
            await connection.server.cut(connection_id)

    async def settled(self) -> None:
        """Wait until no event and no disconnect hook is under way."""
        await self._under_way.settled()

    async def drain(self, farewell: ServerEvent) -> None:
        """Let nobody in and start no event any more, and send ``farewell`` to every connection.

        Events that come after this are not acknowledged: their clients repeat them where they go.
        """
        self._draining = True
        payload = to_wire(farewell)
        for connection_id in list(self._connections):
            await self.send(connection_id, farewell.event, payload)

    # The life of a connection

    async def admit(self, server: HubSocketServer, connection_id: ConnectionId, auth: object, address: str) -> None:
        """Check a handshake. Raises HubError to refuse it."""
        try:
            if self._gate is None or self._draining:
                raise Unavailable
            admission = await self._gate.admit(connection_id, auth, address)
        except Exception as error:
            raise self._client_error(error, "handshake") from None
        self._connections[connection_id] = Connection(server, self._gate, admission)
        CONNECTIONS.set(len(self._connections))

    async def connected(self, connection_id: ConnectionId) -> None:
        """The client has its CONNECT packet: join its rooms, tell the features, then say that it may begin."""
        connection = self._connections[connection_id]
        caller = connection.caller
        connection.under_way.begin()
        try:
            self.join(connection_id, user_room(caller.user_id))
            self.join(connection_id, session_room(caller.session_id))
            await self._recheck(connection_id, connection)
            if connection_id in self._connections:
                connection.told = True
                await self._run(self._router.connected, caller, "connect hook")
        finally:
            connection.under_way.end()
            connection.begun.set()
        ready = SessionReady(
            user_id=caller.user_id,
            session_id=caller.session_id,
            connection_id=connection_id,
            node_id=self._node_id,
            expires_at=from_ms(connection.expires_at_ms),
        )
        await self.send(connection_id, ready.event, to_wire(ready))

    async def _recheck(self, connection_id: ConnectionId, connection: Connection) -> None:
        # A session that ended after its token was checked, and before the connection stood in the session's room, was
        # looked for here in vain.
        try:
            await connection.gate.recheck(connection.caller.session_id)
        except Exception as error:
            self._client_error(error, "recheck of a session")
            await connection.server.cut(connection_id)

    async def disconnected(self, connection_id: ConnectionId) -> None:
        """The connection is gone: from here on it is in no room, and no event of it is started.

        The features are told in the background, since whoever closes a connection must not wait for their Redis.
        """
        connection = self._connections.pop(connection_id, None)
        CONNECTIONS.set(len(self._connections))
        if connection is None:
            return
        for room in connection.rooms:
            self._forget(connection_id, room)
        self._under_way.begin()
        self._tasks.start(self._leave_behind(connection), name="disconnect hooks")

    async def _leave_behind(self, connection: Connection) -> None:
        """Tell the features, after the last event, so that none brings back what a hook has taken away."""
        try:
            async with asyncio.timeout(LAST_EVENTS_S):
                await connection.under_way.settled()
        except TimeoutError:
            log.warning("a connection has gone, and an event of it is still being handled")
        try:
            async with self._leaving:
                if connection.told:
                    await self._run(self._router.disconnected, connection.caller, "disconnect hook")
                if self.left is not None:
                    await self.left(connection.rooms)
        finally:
            self._under_way.end()

    async def _run(self, hooks: Iterable[Callable[[Caller], Awaitable[None]]], caller: Caller, what: str) -> None:
        for hook in hooks:
            try:
                await hook(caller)
            except Exception as error:
                self._client_error(error, what)

    # Events

    async def event(self, connection_id: ConnectionId, name: str, arguments: list[Any], ack_id: int | None) -> None:
        """Start handling an event. Waits while the connection has MAX_IN_FLIGHT events under way."""
        connection = self._connections.get(connection_id)
        if connection is None:
            return
        await connection.begun.wait()
        await connection.in_flight.acquire()
        if self._draining or connection_id not in self._connections:
            connection.in_flight.release()
            return
        self._under_way.begin()
        connection.under_way.begin()
        self._tasks.start(self._handle(connection, name, arguments, ack_id), name=f"event {name[:40]}")

    async def _handle(self, connection: Connection, name: str, arguments: list[Any], ack_id: int | None) -> None:
        caller = connection.caller
        try:
            with structlog.contextvars.bound_contextvars(
                connection_id=caller.connection_id, user_id=caller.user_id, event_name=name[:40]
            ):
                answer = await self._answer(connection, name, arguments)
            known = name if name in self._router.routes else "(unknown)"
            EVENTS.labels(known, "ok" if answer["ok"] else answer["error"]["code"]).inc()
            if ack_id is not None:
                await connection.server.acknowledge(caller.connection_id, ack_id, answer)
            elif not answer["ok"]:
                failure = {"event": name[:80], "error": answer["error"]}
                await connection.server.send([caller.connection_id], "hub:error", failure)
        finally:
            connection.in_flight.release()
            connection.under_way.end()
            self._under_way.end()

    async def _answer(self, connection: Connection, name: str, arguments: list[Any]) -> dict[str, Any]:
        """The acknowledgement of an event, whatever comes of it."""
        try:
            if len(arguments) > 1:
                raise InvalidPayload("An event takes one payload.", errors=[])
            data = arguments[0] if arguments else {}
            if data is HALF_CHARACTER:
                raise InvalidPayload("Text must not have half of a character (a lone surrogate).", errors=[])
            reply = await self._router.dispatch(name, connection.caller, data, connection.in_order)
        except Exception as error:
            return {"ok": False, "error": self._client_error(error, name).to_wire()}
        return {"ok": True, "data": reply}

    def _client_error(self, error: Exception, where: str) -> HubError:
        """What the client is told of an exception; what is not meant for clients is logged."""
        known = as_hub_error(error)
        if known is None:
            log.error("%s failed", where[:80], exc_info=error)
            return HubError()
        if isinstance(known, Unavailable | Overloaded):
            log.warning("%s: %s", where[:80], error)
        return known
