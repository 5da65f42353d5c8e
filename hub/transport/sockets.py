"""Connections of this node: admission, their rooms, and events in the order they came."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import structlog
from prometheus_client import Counter, Gauge

from hub.kernel.clock import from_ms
from hub.kernel.errors import HubError, Overloaded, Unavailable
from hub.kernel.events import EventRouter
from hub.kernel.ids import ConnectionId, NodeId, RoomName, session_room, user_room
from hub.kernel.ports import Admission, Gate
from hub.kernel.tasks import Tasks
from hub.kernel.wire import ServerEvent, to_wire
from hub.transport.outages import as_hub_error
from hub.transport.socketio_server import HubSocketServer

log = logging.getLogger(__name__)

MAX_IN_FLIGHT = 32
"""Events of one connection handled at once. The next one is not read from the socket until one is done, so a client
that sends faster than its handlers work is slowed by TCP and holds no memory here."""

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


class Connection:
    """One connection: who it speaks for, its rooms, and what of it is being handled."""

    def __init__(self, server: HubSocketServer, admission: Admission) -> None:
        self.server = server
        self.caller = admission.caller
        self.expires_at_ms = admission.expires_at_ms
        self.rooms: set[RoomName] = set()
        self.started = False
        self.in_flight = asyncio.Semaphore(MAX_IN_FLIGHT)
        self._tails: dict[str, asyncio.Future[None]] = {}

    @asynccontextmanager
    async def in_order(self, key: str | None) -> AsyncIterator[None]:
        """Wait until every earlier event with the same key has completed. ``None`` waits for nothing."""
        if key is None:
            yield
            return
        before, done = self._tails.get(key), asyncio.get_running_loop().create_future()
        self._tails[key] = done
        try:
            if before is not None:
                await before
            yield
        finally:
            done.set_result(None)
            if self._tails.get(key) is done:
                del self._tails[key]


class Sockets:
    """Every Socket.IO connection of this node, over both parsers.

    Implements hub.cluster.rooms.LocalRooms and hub.transport.socketio_server.Endpoint.
    """

    def __init__(self, node_id: NodeId, tasks: Tasks) -> None:
        self._node_id = node_id
        self._tasks = tasks
        self._gate: Gate | None = None
        self._router = EventRouter()
        self._in_flight = 0
        self._settled = asyncio.Event()
        self._settled.set()
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
        """Wait until no event is being handled."""
        await self._settled.wait()

    async def announce(self, event: ServerEvent) -> None:
        """Send an event to every connection of this node."""
        payload = to_wire(event)
        for connection_id in list(self._connections):
            await self.send(connection_id, event.event, payload)

    # The life of a connection

    async def admit(self, server: HubSocketServer, connection_id: ConnectionId, auth: object, address: str) -> None:
        """Check a handshake. Raises HubError to refuse it."""
        try:
            if self._gate is None:
                raise Unavailable
            admission = await self._gate.admit(connection_id, auth, address)
        except Exception as error:
            raise self._client_error(error, "handshake") from None
        self._connections[connection_id] = Connection(server, admission)
        CONNECTIONS.set(len(self._connections))

    async def connected(self, connection_id: ConnectionId) -> None:
        """The client has its CONNECT packet: join its rooms, tell the features, then say that it may begin."""
        connection = self._connections.get(connection_id)
        if connection is None or connection.started:
            return
        connection.started = True
        caller = connection.caller
        self.join(connection_id, user_room(caller.user_id))
        self.join(connection_id, session_room(caller.session_id))
        for hook in self._router.connected:
            try:
                await hook(caller)
            except Exception as error:
                self._client_error(error, "connect hook")
        ready = SessionReady(
            user_id=caller.user_id,
            session_id=caller.session_id,
            connection_id=connection_id,
            node_id=self._node_id,
            expires_at=from_ms(connection.expires_at_ms),
        )
        await self.send(connection_id, ready.event, to_wire(ready))

    async def disconnected(self, connection_id: ConnectionId) -> None:
        """The connection is gone: tell the features, and count its rooms anew."""
        connection = self._connections.pop(connection_id, None)
        CONNECTIONS.set(len(self._connections))
        if connection is None:
            return
        for room in connection.rooms:
            self._forget(connection_id, room)
        for hook in self._router.disconnected if connection.started else ():
            try:
                await hook(connection.caller)
            except Exception as error:
                self._client_error(error, "disconnect hook")
        if self.left is not None:
            await self.left(connection.rooms)

    # Events

    async def event(self, connection_id: ConnectionId, name: str, arguments: list[Any], ack_id: int | None) -> None:
        """Start handling an event. Waits only while the connection has MAX_IN_FLIGHT events under way."""
        connection = self._connections.get(connection_id)
        if connection is None:
            return
        await connection.in_flight.acquire()
        self._in_flight += 1
        self._settled.clear()
        self._tasks.start(self._handle(connection, name, arguments, ack_id), name=f"event {name[:40]}")

    async def _handle(self, connection: Connection, name: str, arguments: list[Any], ack_id: int | None) -> None:
        caller = connection.caller
        with structlog.contextvars.bound_contextvars(
            connection_id=caller.connection_id, user_id=caller.user_id, event_name=name[:40]
        ):
            try:
                data = await self._router_answer(connection, name, arguments[0] if arguments else {})
                answer = {"ok": True, "data": data}
            except Exception as error:
                answer = {"ok": False, "error": self._client_error(error, name).to_wire()}
            finally:
                connection.in_flight.release()
                self._in_flight -= 1
                if not self._in_flight:
                    self._settled.set()
        known = name if name in self._router.routes else "(unknown)"
        EVENTS.labels(known, "ok" if answer["ok"] else answer["error"]["code"]).inc()
        if ack_id is not None:
            await connection.server.acknowledge(caller.connection_id, ack_id, answer)
        elif not answer["ok"]:
            failure = {"event": name[:80], "error": answer["error"]}
            await connection.server.send([caller.connection_id], "hub:error", failure)

    async def _router_answer(self, connection: Connection, name: str, data: object) -> Any:
        return await self._router.dispatch(name, connection.caller, data, connection.in_order)

    def _client_error(self, error: Exception, where: str) -> HubError:
        """What the client is told of an exception; what is not meant for clients is logged."""
        known = as_hub_error(error)
        if known is None:
            log.exception("%s failed", where, exc_info=error)
            return HubError()
        if isinstance(known, Unavailable | Overloaded):
            log.warning("%s: %s", where, error)
        return known
