"""Rooms as the database keeps them, and who is what in them. No I/O."""

from dataclasses import dataclass
from datetime import datetime

import msgspec

from core_api.rooms.schema import MemberRole, Visibility
from hub.kernel.ids import RoomName, UserId

MAX_BODY_BYTES = 16_384
"""Of a message as JSON: a long text with markup. Larger things are media, and a message names them."""


@dataclass(frozen=True, slots=True)
class Room:
    """A room, and the role in it of the person it was read for (``None``: not a member)."""

    id: str
    number: int
    name: str
    visibility: Visibility
    owner_id: UserId
    last_seq: int
    created_at: datetime
    role: MemberRole | None


@dataclass(frozen=True, slots=True)
class Member:
    """A person who belongs to a room."""

    user_id: UserId
    number: int
    role: MemberRole
    joined_at: datetime


@dataclass(frozen=True, slots=True)
class Message:
    """A stored message."""

    id: str
    room_id: str
    seq: int
    sender_id: UserId
    body: msgspec.Raw
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """What a person's rights in a room follow from, but for blocks."""

    owner_id: UserId
    visibility: Visibility
    role: MemberRole | None


def room_name(room_id: str) -> RoomName:
    """Where the connections that joined a room are."""
    return RoomName(f"room:{room_id}")


def access_role(room: Room | Standing, *, signed_in: bool) -> str | None:
    """The role for the access rule. Entering and listening is ``read``, posting is ``comment``.

    Anybody who is signed in may enter a public room and post in it, like a commenter; the room itself is its members'
    to write, and its owner's to manage. Blocks are not looked at here.
    """
    if room.role is not None:
        return "owner" if room.role == "owner" else "editor"
    if room.visibility == "private":
        return None
    return "commenter" if signed_in else "viewer"
