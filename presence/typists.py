"""Who is shown to be typing: one user on several connections, on any nodes, is one. Rules without I/O."""

from dataclasses import dataclass, field

from hub.kernel.ids import ConnectionId, RoomName, UserId


@dataclass(slots=True)
class Typist:
    """A user who types somewhere, by what was heard of each connection."""

    until_ms: dict[ConnectionId, int] = field(default_factory=dict)
    shown_ms: int = 0
    """When the members here were last told that the user types."""


class Typists:
    """What this node's members were shown of typing, in the rooms that they are in.

    Every node hears of every typing connection of a room (see typing_indicator.py) and merges what it hears, so no node
    needs to know where else a user types, and a node that dies leaves nobody typing for ever.
    """

    def __init__(self, expires_ms: int, repeat_ms: int) -> None:
        """``expires_ms``: how long what was heard counts. ``repeat_ms``: renewals are not shown more often."""
        self._expires_ms = expires_ms
        self._repeat_ms = repeat_ms
        self._typists: dict[tuple[RoomName, UserId], Typist] = {}

    def __len__(self) -> int:
        return len(self._typists)

    def typing(self, room: RoomName, user_id: UserId, connection_id: ConnectionId, now_ms: int) -> bool:
        """A connection types, or still does. Whether that is to be shown: as the user's start, or as a renewal."""
        typist = self._typists.setdefault((room, user_id), Typist())
        shown = not typist.until_ms or now_ms - typist.shown_ms >= self._repeat_ms
        typist.until_ms[connection_id] = now_ms + self._expires_ms
        if shown:
            typist.shown_ms = now_ms
        return shown

    def stopped(self, room: RoomName, user_id: UserId, connection_id: ConnectionId) -> bool:
        """A connection types no more. Whether that is to be shown: nobody else of the user's types there."""
        typist = self._typists.get((room, user_id))
        if typist is None or typist.until_ms.pop(connection_id, None) is None or typist.until_ms:
            return False
        del self._typists[room, user_id]
        return True

    def expired(self, now_ms: int) -> list[tuple[RoomName, UserId]]:
        """Who is to be shown as typing no more, since nothing was heard for too long. Each is given once."""
        over = []
        for key, typist in list(self._typists.items()):
            typist.until_ms = {one: until_ms for one, until_ms in typist.until_ms.items() if until_ms > now_ms}
            if not typist.until_ms:
                del self._typists[key]
                over.append(key)
        return over
