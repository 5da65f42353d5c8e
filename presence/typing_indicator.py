"""Who is typing where: ephemeral, throttled, and over by itself."""

from dataclasses import dataclass, field

from hub.kernel.clock import Clock
from hub.kernel.errors import Forbidden
from hub.kernel.events import Caller
from hub.kernel.ids import ConnectionId, RoomName, UserId
from hub.kernel.ports import Rooms
from presence.schema import Typing, TypingUpdate
from presence.settings import PresenceSettings


@dataclass(slots=True)
class Typist:
    """A user typing in one room, on one or several connections of this node."""

    until_ms: dict[ConnectionId, int] = field(default_factory=dict)
    told_ms: int | None = None


class TypingIndicator:
    """Tells rooms who types. Each node keeps only what its own connections type; nothing is stored.

    A user who types over two nodes may be announced by both: ``typing:update`` says the same twice. When a node dies,
    clients forget its typists by themselves after ``typing_expires_s``.
    """

    def __init__(self, rooms: Rooms, clock: Clock, settings: PresenceSettings) -> None:
        self._rooms = rooms
        self._clock = clock
        self._expires_ms = round(settings.typing_expires_s * 1000)
        self._repeat_ms = round(settings.typing_repeat_s * 1000)
        self._typists: dict[tuple[RoomName, UserId], Typist] = {}

    def start(self, caller: Caller, payload: Typing) -> None:
        """The caller types, or still does. Raises Forbidden outside the room."""
        room = self._membership(caller, payload)
        now_ms = self._clock.now_ms()
        typist = self._typists.setdefault((room, caller.user_id), Typist())
        typist.until_ms[caller.connection_id] = now_ms + self._expires_ms
        if typist.told_ms is None or now_ms - typist.told_ms >= self._repeat_ms:
            typist.told_ms = now_ms
            self._tell(room, caller.user_id, typing=True, skip=caller.connection_id)

    def stop(self, caller: Caller, payload: Typing) -> None:
        """The caller types no more. Idempotent. Raises Forbidden outside the room."""
        self._ended(self._membership(caller, payload), caller.user_id, caller.connection_id)

    async def disconnected(self, caller: Caller) -> None:
        """The caller's connection is gone. Idempotent, never raises."""
        for room, user_id in list(self._typists):
            if user_id == caller.user_id:
                self._ended(room, user_id, caller.connection_id)

    def expire(self) -> None:
        """End what was not renewed in time, and what is typed by connections that are no longer in the room."""
        now_ms = self._clock.now_ms()
        over = [
            (room, user_id, connection_id)
            for (room, user_id), typist in self._typists.items()
            for connection_id, until_ms in typist.until_ms.items()
            if until_ms <= now_ms or not self._rooms.is_member(connection_id, room)
        ]
        for room, user_id, connection_id in over:
            self._ended(room, user_id, connection_id)

    def _membership(self, caller: Caller, payload: Typing) -> RoomName:
        room = RoomName(payload.room)
        if not self._rooms.is_member(caller.connection_id, room):
            raise Forbidden("Join the room before you type in it.")
        return room

    def _ended(self, room: RoomName, user_id: UserId, connection_id: ConnectionId) -> None:
        typist = self._typists.get((room, user_id))
        if typist is None or typist.until_ms.pop(connection_id, None) is None or typist.until_ms:
            return
        del self._typists[room, user_id]
        self._tell(room, user_id, typing=False, skip=connection_id)

    def _tell(self, room: RoomName, user_id: UserId, *, typing: bool, skip: ConnectionId) -> None:
        self._rooms.emit_volatile(room, TypingUpdate(room=room, user_id=user_id, typing=typing), skip=skip)
