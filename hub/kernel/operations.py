"""What nodes tell of themselves and of their connections: to each other, and to operators.

Unknown fields are passed over, so that nodes of two versions understand each other while one is replaced by the other.
"""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from hub.kernel.ids import NodeId

A = TypeVar("A")


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
