"""What operators do with connections, over all nodes: each node does its own part, and says how far it went."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Protocol

import msgspec

from hub.cluster.bus import Bus
from hub.cluster.rooms import ClusterRooms, LocalRooms
from hub.kernel.delivery import Delivery
from hub.kernel.ids import ConnectionId, RoomName
from hub.kernel.operations import (
    Acknowledged,
    Acknowledgements,
    Affected,
    ConnectionReport,
    Listing,
    NodeListing,
    NodeReport,
    Peers,
    Replies,
)
from hub.kernel.wire import ServerEvent, to_wire

WITHIN_S: Final = 2.0
"""Longest wait for the answers of the nodes. One takes milliseconds, and a node that is busy for longer has a lease for
four seconds more at most."""
MAX_LISTED: Final = 1000
"""Answers, and silent connections, that are named of a broadcast. All are counted."""
MAX_ANSWERS_BYTES: Final = 256 << 10
"""Of the answers together: a node's part of it fits into a reply, and all of it into what somebody reads."""


class LocalConnections(Protocol):
    """The connections of this node. Implemented in hub.transport."""

    def describe(self, connection_id: ConnectionId) -> ConnectionReport | None:
        """A connection; ``None`` if it has gone, or is not let in yet."""
        ...

    async def ask(self, room: RoomName, event: str, payload: Any, timeout_s: float) -> Acknowledgements:
        """Send an event to the members of a room here, and wait until all have answered."""
        ...


class List(msgspec.Struct):
    """Which connections are there?"""

    of: str
    after: str
    limit: int


class Move(msgspec.Struct):
    """Put connections into a room, or take them out."""

    of: str
    room: str


class Disconnect(msgspec.Struct):
    """End connections, after an event."""

    of: str
    event: str
    payload: Any


class Broadcast(msgspec.Struct):
    """Have an event acknowledged."""

    room: str
    event: str
    payload: Any
    timeout_s: float


class Describe(msgspec.Struct):
    """Who are you?"""


class ClusterOperations:
    """Implements hub.kernel.operations.Operations, and serves what other nodes ask of this one."""

    def __init__(
        self,
        peers: Peers,
        rooms: ClusterRooms,
        local: LocalRooms,
        connections: LocalConnections,
        bus: Bus,
        about: Callable[[], NodeReport],
    ) -> None:
        self._peers = peers
        self._rooms = rooms
        self._local = local
        self._connections = connections
        self._bus = bus
        self._about = about
        peers.serve("nodes", Describe, self._describe)
        peers.serve("connections", List, self._list)
        peers.serve("join", Move, self._join)
        peers.serve("leave", Move, self._leave)
        peers.serve("disconnect", Disconnect, self._disconnect)
        peers.serve("broadcast", Broadcast, self._broadcast)

    # ---------------------------------------------------------------- over all nodes

    async def nodes(self) -> NodeListing:
        """See hub.kernel.operations.Operations."""
        replies = await self._peers.ask("nodes", Describe(), NodeReport, within_s=WITHIN_S)
        return NodeListing(nodes=list(replies.answers.values()), missing_nodes=list(replies.missing))

    async def connections(self, of: RoomName, *, after: str, limit: int) -> Listing:
        """See hub.kernel.operations.Operations."""
        replies = await self._peers.ask("connections", List(of, after, limit), Listing, within_s=WITHIN_S)
        parts = replies.answers.values()
        found = heapq.merge(*(part.connections for part in parts), key=lambda one: one.connection_id)
        return Listing(
            connections=list(found)[:limit],
            total=sum(part.total for part in parts),
            missing_nodes=list(replies.missing),
        )

    async def join(self, of: RoomName, room: RoomName) -> Affected:
        """See hub.kernel.operations.Operations."""
        return _sum(await self._peers.ask("join", Move(of, room), Affected, within_s=WITHIN_S))

    async def leave(self, of: RoomName, room: RoomName) -> Affected:
        """See hub.kernel.operations.Operations."""
        return _sum(await self._peers.ask("leave", Move(of, room), Affected, within_s=WITHIN_S))

    async def disconnect(self, of: RoomName, *, farewell: ServerEvent) -> Affected:
        """See hub.kernel.operations.Operations."""
        question = Disconnect(of, farewell.event, to_wire(farewell))
        return _sum(await self._peers.ask("disconnect", question, Affected, within_s=WITHIN_S))

    def publish(self, room: RoomName, event: str, payload: Any) -> None:
        """See hub.kernel.operations.Operations."""
        self._bus.emit(Delivery([room], event, msgspec.json.encode(payload)))

    async def broadcast(self, room: RoomName, event: str, payload: Any, *, timeout_s: float) -> Acknowledgements:
        """See hub.kernel.operations.Operations."""
        question = Broadcast(room, event, payload, timeout_s)
        replies = await self._peers.ask("broadcast", question, Acknowledgements, within_s=timeout_s + WITHIN_S)
        parts = replies.answers.values()
        return bounded(
            [answer for part in parts for answer in part.answers],
            [connection_id for part in parts for connection_id in part.silent],
            answered=sum(part.answered for part in parts),
            members=sum(part.members for part in parts),
            missing_nodes=replies.missing,
        )

    # ---------------------------------------------------------------- on this node

    async def _describe(self, _: Describe) -> NodeReport:
        return self._about()

    async def _list(self, asked: List) -> Listing:
        members = self._local.members(RoomName(asked.of))
        first = heapq.nsmallest(asked.limit, (one for one in members if one > asked.after))
        found = [report for one in first if (report := self._connections.describe(one)) is not None]
        return Listing(connections=found, total=len(members), missing_nodes=[])

    async def _join(self, asked: Move) -> Affected:
        moved = 0
        if self._local.members(RoomName(asked.of)):  # else a room would be followed for nobody
            moved = await self._rooms.bring_in(RoomName(asked.room), RoomName(asked.of))
        return Affected(connections=moved, missing_nodes=[])

    async def _leave(self, asked: Move) -> Affected:
        moved = await self._rooms.take_out(RoomName(asked.room), RoomName(asked.of))
        return Affected(connections=moved, missing_nodes=[])

    async def _disconnect(self, asked: Disconnect) -> Affected:
        room = RoomName(asked.of)
        ended = len(self._local.members(room))
        self._local.disconnect(room, asked.event, asked.payload)
        return Affected(connections=ended, missing_nodes=[])

    async def _broadcast(self, asked: Broadcast) -> Acknowledgements:
        here = await self._connections.ask(RoomName(asked.room), asked.event, asked.payload, asked.timeout_s)
        return bounded(here.answers, here.silent, answered=here.answered, members=here.members)


def bounded(
    answers: Iterable[Acknowledged],
    silent: Sequence[str],
    *,
    answered: int,
    members: int,
    missing_nodes: Sequence[str] = (),
) -> Acknowledgements:
    """Acknowledgements of which no more are named than MAX_LISTED and MAX_ANSWERS_BYTES allow."""
    named: list[Acknowledged] = []
    size = 0
    for answer in answers:
        size += len(msgspec.json.encode(answer))
        if size > MAX_ANSWERS_BYTES or len(named) == MAX_LISTED:
            break
        named.append(answer)
    return Acknowledgements(
        answers=named,
        silent=list(silent[:MAX_LISTED]),
        answered=answered,
        members=members,
        truncated=len(named) < answered or members - answered > min(len(silent), MAX_LISTED),
        missing_nodes=list(missing_nodes),
    )


def _sum(replies: Replies[Affected]) -> Affected:
    moved = sum(one.connections for one in replies.answers.values())
    return Affected(connections=moved, missing_nodes=list(replies.missing))
