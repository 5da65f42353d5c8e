"""Telling devices and watchers of a change, at most once per user and window."""

import asyncio
import time
from dataclasses import dataclass, field

from hub.kernel.ids import UserId, user_room
from hub.kernel.ports import Rooms
from hub.kernel.sight import Visibility
from hub.kernel.tasks import Tasks
from presence.model import Change, Record
from presence.schema import PresenceDiff
from presence.transitions import EntryId, Told
from presence.views import presence, watch_room

LATE_S = 4.0
"""Beside the window. What this node tells of so late was told by the relays of others, or is no longer so: the node was
stopped."""
AT_ONCE = 100
"""Told in one turn of the loop: some 3 ms of it."""


@dataclass(slots=True)
class _Waiting:
    """What is to be told of one user: the latest state, to whom, and the transitions that led to it."""

    record: Record
    asked_s: float
    """Of the first of them: only later changes of the own view may be younger."""
    own: bool = False
    shown: bool = False
    entries: list[EntryId] = field(default_factory=list)


class Diffs:
    """Emits ``presence:diff``: the truth to the user's own devices, what others may see to the watchers.

    Only full states are sent and the highest version is the latest, so states in between may be left out and order
    does not matter. A node that dies within the window leaves its transitions in the store, for presence.relay.
    """

    def __init__(self, rooms: Rooms, told: Told, tasks: Tasks, window_s: float) -> None:
        self._rooms = rooms
        self._told = told
        self._tasks = tasks
        self._window_s = window_s
        self._waiting: dict[UserId, _Waiting] = {}
        self._flush_is_due = False

    async def announce(self, change: Change) -> None:
        """Send what changed, within the window; at once if there is none."""
        if not change.own:
            return
        user_id = change.record.user_id
        waiting = self._waiting.setdefault(user_id, _Waiting(change.record, change.asked_s))
        # Replies of the store may overtake each other on their way here.
        if waiting.record.version < change.record.version:
            waiting.record = change.record
        waiting.asked_s = min(waiting.asked_s, change.asked_s)
        waiting.own |= change.own
        waiting.shown |= change.shown
        if change.entry is not None:
            waiting.entries.append(change.entry)
        if self._window_s == 0:
            await self.flush()
        elif not self._flush_is_due:
            self._flush_is_due = True
            self._tasks.start(self._flush_later(), name="presence diffs")

    async def flush(self) -> None:
        """Send what waits, now."""
        pending, self._waiting = list(self._waiting.values()), {}
        for start in range(0, len(pending), AT_ONCE):
            if start:
                await asyncio.sleep(0)
            for waiting in pending[start : start + AT_ONCE]:
                age_s = time.monotonic() - waiting.asked_s
                if age_s < LATE_S + self._window_s:
                    await self.send(waiting.record, own=waiting.own, shown=waiting.shown, age_s=age_s)
                    self._told.add(waiting.entries)

    async def send(self, record: Record, *, own: bool, shown: bool, age_s: float) -> None:
        """Send a state now: to the user's own devices, to those who watch, or both.

        ``age_s``: how long ago it may have come about. Each version is sent once, whatever other nodes send of it.
        """
        # Who has gone for others too has no device left to be told. PresenceFeeds hears of it as the watchers do.
        if own and (record.devices or not shown):
            diff = PresenceDiff(users=[presence(record.own())])
            await self._rooms.emit(user_room(record.user_id), diff, id=_id(record.version), age_s=age_s)
        if shown:
            everything = record.shown()
            for visibility, view in (
                (Visibility.EVERYTHING, everything),
                (Visibility.STATUS, everything.without_last_seen()),
            ):
                room, diff = watch_room(record.user_id, visibility), PresenceDiff(users=[presence(view)])
                await self._rooms.emit(room, diff, id=_id(record.shown_version), age_s=age_s)

    async def _flush_later(self) -> None:
        await asyncio.sleep(self._window_s)
        self._flush_is_due = False
        await self.flush()


def _id(version: int) -> str:
    """The id of an event that tells of this version, in a room that belongs to one user."""
    return f"presence:{version}"
