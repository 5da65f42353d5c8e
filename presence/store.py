"""What presence needs of a store, see store_redis.py. Every method raises Unavailable if the store does not answer."""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Protocol

from hub.kernel.ids import ConnectionId, NodeId, UserId
from presence.model import Change, Connection, Held, Record, Totals


class PresenceStore(Protocol):
    """The connections of all users on all nodes, and the versioned state they add up to.

    Each change of one connection is atomic together with its user's versions and the record of the transition, and
    exactly one of several rivals is told of a transition. A device is there while it has a connection, live or held.
    Times are Unix milliseconds of the caller's clock. A user's versions never fall, not even if the store forgets.
    """

    async def connect(self, connection: Connection, now_ms: int) -> Change:
        """Register a connection. Idempotent.

        Its status and text count only where the device, or the text, is new. Held connections of the same device end
        without a transition. A connection that is known under another node moves to this one. Where it is not said
        whether it is idle, it is if all others of its device are: so one that comes back wakes nobody up.
        """
        ...

    async def update(self, connection: Connection, now_ms: int) -> Change:
        """Give the connection's device its status and name, and the user its text. Registers it if need be.

        Idempotent: the same again is no change. The connection is active.
        """
        ...

    def notice(self, connections: Iterable[Connection], now_ms: int) -> AsyncIterator[Change]:
        """Note whether connections are idle, and when they were active last; gives the transitions.

        A device is idle when all its connections are. Nothing happens to a connection that its node does not have.
        """
        ...

    async def hold(self, held: Iterable[Held]) -> None:
        """Mark connections as lost. They count until the end of their hold, when :meth:`expire` takes them.

        Idempotent, the first loss stands. Nothing happens to a connection that has moved to another node.
        """
        ...

    def restore(self, held: Iterable[Held], now_ms: int) -> AsyncIterator[Change]:
        """Have these count for the rest of their hold after the store has forgotten them; gives the transitions.

        Nothing happens where the device is there, or held for as long.
        """
        ...

    async def read(self, user_ids: Sequence[UserId], now_ms: int) -> list[Record]:
        """The state of users at this moment, in that order; of unknown ones the empty record."""
        ...

    async def look(self, user_ids: Sequence[UserId], now_ms: int) -> tuple[list[Record], bool]:
        """The same, and whether the store knows all it should of these users' parts: see presence.memory."""
        ...

    def expire(self, now_ms: int) -> AsyncIterator[Change]:
        """End holds and texts whose time has come, and give the transitions that this call made.

        A device that leaves invisible passes that on to those that remain. A call that is abandoned half-way leaves
        the rest to the next.
        """
        ...

    def bury(self, node_id: NodeId, now_ms: int) -> AsyncIterator[Change]:
        """Remove all connections of a dead node, as :meth:`expire` does. Held ones keep their time."""
        ...

    async def nodes(self) -> frozenset[NodeId]:
        """The nodes that have connections registered."""
        ...

    async def registered(self, node_id: NodeId, part: int) -> dict[ConnectionId, UserId]:
        """The connections, not the held ones, registered for a node and one part of the users."""
        ...

    async def totals(self) -> Totals:
        """How many there are, each part at a moment of its own."""
        ...
