"""Who is typing where: ephemeral, throttled, and over by itself."""

from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hub.kernel.clock import Clock
from hub.kernel.delivery import Delivery
from hub.kernel.errors import Forbidden, InvalidPayload
from hub.kernel.events import Caller
from hub.kernel.ids import ConnectionId, RoomName, UserId, user_room
from hub.kernel.ports import Rooms
from hub.kernel.sight import Sight
from presence.schema import Typing, TypingUpdate
from presence.settings import PresenceSettings
from presence.typists import Typists

LATE_MS: Final = 500
"""How much later than it was sent, at most, something is heard of another node."""
DIRECT: Final = "user:"
"""A room that begins so is a person, of whom every device is shown it."""


@dataclass(slots=True)
class Keystrokes:
    """A connection of this node that types in a room."""

    caller: Caller
    until_ms: int
    told_ms: int


class TypingIndicator:
    """Tells rooms who types, and people who types to them. Nothing is stored.

    Each node tells the others of its own connections, at most every ``typing_repeat_s``; each merges what it hears
    before its members are shown it (see typists.py). For that, events of the kind come to :meth:`screen` first.
    Implements hub.gate.reviews.Reviewer, so that nobody goes on typing to whom they are hidden from.
    """

    def __init__(self, rooms: Rooms, clock: Clock, settings: PresenceSettings, sight: Sight) -> None:
        self._rooms = rooms
        self._clock = clock
        self._sight = sight
        self._expires_ms = round(settings.typing_expires_s * 1000)
        self._repeat_ms = round(settings.typing_repeat_s * 1000)
        # A renewal may come up to repeat_ms after the last that was told, and lasts from then. Shown every half of
        # repeat_ms: were one that comes a little early held back, members would see only every second one.
        self._shown = Typists(self._expires_ms + self._repeat_ms + LATE_MS, self._repeat_ms // 2)
        self._here: dict[ConnectionId, dict[RoomName, Keystrokes]] = {}
        rooms.screen(TypingUpdate, self.screen)

    def start(self, caller: Caller, payload: Typing) -> Coroutine[Any, Any, None] | None:
        """The caller types, or still does. Raises Forbidden outside the room, InvalidPayload to oneself.

        Whom a user is hidden from, by a block or by choice, is shown nothing, and the user is not told so.
        """
        room, now_ms = self._allowed(caller, payload), self._clock.now_ms()
        strokes = self._here.get(caller.connection_id, {}).get(room)
        if strokes is not None and now_ms - strokes.told_ms < self._repeat_ms:
            strokes.until_ms = now_ms + self._expires_ms
            return None
        if room.startswith(DIRECT):
            return self._start_direct(caller, room)
        self._started(caller, room)
        return None

    async def _start_direct(self, caller: Caller, room: RoomName) -> None:
        if not await self._is_seen(caller, room):
            self._ended(caller.connection_id, room)
        elif self._is_in(caller, room):  # it may have gone meanwhile
            self._started(caller, room)

    async def _is_seen(self, caller: Caller, room: RoomName) -> bool:
        viewer = UserId(room.removeprefix(DIRECT))
        return bool((await self._sight.seen_by(viewer, [caller.user_id]))[caller.user_id])

    def concerns(self, of: RoomName) -> bool:
        """Whether the user of a room types to somebody here, or somebody to them."""
        return bool(self._direct(of))

    async def review(self, of: RoomName) -> None:
        """End what is typed to people who may no longer see it. Raises what the look raises."""
        for strokes, room in self._direct(of):
            if not await self._is_seen(strokes.caller, room):
                self._ended(strokes.caller.connection_id, room)

    def _direct(self, of: RoomName) -> Sequence[tuple[Keystrokes, RoomName]]:
        return [
            (strokes, room)
            for typed in self._here.values()
            for room, strokes in typed.items()
            if room.startswith(DIRECT) and of in (room, user_room(strokes.caller.user_id))
        ]

    def stop(self, caller: Caller, payload: Typing) -> None:
        """The caller types no more. Idempotent. Raises as :meth:`start`."""
        self._ended(caller.connection_id, self._allowed(caller, payload))

    async def disconnected(self, caller: Caller) -> None:
        """The caller's connection is gone. Idempotent, never raises."""
        for room in list(self._here.get(caller.connection_id, ())):
            self._ended(caller.connection_id, room)

    async def expire(self) -> None:
        """End what was not renewed in time, and what is typed by connections that are no longer in the room."""
        now_ms = self._clock.now_ms()
        over = [
            (connection_id, room)
            for connection_id, typed in self._here.items()
            for room, strokes in typed.items()
            if strokes.until_ms <= now_ms or not self._is_in(strokes.caller, room)
        ]
        for connection_id, room in over:
            self._ended(connection_id, room)
        for room, user_id in self._shown.expired(now_ms):  # its node has died, or the event was lost
            await self._rooms.emit_local(room, _update(room, user_id, typing=False))

    def screen(self, delivery: Delivery) -> bool:
        """Whether an event that comes, from here or from another node, tells this node's members anything new."""
        match delivery.payload, delivery.rooms, delivery.skip:
            case {"userId": str(user_id), "typing": bool(typing)}, [room], str(connection_id):
                who = room, UserId(user_id), ConnectionId(connection_id)
                return self._shown.typing(*who, self._clock.now_ms()) if typing else self._shown.stopped(*who)
        return True  # of a program that is no node, and knows what it does

    def _allowed(self, caller: Caller, payload: Typing) -> RoomName:
        room = RoomName(payload.room)
        if room == user_room(caller.user_id):
            message = "Nobody types to themselves."
            raise InvalidPayload(message, errors=[{"pointer": "/room", "detail": message}])
        if not self._is_in(caller, room):
            raise Forbidden("Join the room before you type in it.")
        return room

    def _is_in(self, caller: Caller, room: RoomName) -> bool:
        """Whether the connection is where it types; to people one types from wherever one is."""
        where = user_room(caller.user_id) if room.startswith(DIRECT) else room
        return self._rooms.is_member(caller.connection_id, where)

    def _started(self, caller: Caller, room: RoomName) -> None:
        now_ms = self._clock.now_ms()
        strokes = Keystrokes(caller, now_ms + self._expires_ms, now_ms)
        self._here.setdefault(caller.connection_id, {})[room] = strokes
        self._tell(room, caller, typing=True)

    def _ended(self, connection_id: ConnectionId, room: RoomName) -> None:
        typed = self._here.get(connection_id, {})
        strokes = typed.pop(room, None)
        if not typed:
            self._here.pop(connection_id, None)
        if strokes is not None:
            self._tell(room, strokes.caller, typing=False)

    def _tell(self, room: RoomName, caller: Caller, *, typing: bool) -> None:
        # The connection that does not get it is also the one that every node knows it by.
        self._rooms.emit_volatile(room, _update(room, caller.user_id, typing=typing), skip=caller.connection_id)


def _update(room: RoomName, user_id: UserId, *, typing: bool) -> TypingUpdate:
    """The event as it is seen in ``room``: somebody who types to a person is, to them, where they type back."""
    seen_in = user_room(user_id) if room.startswith(DIRECT) else room
    return TypingUpdate(room=seen_in, user_id=user_id, typing=typing)
