"""The use cases under /admin. Each is logged with who did it; whether they may is decided before."""

import logging

from core_api.administration.schema import (
    AccountStatus,
    Broadcast,
    BroadcastResult,
    Connections,
    ConnectionsQuery,
    Disconnect,
    Disconnected,
    Target,
)
from core_api.ports import Suspensions
from core_api.storable import encode_json
from hub.kernel.errors import Forbidden, InvalidPayload
from hub.kernel.events import Actor
from hub.kernel.ids import RoomName, UserId, user_room
from hub.kernel.operations import Affected, NodeListing, Operations
from hub.kernel.pages import PageInfo, decode_cursor, encode_cursor
from hub.kernel.wire import LATEST

log = logging.getLogger(__name__)

MAX_PAYLOAD_BYTES = 65_536
"""Of a broadcast, as JSON. Every member gets a copy."""


class Administration:
    """What the staff does. Nodes that do not answer in time are named in every result, never left out silently."""

    def __init__(self, operations: Operations, suspensions: Suspensions) -> None:
        self._operations = operations
        self._suspensions = suspensions

    async def nodes(self, actor: Actor) -> NodeListing:
        """The nodes of the cluster."""
        _log(actor, "lists the nodes")
        return await self._operations.nodes()

    async def connections(self, query: ConnectionsQuery, actor: Actor) -> Connections:
        """A page of the connections of a user or a room. Raises InvalidPayload."""
        after = "" if query.cursor is None else decode_cursor(query.cursor, tuple[str])[0]
        of = _room_of(query.user_id, query.room)
        _log(actor, f"lists the connections of {of}")
        found = await self._operations.connections(of, after=after, limit=query.limit + 1)
        shown, has_next = found.connections[: query.limit], len(found.connections) > query.limit
        return Connections(
            data=shown,
            page_info=PageInfo(
                next_cursor=encode_cursor(shown[-1].connection_id) if has_next else None, has_next=has_next
            ),
            total=found.total,
            missing_nodes=found.missing_nodes,
        )

    async def join(self, room: RoomName, target: Target, actor: Actor) -> Affected:
        """Put connections into a room. Raises InvalidPayload."""
        of = _room_of_target(target)
        _log(actor, f"puts {of} into {room}")
        return await self._operations.join(of, room)

    async def leave(self, room: RoomName, target: Target, actor: Actor) -> Affected:
        """Take connections out of a room. Raises InvalidPayload."""
        of = _room_of_target(target)
        _log(actor, f"takes {of} out of {room}")
        return await self._operations.leave(of, room)

    async def disconnect(self, body: Disconnect, actor: Actor) -> Affected:
        """Close connections. Raises InvalidPayload."""
        of = _room_of_target(body)
        _log(actor, f"disconnects {of}: {body.reason!r}")
        return await self._operations.disconnect(of, farewell=Disconnected(reason=body.reason))

    async def broadcast(self, room: RoomName, body: Broadcast, actor: Actor) -> BroadcastResult:
        """Send an event to a room. Raises InvalidPayload, PayloadTooLarge."""
        if body.event in LATEST:
            detail = "The states of this event are merged by the hub, which alone may send it"
            raise InvalidPayload(detail, errors=[{"pointer": "/event", "detail": detail}])
        encode_json(body.payload, max_bytes=MAX_PAYLOAD_BYTES, pointer="/payload")
        _log(actor, f"sends {body.event} to {room}")
        if not body.expect_ack:
            self._operations.publish(room, body.event, body.payload)
            return BroadcastResult(acknowledgements=None)
        timeout_s = body.timeout_ms / 1000
        return BroadcastResult(
            acknowledgements=await self._operations.broadcast(room, body.event, body.payload, timeout_s=timeout_s)
        )

    async def suspend(self, user_id: UserId, reason: str, actor: Actor) -> AccountStatus:
        """Suspend an account. Raises NotFound, Forbidden (one's own)."""
        if user_id == actor.user_id:
            raise Forbidden("You cannot suspend yourself.")
        _log(actor, f"suspends {user_id}: {reason!r}")
        changed = await self._suspensions.suspend(user_id, reason)
        return AccountStatus(user_id=user_id, status="suspended", changed=changed)

    async def unsuspend(self, user_id: UserId, actor: Actor) -> AccountStatus:
        """Lift a suspension. Raises NotFound."""
        _log(actor, f"lifts the suspension of {user_id}")
        changed = await self._suspensions.unsuspend(user_id)
        return AccountStatus(user_id=user_id, status="active", changed=changed)


def _room_of_target(target: Target) -> RoomName:
    return _room_of(target.user_id, target.room, target.connection_id)


def _room_of(user_id: str | None, room: str | None, connection_id: str | None = None) -> RoomName:
    """The one room that is meant: a connection's id is the name of a room too."""
    named = [
        *([] if user_id is None else [user_room(UserId(user_id))]),
        *([] if room is None else [RoomName(room)]),
        *([] if connection_id is None else [RoomName(connection_id)]),
    ]
    if len(named) != 1:
        raise InvalidPayload("Say whose connections are meant, in one way.", errors=[])
    return named[0]


def _log(actor: Actor, what: str) -> None:
    log.info("admin %s %s", actor.user_id, what)
