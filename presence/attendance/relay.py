"""Telling what others left untold of rooms: a node may die, or stop for a while, between a change and telling of it."""

import logging

from hub.kernel.ids import ConnectionId, RoomName, UserId
from presence.attendance.announcements import Announcements
from presence.attendance.model import Count, Seat
from presence.attendance.store import AttendanceStore
from presence.transitions import Overdue, Told, Transitions

log = logging.getLogger(__name__)


class AttendanceRelay:
    """Tells of overdue moves and counts, from any node. Several may at once; each move is published once, by its id.

    Only what still stands is told: whoever is not there any more did not come, to those who heard of neither.
    """

    def __init__(
        self,
        store: AttendanceStore,
        transitions: Transitions,
        told: Told,
        announcements: Announcements,
        overdue_s: float,
    ) -> None:
        self._store = store
        self._transitions = transitions
        self._told = told
        self._announcements = announcements
        self._overdue_s = overdue_s
        self.relayed = 0
        """Moves and counts that this node took over, since its start."""

    async def relay(self) -> None:
        """Tell of what is overdue. Raises Unavailable if Redis does not answer; then the next call goes on with it."""
        overdue = [one for one in await self._transitions.overdue(self._overdue_s) if one.entry not in self._told]
        if not overdue:
            return
        moves = [one for one in overdue if "user" in one.fields]
        # Not before the streams: what they had that this read shows is of this state, or of an earlier one.
        arrivals = await self._store.arrivals({_who(move) for move in moves})
        for move in moves:
            await self._tell(move, arrivals.get(_who(move)))
        for room in {RoomName(one.fields["room"]) for one in overdue if "user" not in one.fields}:
            window = await self._store.window(room, 0, 0)
            self._announcements.counted(Count(room, window.people, window.version))
        self.relayed += len(overdue)
        log.info("%d moves in rooms were told for nodes that did not", len(overdue))
        self._told.add(one.entry for one in overdue)

    async def _tell(self, move: Overdue, arrival: int | None) -> None:
        joined, version = move.fields["joined"] == "1", int(move.fields["version"])
        if arrival == version if joined else arrival is None:
            room, user_id = _who(move)
            seat = Seat(room, user_id, ConnectionId(move.fields["connection"]))
            await self._announcements.member(seat, joined=joined, version=version, age_s=move.age_s)


def _who(move: Overdue) -> tuple[RoomName, UserId]:
    return RoomName(move.fields["room"]), UserId(move.fields["user"])
