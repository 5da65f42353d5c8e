"""Connections of this node: those that there are, their rooms, and sending to them."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from hub.kernel.delivery import Delivery
from hub.kernel.events import EventRouter
from hub.kernel.ids import ConnectionId, NodeId, RoomName, UserId
from hub.kernel.limits import UNLIMITED
from hub.kernel.ports import Gate, Limits
from hub.kernel.recovery import Recovery
from hub.kernel.tasks import Tasks
from hub.kernel.wire import ServerEvent
from hub.transport.connection import Connection, UnderWay
from hub.transport.connection_life import ConnectionLife
from hub.transport.copies import Copies
from hub.transport.deliveries import NAMESPACE, BroadcastPackets, DeliveryPackets
from hub.transport.draining import send_away
from hub.transport.engineio.session import Reason
from hub.transport.events import Events
from hub.transport.socket_metrics import METRICS
from hub.transport.socketio.server import SocketServer
from hub.transport.socketio.socket import Socket
from hub.transport.token_expiry import TokenExpiry


class Sockets:
    """Every connection of this node: the sockets of the default namespace, over both parsers.

    Implements LocalRooms of hub.cluster.rooms and of hub.gate.access_reviews, hub.gate.reauthentication.Connections,
    hub.kernel.ports.Activity and hub.transport.socketio.client.Endpoint.
    """

    def __init__(self, server: SocketServer, node_id: NodeId, tasks: Tasks, expiry: TokenExpiry) -> None:
        self._server = server
        self._rooms = server.rooms_of(NAMESPACE)
        self._expiry = expiry
        self._under_way = UnderWay()
        self._connections: dict[ConnectionId, Connection] = {}
        self._earlier: dict[ConnectionId, ConnectionId] = {}
        """For ids that connections had before they came back, the ids that they have now."""
        self._copies = Copies(self.members)
        self.offset: Callable[[], str | None] = lambda: None
        """Where this node stands in the order of events, for those that end with a text and would be taken for it."""
        self._events = Events(server, tasks, self._under_way)
        self._life = ConnectionLife(self._connections, self._earlier, node_id, tasks, self._under_way, expiry)
        self.connect = self._life.connect
        self.event = self._events.event
        self.event_text = self._events.event_text
        self.disconnected = self._life.gone
        server.mount(NAMESPACE, self)

    def __len__(self) -> int:
        return len(self._connections)

    def serve(
        self,
        gate: Gate,
        router: EventRouter,
        limits: Limits = UNLIMITED,
        recovery: Recovery | None = None,
        *,
        recovers: bool = True,
    ) -> None:
        """Let in whom ``gate`` admits, and serve the events of ``router`` within ``limits``. Nobody is let in before.

        ``recovers``: whether clients may come back. Not in the constructor, because the features behind the router need
        the rooms that are kept here.
        """
        self._life.serve(gate, router, limits, recovery, recovers=recovers)
        self._events.serve(router, limits)

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

    def user_of(self, connection_id: ConnectionId) -> UserId | None:
        """See hub.cluster.rooms.LocalRooms."""
        connection = self._connections.get(connection_id)
        return None if connection is None else connection.caller.user_id

    def rooms_of(self, connection_id: ConnectionId) -> Collection[str]:
        """See hub.gate.access_reviews.LocalRooms."""
        connection = self._connections.get(connection_id)
        return () if connection is None else tuple(connection.socket.rooms)

    def active_s(self, connection_id: ConnectionId) -> float | None:
        """See hub.kernel.ports.Activity."""
        connection = self._connections.get(connection_id)
        return None if connection is None else connection.active_s

    def deliver(self, delivery: Delivery) -> None:
        """See hub.cluster.rooms.LocalRooms."""
        packets = DeliveryPackets(delivery)
        skip: Collection[str] = ()
        if delivery.skip is not None:
            skip = (self._earlier.get(delivery.skip, delivery.skip),)
        if delivery.copy_of is not None:
            skip = {*skip, *self._copies.have_had(delivery, delivery.copy_of), *self._came_back_to(delivery.others)}
        METRICS.deliveries += self._rooms.send(self._server.engine.outboxes, delivery.rooms, packets, skip)

    def _came_back_to(self, rooms: Iterable[RoomName]) -> Iterator[ConnectionId]:
        """Connections in these rooms that came back: what they have had of them they had before, or elsewhere."""
        if self._earlier:
            for room in rooms:
                for socket in self._rooms.members(room):
                    if isinstance(connection := socket.owner, Connection) and connection.earlier:
                        yield connection.caller.connection_id

    def send(self, connection_id: ConnectionId, event: str, payload: Any) -> None:
        """See hub.cluster.rooms.LocalRooms."""
        if (connection := self._connections.get(connection_id)) is not None:
            connection.socket.emit(event, payload)

    def disconnect(self, room: RoomName, event: str | None, payload: Any) -> None:
        """See hub.cluster.rooms.LocalRooms."""
        for socket in list(self._rooms.members(room)):
            if event is not None:
                socket.emit(event, payload)
            self._dismiss(socket)

    def _dismiss(self, socket: Socket) -> None:
        self._server.dismiss(socket, Reason.SERVER_DISCONNECT)
        # An unmodified client closes by itself now, and any other would stay.
        socket.client.session.close(Reason.SERVER_DISCONNECT)

    # ---------------------------------------------------------------- for other programs

    def broadcast(
        self, rooms: Collection[RoomName], arguments: list[Any], *, beside: Collection[RoomName], volatile: bool
    ) -> None:
        """See hub.cluster.redis_emitter.LocalConnections."""
        packets = BroadcastPackets(arguments, self.offset(), volatile=volatile)
        skip = [socket.sid for room in beside for socket in self._rooms.members(room)]
        METRICS.deliveries += self._rooms.send(self._server.engine.outboxes, rooms or [None], packets, skip)

    def select(self, rooms: Collection[RoomName], beside: Collection[RoomName]) -> list[ConnectionId]:
        """See hub.cluster.redis_emitter.LocalConnections."""
        skip = [socket.sid for room in beside for socket in self._rooms.members(room)]
        return [ConnectionId(socket.sid) for socket in self._rooms.receivers(rooms or [None], skip)]

    def dismiss(self, connection_id: ConnectionId) -> None:
        """See hub.cluster.redis_emitter.LocalConnections."""
        if (connection := self._connections.get(connection_id)) is not None:
            self._dismiss(connection.socket)

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

    def succeed(self, connection_id: ConnectionId, earlier: Sequence[ConnectionId]) -> None:
        """See hub.cluster.rooms.LocalRooms."""
        if (connection := self._connections.get(connection_id)) is not None:
            connection.earlier = earlier
            self._earlier.update(dict.fromkeys(earlier, connection_id))

    def cut(self, rooms: Iterable[RoomName] | None) -> None:
        """See hub.cluster.rooms.LocalRooms."""
        for socket in (
            list(self._rooms.members(None))
            if rooms is None
            else [socket for room in rooms for socket in list(self._rooms.members(room))]
        ):
            if isinstance(connection := socket.owner, Connection):
                connection.cut()

    def drop(self, connection_id: ConnectionId) -> None:
        """See hub.cluster.rooms.LocalRooms."""
        if (connection := self._connections.get(connection_id)) is not None:
            connection.cut()

    async def cut_all(self) -> None:
        """Close every transport; the clients come back by themselves, to any node."""
        for connection in list(self._connections.values()):
            connection.cut()

    async def settled(self) -> None:
        """Wait until no event and no disconnect hook is under way."""
        await self._under_way.settled(asyncio.get_running_loop())

    async def drain(self, farewell: ServerEvent) -> bool:
        """Let nobody in any more, and send everybody elsewhere. Returns whether all that was under way has ended.

        See hub.transport.draining.
        """
        self._life.closed = True
        return await send_away(list(self._connections.values()), farewell)
