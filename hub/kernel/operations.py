"""What nodes tell of themselves and of their connections, to each other and to operators; and how they are asked.

Unknown fields are passed over, so that nodes of two versions understand each other while one is replaced by the other.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from hub.kernel.ids import NodeId, RoomName
from hub.kernel.wire import ServerEvent

Q = TypeVar("Q", bound=msgspec.Struct)
A = TypeVar("A", bound=msgspec.Struct)


class Report(msgspec.Struct, kw_only=True, rename="camel"):
    """Base of what a node tells."""


class NodeReport(Report):
    """A node that answers."""

    node_id: str
    name: str
    """What its operator calls it."""
    version: str
    hostname: str
    uptime_s: float
    connections: int


class ConnectionReport(Report):
    """A connection, and where it is."""

    connection_id: str
    user_id: str
    session_id: str
    node_id: str
    device: str
    rooms: list[str]
    """The first of them in the order of their names; there are ``roomCount``."""
    room_count: int


class Acknowledged(Report):
    """What one connection answered."""

    connection_id: str
    node_id: str
    answer: Any
    """The arguments of the acknowledgement, as a list. ``null``: it was too long, or is nothing that JSON can say."""


@dataclass(frozen=True, slots=True)
class Replies(Generic[A]):
    """What nodes have answered."""

    answers: dict[NodeId, A]
    missing: list[NodeId]
    """Those that were asked and have not answered in time, or could not. What they were to do may happen late."""


class Listing(Report):
    """Connections, in the order of their ids."""

    connections: list[ConnectionReport]
    total: int
    """How many there are on the nodes that answered, on all pages."""
    missing_nodes: list[str]
    """Nodes that did not answer: their connections are not among these."""


class Affected(Report):
    """How many connections something was done to."""

    connections: int
    missing_nodes: list[str]
    """Nodes that did not answer: whether it was done there is unknown. Everything may be repeated."""


class NodeListing(Report):
    """The nodes of the cluster."""

    nodes: list[NodeReport]
    missing_nodes: list[str]
    """Nodes that have a lease and do not answer."""


class Acknowledgements(Report):
    """What the members of a room answered to a broadcast."""

    answers: list[Acknowledged]
    silent: list[str]
    """Connections that got the event and did not answer in time, or left."""
    answered: int
    members: int
    """Who got it, on the nodes that answered: those who answered, and the silent."""
    truncated: bool
    """Whether the two lists have less than the numbers say: they are cut where they would be too long."""
    missing_nodes: list[str]
    """Nodes that did not answer: nothing is known of the members there."""


class Peers(Protocol):
    """What nodes ask and tell each other. Implemented in hub.cluster."""

    def serve(self, name: str, question: type[Q], answer: Callable[[Q], Awaitable[msgspec.Struct]]) -> None:
        """Answer the requests of this name. One that raises is logged here, and no answer there."""
        ...

    def hear(self, name: str, notice: type[Q], listener: Callable[[NodeId, Q], None]) -> None:
        """Hand the notices of this name to ``listener``, with who sent them, in the order of each sender.

        It must neither block nor raise.
        """
        ...

    async def ask(
        self, name: str, question: msgspec.Struct, answer: type[A], *, within_s: float, others: bool = False
    ) -> Replies[A]:
        """Ask every live node, this one included unless it is ``others``, and wait until all have answered.

        Who has not in ``within_s`` is named. Raises PayloadTooLarge for more than a mebibyte, Unavailable if Redis
        does not say which nodes there are.
        """
        ...

    def tell(self, nodes: Iterable[NodeId], name: str, notice: msgspec.Struct) -> None:
        """Send a notice to other nodes. It arrives unless something breaks. Never blocks and never raises."""
        ...


class Operations(Protocol):
    """What operators do with connections, over all nodes. Implemented in hub.cluster.

    ``of`` says which: a room, of which ``user:{id}`` and ``session:{id}`` are two, or the id of a connection. Nodes
    that do not answer within two seconds are named in the result; everything may be repeated. What asks them raises
    Unavailable if Redis does not say which nodes there are.
    """

    async def nodes(self) -> NodeListing:
        """The nodes, as they describe themselves."""
        ...

    async def connections(self, of: RoomName, *, after: str, limit: int) -> Listing:
        """At most ``limit`` connections with an id above ``after``, in the order of their ids."""
        ...

    async def join(self, of: RoomName, room: RoomName) -> Affected:
        """Put connections into ``room``. Whether they may read what is sent there is the caller's to decide."""
        ...

    async def leave(self, of: RoomName, room: RoomName) -> Affected:
        """Take connections out of ``room``."""
        ...

    async def disconnect(self, of: RoomName, *, farewell: ServerEvent) -> Affected:
        """Send ``farewell`` to connections and close them for good, as ``Rooms.disconnect`` does."""
        ...

    def publish(self, room: RoomName, event: str, payload: Any) -> None:
        """Send an event of any name to a room, in the order of the events of the hub. Never blocks, never raises."""
        ...

    async def broadcast(self, room: RoomName, event: str, payload: Any, *, timeout_s: float) -> Acknowledgements:
        """Send an event to a room, and wait until every member has acknowledged it, at most ``timeout_s``.

        It overtakes what is published. Raises PayloadTooLarge.
        """
        ...
