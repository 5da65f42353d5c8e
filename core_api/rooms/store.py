"""What rooms keep, as Protocols. Ids are UUID strings; times come from the caller."""

from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from core_api.rooms.model import Member, Message, Room, Standing
from core_api.rooms.schema import Visibility
from hub.kernel.ids import UserId

MEMBER_REMOVED = "room.member_removed"
"""Topic of the outbox: ``{roomId, userId}``. Whoever is told must look whether the person came back meanwhile."""


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message about to be stored; ``body`` is JSON text."""

    id: str
    room_id: str
    sender_id: UserId
    client_id: str
    body: str
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Posted:
    """A stored message. ``repeated``: an earlier one of the same sender with the same client id, as it was stored."""

    id: str
    seq: int
    body: str
    """JSON text."""
    sent_at: datetime
    repeated: bool


class RoomStore(Protocol):
    """Rooms, members, messages. A method is one transaction, and durable when it returns. Nothing expires."""

    async def create(self, room_id: str, name: str, visibility: Visibility, owner_id: UserId, now: datetime) -> Room:
        """Add a room and its owner's membership, both or neither."""
        ...

    async def room(self, room_id: str, user_id: str | None) -> Room | None:
        """A room, with the role of ``user_id`` in it."""
        ...

    async def standings(self, pairs: Set[tuple[UserId, str]]) -> dict[tuple[UserId, str], Standing]:
        """How people stand to rooms, of many pairs of both at once. Rooms that do not exist are left out."""
        ...

    async def rooms(self, user_id: UserId, before: int | None, limit: int) -> list[Room]:
        """Public rooms and those the person is a member of, numbers below ``before``, newest first."""
        ...

    async def members(self, room_id: str, after: int | None, limit: int) -> list[Member]:
        """Members with a number above ``after``, in the order they came."""
        ...

    async def add_member(self, room_id: str, user_id: UserId, now: datetime) -> Member:
        """Make somebody a member. Whoever is one already stays what they are."""
        ...

    async def remove_member(self, room_id: str, user_id: UserId) -> bool:
        """Take a member (not the owner) out, with MEMBER_REMOVED in the outbox. False if they were none."""
        ...

    async def post(self, message: NewMessage) -> Posted | None:
        """Store a message under the room's next number; ``None`` if there is no such room.

        Numbers of a room have no holes, and a message is committed after all with lower ones. Of several with the same
        room, sender and client id, also at once, the first is stored and the others get its place.
        """
        ...

    async def messages(self, room_id: str, before: int | None, limit: int) -> list[Message]:
        """Messages with a number below ``before``, newest first."""
        ...
