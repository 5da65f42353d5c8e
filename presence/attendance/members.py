"""Looking at who is in a room: a window of its people, each as the viewer may see them."""

from collections.abc import Sequence
from typing import Annotated, Final, Protocol

from msgspec import UNSET, Meta

from hub.kernel.errors import Forbidden
from hub.kernel.events import Caller
from hub.kernel.ids import RoomName, UserId
from hub.kernel.pages import decode_cursor, encode_cursor
from hub.kernel.ports import Rooms
from presence.attendance.store import AttendanceStore
from presence.schema import AskMembers, Members, Presences

Arrival = Annotated[int, Meta(ge=0, lt=2**53)]
FROM_THE_START: Final = 0


class Sight(Protocol):
    """What somebody sees of others. Implemented by presence.watching."""

    async def visible(self, caller: Caller, user_ids: Sequence[UserId]) -> Presences:
        """The presence of these users, without those of whom the caller may see nothing."""
        ...


class RoomMembers:
    """Answers ``presence:members``."""

    def __init__(self, store: AttendanceStore, sight: Sight, rooms: Rooms) -> None:
        self._store = store
        self._sight = sight
        self._rooms = rooms

    async def members(self, caller: Caller, payload: AskMembers) -> Members:
        """Some of the people in a room that the caller's connection is in, in the order in which they came.

        Those of whom the caller may see nothing are left out, so a window may have fewer than asked for, also none, and
        go on. Who comes while the windows are read is in a later one. Raises Forbidden outside the room, InvalidPayload
        for a cursor of something else, Unavailable.
        """
        room = RoomName(payload.room)
        if not self._rooms.is_member(caller.connection_id, room):
            raise Forbidden("Join the room before you ask who is in it.")
        after = FROM_THE_START if payload.cursor is None else decode_cursor(payload.cursor, tuple[Arrival])[0]
        window = await self._store.window(room, after, payload.limit + 1)
        people = window.shown[: payload.limit]
        shown = await self._sight.visible(caller, [person.user_id for person in people])
        return Members(
            room=room,
            count=window.people,
            members=shown.users,
            next=encode_cursor(people[-1].arrival) if len(window.shown) > payload.limit else UNSET,
        )
