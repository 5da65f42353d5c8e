"""Who watches whom: what is shown of somebody's presence, and to which connections."""

import asyncio
from collections.abc import Mapping, Sequence

from hub.kernel.clock import Clock
from hub.kernel.errors import InvalidPayload, Unavailable
from hub.kernel.events import Actor, Caller
from hub.kernel.ids import ConnectionId, UserId, user_room
from hub.kernel.ports import Access, Rooms
from presence.model import Record, View
from presence.schema import MAX_USERS, PresenceDiff, Presences, Users
from presence.service import PresenceService
from presence.store import PresenceStore
from presence.views import presence, watch_room


class Watching:
    """Answers who is there, and has connections told of the changes. Whoever is blocked sees absence, not the block."""

    def __init__(
        self, service: PresenceService, store: PresenceStore, rooms: Rooms, access: Access, clock: Clock
    ) -> None:
        self._service = service
        self._store = store
        self._rooms = rooms
        self._access = access
        self._clock = clock
        self._watched: dict[ConnectionId, set[UserId]] = {}
        """Whom the connections of this node watch."""

    async def disconnected(self, caller: Caller) -> None:
        """The caller's connection is gone, and the hub has taken it out of its rooms."""
        self._watched.pop(caller.connection_id, None)

    async def watch(self, caller: Caller, payload: Users) -> Presences:
        """Send the caller's connection ``presence:diff`` of these users from now on. Returns their present state.

        Repeating it is harmless. Raises InvalidPayload if the connection would watch more than MAX_USERS in all.
        """
        if not self._service.is_here(caller):
            raise Unavailable("This connection is closing. Try again on the next.")
        watched = self._watched.setdefault(caller.connection_id, set())
        user_ids = _unique(payload)
        if len(watched.union(user_ids)) > MAX_USERS:
            message = f"A connection can watch {MAX_USERS} users in all; it watches {len(watched)} already."
            raise InvalidPayload(message, errors=[{"pointer": "/userIds", "detail": message}])
        watched.update(user_ids)
        hidden = await self._access.blocked_among(caller.user_id, user_ids)
        # One's own changes come by the user room, with the truth in them.
        wanted = [user_id for user_id in user_ids if user_id not in hidden and user_id != caller.user_id]
        await asyncio.gather(*(self._rooms.join(caller.connection_id, watch_room(user_id)) for user_id in wanted))
        # Once more: whoever was blocked since the first look was put out before they had come in.
        hidden = await self._access.blocked_among(caller.user_id, user_ids)
        for user_id in hidden.intersection(wanted):
            await self._rooms.leave(caller.connection_id, watch_room(UserId(user_id)))
        # Read after joining: what changes in between comes twice, and not never.
        return await self._presences(caller.user_id, user_ids, hidden)

    async def restore(self, caller: Caller, user_ids: Mapping[str, bytes]) -> None:
        """The caller's connection came back, and watches these users. Those between whom and it there is a block now
        are put out in silence, as they would have been.
        """
        hidden = await self._access.blocked_among(caller.user_id, user_ids)
        for user_id in hidden:
            await self._rooms.leave(caller.connection_id, watch_room(UserId(user_id)))
        self._watched[caller.connection_id] = {UserId(user_id) for user_id in user_ids if user_id not in hidden}

    async def unwatch(self, caller: Caller, payload: Users) -> Presences:
        """Send the caller's connection nothing more of these users. Returns nobody."""
        watched = self._watched.get(caller.connection_id, set())
        for user_id in _unique(payload):
            watched.discard(user_id)
            await self._rooms.leave(caller.connection_id, watch_room(user_id))
        return Presences(users=[])

    async def get(self, actor: Actor, payload: Users) -> Presences:
        """The presence of these users, as the actor may see it."""
        user_ids = _unique(payload)
        hidden = await self._access.blocked_among(actor.user_id, user_ids)
        return await self._presences(actor.user_id, user_ids, hidden)

    async def may_see(self, viewer: UserId, user_id: UserId) -> bool:
        """Whether ``viewer`` may see that ``user_id`` is there."""
        return not await self._access.blocked(viewer, user_id)

    async def separate(self, one: UserId, other: UserId) -> None:
        """One of two users has blocked the other: from now on each sees the other as offline. For who keeps blocks."""
        now_ms = self._clock.now_ms()
        for watcher, watched in ((one, other), (other, one)):
            await self._rooms.evict(watch_room(watched), of=user_room(watcher))
            gone = View(watched, last_seen_ms=now_ms, version=now_ms)
            await self._rooms.emit(user_room(watcher), PresenceDiff(users=[presence(gone)]))

    async def _presences(self, viewer: UserId, user_ids: Sequence[UserId], hidden: frozenset[str]) -> Presences:
        records = await self._store.read(user_ids)
        return Presences(users=[presence(_view(record, viewer, hidden)) for record in records])


def _unique(payload: Users) -> list[UserId]:
    return [UserId(user_id) for user_id in dict.fromkeys(payload.user_ids)]


def _view(record: Record, viewer: UserId, hidden: frozenset[str]) -> View:
    if record.user_id in hidden:
        return View(record.user_id)  # the same as of somebody who was never there
    return record.own() if record.user_id == viewer else record.shown()
