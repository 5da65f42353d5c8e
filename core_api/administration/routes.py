"""The REST side of the staff's work: /admin, for the role `admin` alone."""

from core_api.administration.schema import (
    AccountStatus,
    AnyRoom,
    Broadcast,
    BroadcastResult,
    Connections,
    ConnectionsQuery,
    Disconnect,
    OpenRoom,
    Suspend,
    Target,
)
from core_api.administration.service import Administration
from hub.kernel.events import Actor
from hub.kernel.http import RestApi
from hub.kernel.ids import RoomName, UserId
from hub.kernel.limits import Limit
from hub.kernel.operations import Affected, NodeListing
from hub.kernel.wire import Uuid

LOOK = Limit(per_minute=120, burst=60)
"""A dashboard that asks every second. Each asks all nodes."""
ACT = Limit(per_minute=60, burst=30)


def administration_api(administration: Administration) -> RestApi:
    """Nodes, live connections, suspensions."""
    api = RestApi("admin", role="admin")

    async def nodes(actor: Actor) -> NodeListing:
        """List the nodes of the cluster, and those that do not answer."""
        return await administration.nodes(actor)

    async def connections(query: ConnectionsQuery, actor: Actor) -> Connections:
        """List the connections of a user or of a room, on all nodes."""
        return await administration.connections(query, actor)

    async def disconnect(body: Disconnect, actor: Actor) -> Affected:
        """Close connections on all nodes. Their sessions go on."""
        return await administration.disconnect(body, actor)

    async def join(room: OpenRoom, body: Target, actor: Actor) -> Affected:
        """Put connections into a room. What the room is about has no say in it."""
        return await administration.join(RoomName(room), body, actor)

    async def leave(room: OpenRoom, body: Target, actor: Actor) -> Affected:
        """Take connections out of a room. They may come back."""
        return await administration.leave(RoomName(room), body, actor)

    async def broadcast(room: AnyRoom, body: Broadcast, actor: Actor) -> BroadcastResult:
        """Send an event to a room, and say who has acknowledged it if that is asked for."""
        return await administration.broadcast(RoomName(room), body, actor)

    async def suspend(user_id: Uuid, body: Suspend, actor: Actor) -> AccountStatus:
        """Suspend an account: nobody can use it, and its connections close within a second."""
        return await administration.suspend(UserId(user_id), body.reason, actor)

    async def unsuspend(user_id: Uuid, actor: Actor) -> AccountStatus:
        """Lift a suspension. Sessions do not come back."""
        return await administration.unsuspend(UserId(user_id), actor)

    api.get("/admin/nodes", nodes, limit=LOOK)
    api.get("/admin/connections", connections, limit=LOOK)
    api.post("/admin/connections/disconnect", disconnect, status=200, limit=ACT)
    api.post("/admin/rooms/{room}/join", join, status=200, limit=ACT)
    api.post("/admin/rooms/{room}/leave", leave, status=200, limit=ACT)
    api.post("/admin/rooms/{room}/broadcast", broadcast, status=200, limit=ACT)
    api.post("/admin/users/{userId}/suspend", suspend, status=200, limit=ACT)
    api.post("/admin/users/{userId}/unsuspend", unsuspend, status=200, limit=ACT)
    return api
