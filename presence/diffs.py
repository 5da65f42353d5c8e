"""Telling devices and watchers of a change, at most once per user and window."""

import asyncio

from hub.kernel.ids import RoomName, user_room
from hub.kernel.ports import Rooms
from hub.kernel.sight import Visibility
from hub.kernel.tasks import Tasks
from presence.model import Change, View
from presence.schema import PresenceDiff
from presence.views import presence, watch_room


class Diffs:
    """Emits ``presence:diff``: the truth to the user's own devices, what others may see to the watchers.

    Only full states are sent and the highest version is the latest, so states in between may be left out and order
    does not matter. A node that dies within the window takes its diffs with it: the transition is in the store's
    stream by then, from where a relay can publish it once more.
    """

    def __init__(self, rooms: Rooms, tasks: Tasks, window_s: float) -> None:
        self._rooms = rooms
        self._tasks = tasks
        self._window_s = window_s
        self._pending: dict[RoomName, View] = {}
        self._flush_is_due = False

    async def announce(self, change: Change) -> None:
        """Send what changed, within the window; at once if there is none."""
        record = change.record
        if change.own:
            self._put(user_room(record.user_id), record.own())
        if change.shown:
            shown = record.shown()
            self._put(watch_room(record.user_id, Visibility.EVERYTHING), shown)
            self._put(watch_room(record.user_id, Visibility.STATUS), shown.without_last_seen())
        if self._window_s == 0:
            await self.flush()
        elif self._pending and not self._flush_is_due:
            self._flush_is_due = True
            self._tasks.start(self._flush_later(), name="presence diffs")

    async def flush(self) -> None:
        """Send what waits, now."""
        pending, self._pending = self._pending, {}
        for room, view in pending.items():
            await self._rooms.emit(room, PresenceDiff(users=[presence(view)]))

    def _put(self, room: RoomName, view: View) -> None:
        waiting = self._pending.get(room)
        # Replies of the store may overtake each other on their way here.
        if waiting is None or waiting.version < view.version:
            self._pending[room] = view

    async def _flush_later(self) -> None:
        await asyncio.sleep(self._window_s)
        self._flush_is_due = False
        await self.flush()
