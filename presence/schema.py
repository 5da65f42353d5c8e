"""The wire of presence and typing."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from msgspec import UNSET, Meta, UnsetType

from hub.kernel.events import DeviceKind
from hub.kernel.pages import Limit
from hub.kernel.sight import Circle
from hub.kernel.wire import END, Latest, ServerEvent, Uuid, Wire

MAX_USERS = 500
"""Users a connection may watch in all, and users of one read."""

ChosenStatus = Literal["online", "away", "busy", "dnd", "invisible"]
ShownStatus = Literal["online", "away", "busy", "dnd", "invisible", "offline"]
UserIds = Annotated[list[Uuid], Meta(max_length=MAX_USERS)]
TypingRoom = Annotated[str, Meta(max_length=80, pattern=f"^(room|content|doc|user):[0-9A-Za-z-]+{END}")]
AttendedRoom = Annotated[str, Meta(max_length=80, pattern=f"^(room|content|doc):[0-9A-Za-z-]+{END}")]


class UpdatePresence(Wire):
    """Client event ``presence:update``: the status of the device that this connection belongs to."""

    status: ChosenStatus
    text: Annotated[str, Meta(max_length=140, description="absent: as it was; empty: none")] | None = None
    text_expires_at: (
        Annotated[datetime, Meta(tz=True, description="when the text given here is over; absent: never")] | None
    ) = None
    device: Annotated[str, Meta(min_length=1, max_length=64, description="a new name for this device")] | None = None


class SetActive(Wire):
    """Client event ``presence:active``: whether somebody is there, as a page's visibility or an idle detector tells."""

    active: bool


class Users(Wire):
    """Client event ``presence:get``."""

    user_ids: UserIds


class Watch(Wire):
    """Client events ``presence:watch`` and ``presence:unwatch``: people by their ids, a circle of one's own, or both.

    A circle is watched as it changes: whoever is followed later is told of then.
    """

    user_ids: UserIds | UnsetType = UNSET
    people: Circle | None = None


class PresenceQuery(Wire):
    """Query of ``GET /presence``."""

    ids: Annotated[str, Meta(description="user ids, separated by commas; 500 at most")]


class DevicePresence(Wire):
    """One device of a user."""

    device: str
    kind: DeviceKind
    status: ShownStatus
    since: datetime
    last_active: (
        Annotated[
            datetime,
            Meta(description="exact to some minutes while the device is in use; absent for who may not see lastSeen"),
        ]
        | UnsetType
    ) = UNSET


class Presence(Wire):
    """A user's presence. Others see somebody invisible, hidden, blocked or unknown as offline.

    ``version`` 0: there is nothing to see, whatever was seen before. Else the highest is the latest. ``lastSeen`` is
    null also where the viewer may not know it.
    """

    user_id: str
    status: ShownStatus
    last_seen: datetime | None
    devices: list[DevicePresence]
    version: int
    text: str | UnsetType = UNSET
    text_expires_at: datetime | UnsetType = UNSET


class Presences(Wire):
    """The presence of several users, in the order they were asked for."""

    users: list[Presence]


class PresenceDiff(ServerEvent):
    """Full states of users whose presence changed. Keep the highest version of each."""

    event: ClassVar[str] = "presence:diff"
    latest: ClassVar[Latest | None] = Latest(items="users", key="userId", version="version")
    users: list[Presence]


class AskMembers(Wire):
    """Client event ``presence:members``: who is in a room that this connection is in; a window of them at a time."""

    room: AttendedRoom
    limit: Limit = 50
    cursor: Annotated[str, Meta(max_length=100, description="``next`` of the window before")] | None = None


class Members(Wire):
    """People in a room, in the order in which they came.

    Those of whom the reader may see nothing, by a block or by choice, are left out: there may be fewer than asked for.
    """

    room: str
    count: Annotated[int, Meta(description="people in the room, over all nodes and devices")]
    members: list[Presence]
    next: Annotated[str, Meta(description="cursor of the next window; absent: this is the last")] | UnsetType = UNSET


class RoomMember(ServerEvent):
    """A person entered a room with their first connection, or left it with their last one.

    A lost connection counts for some seconds, so that nobody leaves by a reload. Of one person the highest ``version``
    is the latest. In a large room ``room:count`` comes instead.
    """

    event: ClassVar[str] = "room:member"
    room_id: Uuid
    user_id: Uuid
    joined: bool
    version: int


class RoomCount(ServerEvent):
    """How many people are in a large room, at most once a second. The highest ``version`` is the latest.

    Whoever shows who they are asks ``presence:members``, also when ``room:member`` comes again after this.
    """

    event: ClassVar[str] = "room:count"
    room: str
    count: int
    version: int


class Typing(Wire):
    """Client events ``typing:start`` and ``typing:stop``, in a room or, as ``user:{id}``, to a person."""

    room: TypingRoom


class TypingUpdate(ServerEvent):
    """Somebody in a room began to type, still does, or stopped. Forget it after 6 s without another.

    Of somebody who types to this user, ``room`` is ``user:{userId}``. However many devices they type on, they are one.
    """

    event: ClassVar[str] = "typing:update"
    room: str
    user_id: str
    typing: bool
