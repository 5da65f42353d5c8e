"""What attendance needs of a store, see store_redis.py. Every method raises Unavailable if it does not answer."""

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from typing import Protocol

from hub.kernel.ids import NodeId, RoomName, UserId
from presence.attendance.model import Count, Move, Outcome, Seat, Window


class AttendanceStore(Protocol):
    """The connections in rooms on all nodes, and the people that they add up to.

    Each change of one connection is atomic together with its room's version, its counts and the record of the move, and
    exactly one of several rivals is told of a move. A person is in a room while they have a connection there, live or
    lost and held. Times are Unix milliseconds of the caller's clock. In a room of more people than the store calls
    large, moves are kept for nobody; its count is due instead, once a second.
    """

    async def arrive(
        self, node_id: NodeId, seats: Sequence[Seat], now_ms: int, *, quietly: bool = False
    ) -> list[Outcome]:
        """Register connections of a node. Idempotent.

        Lost ones of the same person end without a move. ``quietly``: nobody is to be told, they were there before.
        """
        ...

    async def leave(self, node_id: NodeId, seats: Sequence[Seat], now_ms: int) -> list[Outcome]:
        """Remove connections that were taken out of their room. Idempotent."""
        ...

    async def hold(self, node_id: NodeId, seats: Iterable[Seat], until_ms: int, now_ms: int) -> None:
        """Mark connections as lost: they do not count as connections any more, and as their person's until then.

        Idempotent, the first loss stands. Nothing happens to one that is not registered for this node.
        """
        ...

    def expire(self, now_ms: int) -> AsyncIterator[Move]:
        """Remove lost connections that are held no longer, and give the moves that this call made.

        A call that is abandoned half-way leaves the rest to the next.
        """
        ...

    def bury(self, node_id: NodeId, now_ms: int) -> AsyncIterator[Move]:
        """Remove all connections of a dead node, as :meth:`expire` does. Lost ones keep their time."""
        ...

    async def due(self, now_ms: int) -> list[Count]:
        """The counts that this caller is to tell. Each room has its count told once a second, whoever asks."""
        ...

    async def nodes(self) -> frozenset[NodeId]:
        """The nodes that have connections registered."""
        ...

    async def registered(self, node_id: NodeId, part: int) -> frozenset[Seat]:
        """The connections, not the lost ones, registered for a node in one part of the rooms."""
        ...

    async def connections(self, room: RoomName) -> dict[NodeId, int]:
        """Connections in a room by node, those of dead nodes too, and without lost ones."""
        ...

    async def window(self, room: RoomName, after: int, limit: int) -> Window:
        """The first of the people in a room who came after an arrival (0: all)."""
        ...

    async def arrivals(self, people: Collection[tuple[RoomName, UserId]]) -> dict[tuple[RoomName, UserId], int]:
        """The arrivals of people in rooms. Those who are not there are left out."""
        ...
