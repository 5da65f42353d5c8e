"""The wire of /admin."""

from typing import Annotated, Any, Literal

from msgspec import Meta

from core_api.storable import VisibleText
from hub.kernel.operations import Acknowledgements, ConnectionReport
from hub.kernel.pages import PageInfo, PageQuery
from hub.kernel.wire import END, ServerEvent, Uuid, Wire

ROOM_ID = f"[0-9A-Za-z_-]{{1,64}}{END}"
ConnectionIdText = Annotated[str, Meta(pattern=f"^{ROOM_ID}", description="id of a connection")]
AnyRoom = Annotated[
    str, Meta(pattern=f"^(user|session|presence|content|doc|call|room):{ROOM_ID}", description="any room")
]
OpenRoom = Annotated[
    str,
    Meta(
        pattern=f"^(content|doc|call|room):{ROOM_ID}",
        description="a room that people come into. Not `user:` and `session:`: by those a connection is revoked, and "
        "whoever was put into another person's would get what is for that person alone",
    ),
]
EventName = Annotated[
    str,
    Meta(
        pattern=rf"^[a-z][a-z0-9_-]{{0,40}}(:[0-9A-Za-z_-]{{1,40}}){{1,3}}{END}",
        description="words with colons between them, so that it is no name that Socket.IO keeps for itself",
    ),
]
Reason = Annotated[VisibleText, Meta(max_length=200)]


class ConnectionsQuery(PageQuery):
    """Whose connections: those of a user or of a room. Give one of the two."""

    user_id: Uuid | None = None
    room: AnyRoom | None = None


class Connections(Wire):
    """A page of connections, in the order of their ids."""

    data: list[ConnectionReport]
    page_info: PageInfo
    total: int
    """On all pages."""
    missing_nodes: list[str]
    """Nodes that did not answer: their connections are not among these."""


class Target(Wire):
    """Which connections: those of a user, those in a room, or one by its id. Give one of the three."""

    user_id: Uuid | None = None
    room: AnyRoom | None = None
    connection_id: ConnectionIdText | None = None


class Disconnect(Target, kw_only=True):
    """Which connections to close, and what their clients are told."""

    reason: Reason


class Broadcast(Wire):
    """An event for the members of a room."""

    event: EventName
    payload: dict[str, Any] = {}
    expect_ack: bool = False
    """Wait until the members have acknowledged it."""
    timeout_ms: Annotated[int, Meta(ge=100, le=10_000)] = 2000
    """Longest wait for that."""


class BroadcastResult(Wire):
    """What became of a broadcast. Without ``expectAck`` it is published, and who gets it is not known."""

    acknowledgements: Acknowledgements | None


class Suspend(Wire):
    """Why an account is suspended: for the staff, not for the person."""

    reason: Reason


class AccountStatus(Wire):
    """The account, after a suspension was made or lifted."""

    user_id: Uuid
    status: Literal["active", "suspended"]
    changed: bool
    """False: it was so before."""


class Disconnected(ServerEvent):
    """The staff has closed this connection. An unmodified client does not come back by itself; the session goes on."""

    event = "hub:disconnected"
    reason: str
