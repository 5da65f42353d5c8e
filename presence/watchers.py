"""Connections of this node that watch people, kept in the rooms of what they may see of them."""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from hub.kernel.clock import Clock
from hub.kernel.events import Caller
from hub.kernel.ids import ConnectionId, UserId
from hub.kernel.ports import Rooms
from hub.kernel.sight import Circle, Sight, Visibility
from presence.memory import Reading
from presence.schema import MAX_USERS, PresenceDiff
from presence.views import circle_room, presence, watch_room, watched_in

AT_ONCE = 50
"""Rooms that a connection joins or leaves at the same time; the next 50 begin in another turn of the loop."""


@dataclass(slots=True)
class Watched:
    """Somebody whom a connection watches. It is in the watch room of this visibility."""

    visibility: Visibility
    moved: bool = False
    """Whether the connection has seen more or less of them before."""
    version: int = 0
    """Of the state that it was told because of that, or as somebody new; 0: none. The next must be higher."""
    note: bytes = b""
    """What is kept with the room."""


@dataclass(slots=True)
class Watcher:
    """A connection that watches."""

    viewer: UserId
    connection_id: ConnectionId
    chosen: set[UserId] = field(default_factory=set)
    """Whom it watches by id."""
    circles: set[Circle] = field(default_factory=set)
    """And whom by belonging to its user."""
    watched: dict[UserId, Watched] = field(default_factory=dict)
    untold: set[UserId] = field(default_factory=set)
    """Those of whom it sees more or less than it was told, or who are new to it and to be seen."""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held around whatever changes it: the client's own events, and reviews of who sees whom."""

    def note(self, user_id: UserId, watched: Watched) -> bytes:
        """What is to be kept with the room of somebody watched, and b"" if there is nothing to say.

        Who is chosen, where all others belong to a circle; and who was moved, with the version told then. That may be
        lost if the connection breaks meanwhile, so it is told once more to whoever comes back.
        """
        chosen = bool(self.circles) and user_id in self.chosen
        if not chosen and not watched.moved and not watched.version:
            return b""
        return b"%d %d %d" % (chosen, watched.moved, watched.version)


class Watchers:
    """The watching connections. Who changes one holds its turn. Methods raise Unavailable, and may be repeated then."""

    def __init__(self, reading: Reading, rooms: Rooms, sight: Sight, clock: Clock) -> None:
        self._reading = reading
        self._rooms = rooms
        self._sight = sight
        self._clock = clock
        self._here: dict[UserId, dict[ConnectionId, Watcher]] = {}

    def add(self, caller: Caller) -> Watcher:
        """The watcher of a connection, which watches nobody at first."""
        mine = self._here.setdefault(caller.user_id, {})
        return mine.setdefault(caller.connection_id, Watcher(caller.user_id, caller.connection_id))

    def find(self, caller: Caller) -> Watcher | None:
        """The watcher of a connection, if it has ever watched."""
        return self._here.get(caller.user_id, {}).get(caller.connection_id)

    def remove(self, caller: Caller) -> None:
        """A connection is gone. The hub has taken it out of its rooms."""
        mine = self._here.get(caller.user_id, {})
        mine.pop(caller.connection_id, None)
        if not mine:
            self._here.pop(caller.user_id, None)

    def of(self, viewer: UserId) -> list[Watcher]:
        """The watching connections of a user."""
        return list(self._here.get(viewer, {}).values())

    def of_watched(self, user_id: UserId, visibility: Visibility) -> list[Watcher]:
        """The connections that watch ``user_id`` and see so much, or are not told yet how much they see."""
        return [
            watcher
            for mine in self._here.values()
            for watcher in mine.values()
            if (watched := watcher.watched.get(user_id)) is not None
            and (watched.visibility is visibility or user_id in watcher.untold)
        ]

    async def restored(self, caller: Caller, rooms: Mapping[str, bytes]) -> Watcher:
        """The watcher that a connection was which is in these rooms, named without their kind, with their notes.

        Or was put out of them.
        """
        watcher = self.add(caller)
        watcher.circles = {Circle(name) for room in rooms if (name := room.partition(":")[2]) in set(Circle)}
        for room, note in rooms.items():
            found = watched_in(room)
            if found is None:
                continue
            user_id, visibility = found
            chosen, moved, version = map(int, note.split()) if note else (0, 0, 0)
            if chosen or not watcher.circles:
                watcher.chosen.add(user_id)
            if moved or version:
                watcher.untold.add(user_id)
            other = watcher.watched.get(user_id)
            if other is None:
                watcher.watched[user_id] = Watched(visibility, bool(moved), version, note)
            else:  # its node died while it was moved
                watcher.untold.add(user_id)
                await self._rooms.leave(watcher.connection_id, watch_room(user_id, max(other.visibility, visibility)))
                least = min(other.visibility, visibility)
                watcher.watched[user_id] = Watched(least, moved=True, version=max(other.version, version))
        return watcher

    async def people(self, watcher: Watcher, chosen: Iterable[UserId], circles: Iterable[Circle]) -> list[UserId]:
        """Whom it would watch with these choices, each once and never its own user, those chosen first.

        As long as they are no more than MAX_USERS in all, it is all of them.
        """
        listed = [
            user_id
            for circle in sorted(circles)
            for user_id in await self._sight.circle(watcher.viewer, circle, MAX_USERS + 1)
        ]
        return [one for one in dict.fromkeys([*chosen, *listed]) if one != watcher.viewer]

    async def settle(self, watcher: Watcher) -> None:
        """Have a connection be in the right rooms for whom it wants to watch and what it may see of them.

        Of a circle that has grown too large, whoever is watched already comes first.
        """
        people = await self.people(watcher, watcher.chosen, watcher.circles)
        people.sort(key=lambda one: (one not in watcher.chosen, one not in watcher.watched))
        wanted = people[:MAX_USERS]
        await each(self._leave(watcher, user_id) for user_id in watcher.watched.keys() - set(wanted))
        await self.look(watcher, wanted)

    async def look(self, watcher: Watcher, user_ids: Sequence[UserId]) -> None:
        """Have a connection be in the right rooms of these users for what it may see of them."""
        while user_ids:
            seen = await self._sight.seen_by(watcher.viewer, user_ids)
            moving = [one for one in user_ids if not self._is_right(watcher, one, seen[one])]
            await each(self._move(watcher, user_id, seen[user_id]) for user_id in moving)
            # Once more for these: of what has changed since the look, the review came before they were there.
            user_ids = moving

    def _is_right(self, watcher: Watcher, user_id: UserId, visibility: Visibility) -> bool:
        watched = watcher.watched.get(user_id)
        # It may have been put out while it was away.
        is_there = self._rooms.is_member(watcher.connection_id, watch_room(user_id, visibility))
        return watched is not None and watched.visibility is visibility and is_there

    async def watch_circle(self, watcher: Watcher, circle: Circle) -> None:
        """Watch a circle too; :meth:`settle` does the rest. The room is there to be found in after a recovery."""
        await self._rooms.join(watcher.connection_id, circle_room(watcher.viewer, circle))
        watcher.circles.add(circle)

    async def unwatch_circle(self, watcher: Watcher, circle: Circle) -> None:
        """Watch a circle no more; :meth:`settle` does the rest."""
        await self._rooms.leave(watcher.connection_id, circle_room(watcher.viewer, circle))
        watcher.circles.discard(circle)

    async def tell(self, watcher: Watcher) -> None:
        """Send the connection what it sees now of those untold, in versions above all that it was sent of them."""
        now_ms = self._clock.now_ms()
        users = []
        for record in await self._reading.read(list(watcher.untold & watcher.watched.keys()), now_ms):
            watched = watcher.watched[record.user_id]
            view = record.seen_anew(watched.visibility, now_ms, above=watched.version)
            if view.version:
                watched.version = view.version
                users.append(presence(view))
        watcher.untold.clear()
        if users:
            await self._rooms.send(watcher.connection_id, PresenceDiff(users=users))

    async def keep_notes(self, watcher: Watcher) -> None:
        """Keep what a recovery needs beside the rooms. Costs nothing where it is kept already."""
        await each(
            self._note(watcher, user_id, watched)
            for user_id, watched in watcher.watched.items()
            if watcher.note(user_id, watched) != watched.note
        )

    async def _note(self, watcher: Watcher, user_id: UserId, watched: Watched) -> None:
        note = watcher.note(user_id, watched)
        if note != watched.note:
            await self._rooms.note(watcher.connection_id, watch_room(user_id, watched.visibility), note)
            watched.note = note

    async def _move(self, watcher: Watcher, user_id: UserId, visibility: Visibility) -> None:
        before, watched = watcher.watched.get(user_id), Watched(visibility)
        if before is not None:
            watched = Watched(visibility, moved=True, version=before.version)
        # Joined, with a note, before the others are left: whoever comes back from the middle of it is in one of them at
        # least, and is told.
        await self._rooms.join(watcher.connection_id, watch_room(user_id, visibility))
        await self._note(watcher, user_id, watched)
        await self._leave_rooms(watcher, user_id, but=visibility)
        watcher.watched[user_id] = watched
        if visibility or before is not None:  # of who is new and hidden there is nothing to tell
            watcher.untold.add(user_id)

    async def _leave(self, watcher: Watcher, user_id: UserId) -> None:
        await self._leave_rooms(watcher, user_id, but=None)
        del watcher.watched[user_id]

    async def _leave_rooms(self, watcher: Watcher, user_id: UserId, *, but: Visibility | None) -> None:
        for visibility in Visibility:
            room = watch_room(user_id, visibility)
            if visibility is not but and self._rooms.is_member(watcher.connection_id, room):
                await self._rooms.leave(watcher.connection_id, room)


async def each(steps: Iterable[Awaitable[None]]) -> None:
    """Take all steps, some at once. Raises what the first raises that fails, after those at once have ended."""
    waiting = iter(steps)
    while some := list(islice(waiting, AT_ONCE)):
        for outcome in await asyncio.gather(*some, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome
