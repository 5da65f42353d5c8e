"""Connections of this node: admission, their rooms, and events in the order they came."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

import msgspec

from hub.kernel.clock import from_ms
from hub.kernel.delivery import Delivery
from hub.kernel.errors import HubError, InvalidPayload, Overloaded, RateLimited, Unavailable
from hub.kernel.events import Caller, EventRoute, EventRouter, ReadText, Reply, acknowledgement
from hub.kernel.ids import ConnectionId, NodeId, RoomName, session_room, user_room
from hub.kernel.limits import UNLIMITED
from hub.kernel.ports import Gate, Limits
from hub.kernel.scope import SCOPE
from hub.kernel.tasks import Tasks
from hub.kernel.text_form import is_written_as_text
from hub.kernel.wire import ServerEvent, to_wire
from hub.transport.connection import Connection, Turn, UnderWay
from hub.transport.deliveries import NAMESPACE, DeliveryPackets
from hub.transport.engineio.session import Reason
from hub.transport.engineio.websocket import CloseCode
from hub.transport.outages import as_hub_error
from hub.transport.socket_metrics import METRICS
from hub.transport.socketio.codecs import JSON
from hub.transport.socketio.packets import HALF_CHARACTER, ack_of_text
from hub.transport.socketio.server import SocketServer
from hub.transport.socketio.socket import Socket
from hub.transport.token_expiry import TokenExpiry

log = logging.getLogger(__name__)

LAST_EVENTS_S = 5.0
"""Longest wait, after a connection has gone, for the events of it that are being handled."""
LEAVING_AT_ONCE = 32
"""Connections whose disconnect hooks run at the same time: after a drain thousands go together, and every hook needs
Redis."""


ARRAY_END = ord("]")
Enter = Callable[[ConnectionId, list[RoomName]], Awaitable[None]]


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


class Event:
    """An event that is being handled."""

    __slots__ = ("ack_id", "connection", "name", "turn")

    def __init__(self, connection: Connection, name: str, ack_id: int | None) -> None:
        self.connection = connection
        self.name = name
        self.ack_id = ack_id
        self.turn: Turn | None = None

    def scope(self) -> Mapping[str, str]:
        """See hub.kernel.scope."""
        caller = self.connection.caller
        return {"connection_id": caller.connection_id, "user_id": caller.user_id, "event_name": self.name[:40]}


class Sockets:
    """Every connection of this node: the sockets of the default namespace, over both parsers.

    Implements LocalRooms of hub.cluster.rooms and of hub.gate.access_reviews, hub.gate.reauthentication.Connections and
    hub.transport.socketio.client.Endpoint.
    """

    def __init__(self, server: SocketServer, node_id: NodeId, tasks: Tasks, expiry: TokenExpiry) -> None:
        self._server = server
        self._rooms = server.rooms_of(NAMESPACE)
        self._node_id = node_id
        self._tasks = tasks
        self._expiry = expiry
        self._gate: Gate | None = None
        self._router = EventRouter()
        self._limits: Limits = UNLIMITED
        self._by_text: dict[bytes, tuple[EventRoute, ReadText]] = {}
        """Those of its routes that read text, by the text that such an event begins with."""
        self._draining = False
        self._under_way = UnderWay()
        self._leaving = asyncio.Semaphore(LEAVING_AT_ONCE)
        self._connections: dict[ConnectionId, Connection] = {}
        self.enter: Enter | None = None
        """Awaited to put a new connection into its own rooms, over all nodes."""
        self.left: Callable[[set[RoomName]], Any] | None = None
        """Awaited with the rooms of a connection that is gone, so that they are counted anew."""
        server.mount(NAMESPACE, self)

    def __len__(self) -> int:
        return len(self._connections)

    def serve(self, gate: Gate, router: EventRouter, limits: Limits) -> None:
        """Let in whom ``gate`` admits, and serve the events of ``router`` within ``limits``. Nobody is let in before.

        Not in the constructor, because the features behind the router need the rooms that are kept here.
        """
        self._gate, self._router, self._limits = gate, router, limits
        self._by_text = {
            b'["%b",{' % name.encode(): (route, route.read_text)
            for name, route in router.routes.items()
            if route.read_text is not None
        }

    # ---------------------------------------------------------------- rooms of this node

    def join(self, connection_id: ConnectionId, room: RoomName) -> None:
        """See hub.cluster.rooms.LocalRooms."""
        if (connection := self._connections.get(connection_id)) is not None:
            self._rooms.join(connection.socket, room)

    def leave(self, connection_id: ConnectionId, room: RoomName) -> None:
        """See hub.cluster.rooms.LocalRooms."""
        if (connection := self._connections.get(connection_id)) is not None:
            self._rooms.leave(connection.socket, room)

    def members(self, room: RoomName) -> frozenset[ConnectionId]:
        """See hub.cluster.rooms.LocalRooms."""
        return frozenset(ConnectionId(socket.sid) for socket in self._rooms.members(room))

    def count(self, room: RoomName) -> int:
        """See hub.cluster.rooms.LocalRooms."""
        return self._rooms.count(room)

    def is_member(self, connection_id: ConnectionId, room: RoomName) -> bool:
        """See hub.cluster.rooms.LocalRooms."""
        connection = self._connections.get(connection_id)
        return connection is not None and room in connection.socket.rooms

    def rooms_of(self, connection_id: ConnectionId) -> Collection[str]:
        """See hub.gate.access_reviews.LocalRooms."""
        connection = self._connections.get(connection_id)
        return () if connection is None else tuple(connection.socket.rooms)

    def deliver(self, delivery: Delivery) -> None:
        """See hub.cluster.rooms.LocalRooms."""
        packets, skip = DeliveryPackets(delivery), () if delivery.skip is None else (delivery.skip,)
        if delivery.others:
            skip = (*skip, *{sid for room in delivery.others for sid in self.members(room)})
        METRICS.deliveries += self._rooms.send(self._server.engine.outboxes, delivery.rooms, packets, skip)

    def send(self, connection_id: ConnectionId, event: str, payload: Any) -> None:
        """See hub.cluster.rooms.LocalRooms."""
        if (connection := self._connections.get(connection_id)) is not None:
            connection.socket.emit(event, payload)

    def disconnect(self, room: RoomName, event: str | None, payload: Any) -> None:
        """See hub.cluster.rooms.LocalRooms."""
        for socket in list(self._rooms.members(room)):
            if event is not None:
                socket.emit(event, payload)
            self._server.dismiss(socket, Reason.SERVER_DISCONNECT)
            # An unmodified client closes by itself now, and any other would stay.
            socket.client.session.close(Reason.SERVER_DISCONNECT)

    def extend(self, connection_id: ConnectionId, expires_at_ms: int) -> int | None:
        """See hub.gate.reauthentication.Connections."""
        connection = self._connections.get(connection_id)
        if connection is None:
            return None
        if expires_at_ms > connection.expires_at_ms:
            connection.expires_at_ms = expires_at_ms
            self._expiry.watch(connection)
        return connection.expires_at_ms

    def details(self, socket: Socket) -> Mapping[str, Any]:
        """What the Admin UI is shown of a socket beyond its rooms; nothing of one that is no connection."""
        connection = socket.owner
        return {"userId": connection.caller.user_id} if isinstance(connection, Connection) else {}

    def cut(self, rooms: Iterable[RoomName] | None) -> None:
        """See hub.cluster.rooms.LocalRooms."""
        for socket in (
            list(self._rooms.members(None))
            if rooms is None
            else [socket for room in rooms for socket in list(self._rooms.members(room))]
        ):
            _cut(socket)

    async def cut_all(self) -> None:
        """Close every transport; the clients come back by themselves, to any node."""
        for connection in list(self._connections.values()):
            _cut(connection.socket)

    async def settled(self) -> None:
        """Wait until no event and no disconnect hook is under way."""
        await self._under_way.settled(asyncio.get_running_loop())

    async def drain(self, farewell: ServerEvent) -> None:
        """Let nobody in and start no event any more, and send ``farewell`` to every connection.

        Events that come after this are not acknowledged: their clients repeat them where they go.
        """
        self._draining = True
        payload = to_wire(farewell)
        for connection_id in list(self._connections):
            self.send(connection_id, farewell.event, payload)

    # ---------------------------------------------------------------- the life of a connection

    def connect(self, socket: Socket, auth: Any) -> None:
        """See hub.transport.socketio.client.Endpoint."""
        socket.client.begin()
        self._start(socket, self._connect(socket, auth), "connect")

    async def _connect(self, socket: Socket, auth: Any) -> None:
        try:
            connection = await self._admit(socket, auth)
            if connection is not None:
                await self._begin(connection)
        finally:
            socket.client.end()

    async def _admit(self, socket: Socket, auth: Any) -> Connection | None:
        """Look at a handshake and answer it. ``None``: refused, or gone meanwhile, and nobody has been told of it."""
        connection_id = ConnectionId(socket.sid)
        request = socket.client.request
        address = "" if request is None else request.address
        try:
            if self._gate is None or self._draining:
                raise Unavailable
            admission = await self._gate.admit(connection_id, auth, address)
            if self._draining:  # since then: it would miss the farewell, and be served no more
                raise Unavailable
        except Exception as error:
            refusal = self._client_error(error, "handshake").to_wire()
            socket.refuse({"message": refusal.pop("message"), "data": refusal})
            return None
        source = self._limits.source(address)
        connection = socket.owner = Connection(socket, self._gate, admission, self._expiry, source)
        if not socket.accept():
            socket.owner = None  # gone meanwhile; nobody has been told of it
            return None
        socket.client.request = None
        self._connections[connection_id] = connection
        METRICS.connections += 1
        self._expiry.watch(connection)
        return connection

    async def _begin(self, connection: Connection) -> None:
        """Join its rooms, tell the features, and say that it may begin."""
        connection.begin()
        try:
            await self._join_and_tell(connection)
        finally:
            connection.end()

    async def _join_and_tell(self, connection: Connection) -> None:
        caller = connection.caller
        await self._enter_own(connection)
        await self._recheck(connection)
        if caller.connection_id not in self._connections:
            return
        connection.told = True
        await self._run(self._router.connected, caller, "connect hook")
        ready = SessionReady(
            user_id=caller.user_id,
            session_id=caller.session_id,
            connection_id=caller.connection_id,
            node_id=self._node_id,
            expires_at=from_ms(connection.expires_at_ms),
        )
        connection.socket.emit(ready.event, to_wire(ready))
        connection.socket.begin()

    async def _enter_own(self, connection: Connection) -> None:
        caller = connection.caller
        own = [user_room(caller.user_id), session_room(caller.session_id)]
        try:
            if self.enter is not None:
                await self.enter(caller.connection_id, own)
        except Exception as error:
            self._client_error(error, "entering one's own rooms")
            _cut(connection.socket)

    async def _recheck(self, connection: Connection) -> None:
        # A session that ended after its token was checked, and before the connection stood in the session's room, was
        # looked for here in vain.
        try:
            await connection.gate.recheck(connection.caller.session_id)
        except Exception as error:
            self._client_error(error, "recheck of a session")
            _cut(connection.socket)

    def disconnected(self, socket: Socket, _reason: str) -> None:
        """See hub.transport.socketio.client.Endpoint. It is in no room any more, and no event of it is started.

        The features are told in the background, since whoever closes a connection must not wait for their Redis.
        """
        connection = self._connections.pop(ConnectionId(socket.sid), None)
        if connection is not None:
            METRICS.connections -= 1
            self._expiry.forget(connection)
            socket.owner = None  # a cycle, which the collector would find late
            self._under_way.begin()
            self._tasks.start(self._leave_behind(connection), name="disconnect hooks")

    async def _leave_behind(self, connection: Connection) -> None:
        """Tell the features, after the last event, so that none brings back what a hook has taken away."""
        try:
            async with asyncio.timeout(LAST_EVENTS_S):
                await connection.settled(connection.engine.loop)
        except TimeoutError:
            log.warning("a connection has gone, and an event of it is still being handled")
        try:
            async with self._leaving:
                if connection.told:
                    await self._run(self._router.disconnected, connection.caller, "disconnect hook")
                if self.left is not None:
                    await self.left({RoomName(room) for room in connection.socket.rooms})
        finally:
            self._under_way.end()

    async def _run(self, hooks: Iterable[Callable[[Caller], Awaitable[None]]], caller: Caller, what: str) -> None:
        for hook in hooks:
            try:
                await hook(caller)
            except Exception as error:
                self._client_error(error, what)

    def _start(self, socket: Socket, coroutine: Coroutine[Any, Any, None], name: str) -> None:
        self._tasks.adopt(socket.client.session.engine.spawn(coroutine), name=name)

    # ---------------------------------------------------------------- events

    def event(self, socket: Socket, name: str, arguments: list[Any], ack_id: int | None) -> None:
        """See hub.transport.socketio.client.Endpoint."""
        connection: Connection | None = socket.owner
        if connection is None or self._draining:
            return
        event = Event(connection, name, ack_id)
        if self._is_over_limit(event):
            return
        try:
            if len(arguments) > 1:
                raise InvalidPayload("An event takes one payload.", errors=[])
            data = arguments[0] if arguments else {}
            if data is HALF_CHARACTER:
                raise InvalidPayload("Text must not have half of a character (a lone surrogate).", errors=[])
            route, payload = self._router.prepare(name, data)
        except Exception as error:
            self._finish(event, error, None)
        else:
            self._serve(event, route, payload)

    def event_text(self, socket: Socket, text: bytearray, start: int, ack_id: int | None) -> bool:
        """See hub.transport.socketio.client.Endpoint.

        Takes ``["name",{…}]`` of known events whose payload fits, as clients write it. The rest, all that is wrong
        among it, goes the longer way.
        """
        connection: Connection | None = socket.owner
        stop = text.find(b'"', start + 2)
        found = self._by_text.get(bytes(text[start : stop + 3]))
        if found is None or text[-1] != ARRAY_END or connection is None or self._draining or self._server.observer:
            return False
        route, read = found
        try:
            payload = read(bytes(text[stop + 2 : -1]))
        except (msgspec.MsgspecError, RecursionError):
            return False
        event = Event(connection, route.name, ack_id)
        if not self._is_over_limit(event):
            self._serve(event, route, payload)
        return True

    def _is_over_limit(self, event: Event) -> bool:
        """Take one from the allowances of an event's sender, or refuse it at once, whatever is under way before it."""
        connection = event.connection
        wait = self._limits.wait(event.name, connection.caller.user_id, connection.source)
        if wait:
            self._finish(event, RateLimited(retry_after=wait), None)
        return wait > 0

    def _serve(self, event: Event, route: EventRoute, payload: msgspec.Struct) -> None:
        """Have an event served, now or, if others with its key are under way, after them.

        Where the handler is a coroutine, it is the task: with a coroutine around it for each thing that is done before
        and after, an event would take half as long again.
        """
        connection = event.connection
        outside = SCOPE.set(event.scope)
        try:
            if route.order is not None and connection.turns and (key := route.order(payload)) in connection.turns:
                event.turn = connection.in_order(key)
                waiting = event.turn.then(route.handler, connection.caller, payload)
            else:
                answer = route.handler(connection.caller, payload)
                if answer is None or isinstance(answer, msgspec.Struct):
                    self._finish(event, None, answer)
                    return
                waiting = answer
                if route.order is not None:
                    event.turn = connection.in_order(route.order(payload))
            connection.socket.client.begin()
            self._under_way.begin()
            connection.begin()
            task = connection.engine.spawn(waiting)
        except Exception as error:  # of a plain handler: nothing has begun
            self._finish(event, error, None)
            return
        finally:
            SCOPE.reset(outside)
        if task.done():
            self._handled(event, task)
        else:
            self._tasks.adopt(task, name="event", ended=partial(self._handled, event))

    def _handled(self, event: Event, task: asyncio.Task[Any]) -> None:
        connection = event.connection
        if event.turn is not None:
            event.turn.end()
        if not task.cancelled():
            self._finish(event, task.exception(), None if task.exception() else task.result())
        connection.socket.client.end()
        connection.end()
        self._under_way.end()

    def _finish(self, event: Event, error: BaseException | None, reply: Reply) -> None:
        """Acknowledge an event, or say that it failed, and count it."""
        socket, name = event.connection.socket, event.name
        failed = None if error is None else self._failed(event, error)
        if failed is None and event.ack_id is not None:
            try:
                acknowledge(socket, event.ack_id, reply)
            except Exception as unfit:  # a reply that is no wire value: a bug of ours
                failed = self._failed(event, unfit)
        if failed is None:
            METRICS.events[name, "ok"] += 1
            return
        METRICS.events[name if name in self._router.routes else "(unknown)", failed["code"]] += 1
        if event.ack_id is not None:
            socket.acknowledge(event.ack_id, {"ok": False, "error": failed})
        else:
            socket.emit(EventFailed.event, {"event": name[:80], "error": failed})

    def _failed(self, event: Event, error: BaseException) -> dict[str, Any]:
        """What the client is told of an event that failed."""
        outside = SCOPE.set(event.scope)
        try:
            return self._client_error(error, event.name).to_wire()
        finally:
            SCOPE.reset(outside)

    def _client_error(self, error: BaseException, where: str) -> HubError:
        """What the client is told of an exception; what is not meant for clients is logged."""
        known = as_hub_error(error)
        if known is None:
            log.error("%s failed", where[:80], exc_info=error)
            return HubError()
        if isinstance(known, Unavailable | Overloaded):
            log.warning("%s: %s", where[:80], error)
        return known


def _cut(socket: Socket) -> None:
    """Close a connection so that its client comes back by itself."""
    socket.client.session.close(Reason.SERVER_DISCONNECT, CloseCode.GOING_AWAY)


def acknowledge(socket: Socket, ack_id: int, reply: Reply) -> None:
    """Answer an event that was served."""
    if socket.client.codec is JSON and (reply is None or is_written_as_text(type(reply))):
        text = b"{}" if reply is None else msgspec.json.encode(reply)
        socket.send(ack_of_text(ack_id, b'{"ok":true,"data":%b}' % text))
    else:
        socket.acknowledge(ack_id, {"ok": True, "data": acknowledgement(reply)})
