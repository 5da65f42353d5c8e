"""The connections of a node, in memory: for tests of the cluster without sockets."""

from collections.abc import Iterable, Sequence
from typing import Any

from hub.kernel.delivery import Delivery
from hub.kernel.ids import ConnectionId, RoomName, UserId
from hub.transport.copies import Copies


class MemoryLocalRooms:
    """Implements hub.cluster.rooms.LocalRooms and keeps what each connection was sent."""

    def __init__(self) -> None:
        self._members: dict[RoomName, set[ConnectionId]] = {}
        self._inbox: dict[str, list[Any]] = {}
        self._copies = Copies(self.members)
        self.disconnected: list[ConnectionId] = []
        self.gone: set[ConnectionId] = set()
        self.earlier: dict[ConnectionId, ConnectionId] = {}
        self.dropped: list[ConnectionId] = []
        self.cuts: list[list[RoomName] | None] = []

    def received(self, connection_id: str) -> list[Any]:
        """Payloads sent to a connection, in order."""
        return self._inbox.get(connection_id, [])

    def join(self, connection_id: ConnectionId, room: RoomName) -> None:
        if connection_id not in self.gone:
            self._members.setdefault(room, set()).add(connection_id)

    def leave(self, connection_id: ConnectionId, room: RoomName) -> None:
        self._members.get(room, set()).discard(connection_id)

    def members(self, room: RoomName) -> frozenset[ConnectionId]:
        return frozenset(self._members.get(room, ()))

    def is_member(self, connection_id: ConnectionId, room: RoomName) -> bool:
        return connection_id in self._members.get(room, ())

    def rooms_of(self, connection_id: ConnectionId) -> list[RoomName]:
        return [room for room, members in self._members.items() if connection_id in members]

    def user_of(self, connection_id: ConnectionId) -> UserId | None:
        """Each connection is of a user of its own, whose name is its id."""
        return None if connection_id in self.gone else UserId(connection_id)

    def drop(self, connection_id: ConnectionId) -> None:
        self.dropped.append(connection_id)

    def succeed(self, connection_id: ConnectionId, earlier: Sequence[ConnectionId]) -> None:
        self.earlier.update(dict.fromkeys(earlier, connection_id))

    def count(self, room: RoomName) -> int:
        return len(self.members(room))

    def deliver(self, delivery: Delivery) -> None:
        recipients: set[ConnectionId] = set().union(*(self.members(room) for room in delivery.rooms))
        had = () if delivery.copy_of is None else self._copies.have_had(delivery, delivery.copy_of)
        for connection_id in recipients.difference(had, {delivery.skip}):
            self.send(connection_id, delivery.event, delivery.payload)

    def send(self, connection_id: ConnectionId, event: str, payload: Any) -> None:
        self._inbox.setdefault(connection_id, []).append(payload)

    def disconnect(self, room: RoomName, event: str | None, payload: Any) -> None:
        for connection_id in self.members(room):
            if event is not None:
                self.send(connection_id, event, payload)
            self.disconnected.append(connection_id)

    def cut(self, rooms: Iterable[RoomName] | None) -> None:
        self.cuts.append(None if rooms is None else list(rooms))
