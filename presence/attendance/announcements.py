"""Telling rooms of those who come and go: one by one or, in a large room, how many there are."""

import time
from typing import Final

from hub.kernel.ports import Rooms
from presence.attendance.model import Count, Move, Seat
from presence.schema import RoomCount, RoomMember
from presence.transitions import Told

LATE_S: Final = 4.0
"""What this node tells of so late has been told by the relays of others, or is no longer so. The node was stopped."""
ROOM: Final = "room:"
"""The kind of rooms in which moves are told. Who is in a document or at a post is to be read, and counted if many."""


class Announcements:
    """Emits ``room:member`` and ``room:count``.

    Neither order nor delay between nodes can be ruled out, so both have the room's version: the highest is the latest.
    """

    def __init__(self, rooms: Rooms, told: Told) -> None:
        self._rooms = rooms
        self._told = told

    async def moved(self, move: Move) -> None:
        """Tell of a move that the store has just made."""
        age_s = time.monotonic() - move.asked_s
        if move.entry is not None and age_s < LATE_S:
            await self.member(move.seat, joined=move.joined, version=move.version, age_s=age_s)
            self._told.add([move.entry])

    async def member(self, seat: Seat, *, joined: bool, version: int, age_s: float) -> None:
        """Tell of a move, which may have been told of for ``age_s``; each is once, whatever other nodes tell of it."""
        if not seat.room.startswith(ROOM):
            return
        event = RoomMember(room_id=seat.room.removeprefix(ROOM), user_id=seat.user_id, joined=joined, version=version)
        # Whoever comes in knows it. They may be gone by the time that they are told as having left.
        skip = seat.connection_id if joined else None
        await self._rooms.emit(seat.room, event, skip=skip, id=f"member:{version}", age_s=age_s)

    def counted(self, count: Count) -> None:
        """Tell how many are in a room. Whoever does not keep up, or was away, gets the next."""
        event = RoomCount(room=count.room, count=count.people, version=count.version)
        self._rooms.emit_volatile(count.room, event)
        if count.entry is not None:
            self._told.add([count.entry])
