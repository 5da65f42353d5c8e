"""The wire of rooms: /rooms, the events room:*, and what the hub tells the people in a room."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from core_api.ports import UserBrief
from core_api.storable import Text, VisibleText
from hub.kernel.wire import ServerEvent, Uuid, Wire

Visibility = Literal["public", "private"]
MemberRole = Literal["owner", "member"]
Position = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""In the cursor of every list here: the number of the last row (the ``seq`` of a message)."""


class NewRoom(Wire):
    """A room to make; whoever asks owns it."""

    name: Annotated[VisibleText, Meta(min_length=1, max_length=100)]
    visibility: Visibility


class RoomView(Wire):
    """A room. ``role``: what the asking person is in it, ``null`` for a stranger to a public room."""

    id: Uuid
    name: str
    visibility: Visibility
    owner_id: Uuid
    role: MemberRole | None
    last_seq: int
    """``seq`` of the newest message, 0 without one: how much a client has missed."""
    created_at: datetime


class NewMember(Wire):
    """Somebody to make a member."""

    user_id: Uuid
    role: Literal["member"] = "member"


class MemberView(Wire):
    """A member of a room. ``user`` is ``null`` if the account is gone."""

    user_id: Uuid
    user: UserBrief | None
    role: MemberRole
    joined_at: datetime


class RoomRef(Wire):
    """Which room to enter or leave."""

    room_id: Uuid


class Attendance(Wire):
    """Answer to entering or leaving: connections now in the room, on all nodes."""

    room_id: Uuid
    member_count: int


class Send(Wire):
    """Something to say in a room that this connection has joined.

    ``clientId`` is the sender's own name for the message: a repeat gets the first one's answer and reaches nobody.
    ``volatile`` is not stored, has no number and may be lost.
    """

    room_id: Uuid
    client_id: Annotated[Text, Meta(min_length=1, max_length=64)]
    body: Any
    """Any JSON of at most 16 KB."""
    volatile: bool = False


class Sent(Wire):
    """The message is committed."""

    message_id: Uuid
    seq: int


class RoomMessage(ServerEvent):
    """A message, live or from the list. A volatile one has neither ``messageId`` nor ``seq``.

    ``seq`` has no holes: a client that sees one missing gets it from the list.
    """

    event = "room:message"
    room_id: Uuid
    sender: Uuid = msgspec.field(name="from")
    body: msgspec.Raw
    sent_at: datetime
    message_id: Uuid | UnsetType = UNSET
    seq: int | UnsetType = UNSET
