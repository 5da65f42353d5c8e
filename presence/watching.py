"""Who watches whom: what is shown of somebody's presence, and to which connections."""

import asyncio
from collections.abc import Mapping, Sequence

from hub.kernel.clock import Clock
from hub.kernel.errors import InvalidPayload, Unavailable
from hub.kernel.events import Actor, Caller
from hub.kernel.ids import ConnectionId, UserId, user_room
from hub.kernel.ports import Rooms
from hub.kernel.sight import Sight, Visibility
from presence.model import View
from presence.schema import MAX_USERS, PresenceDiff, Presences, Users
from presence.service import PresenceService
from presence.store import PresenceStore
from presence.views import presence, watch_room, watched_in


class Watching:
    """Answers who is there, and has connections told of the changes. Whoever may see nothing sees absence."""

    def __init__(
        self, service: PresenceService, store: PresenceStore, rooms: Rooms, sight: Sight, clock: Clock
    ) -> None:
        self._service = service
        self._store = store
        self._rooms = rooms
        self._sight = sight
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
        # One's own changes come by the user room, with the truth in them.
        others = [user_id for user_id in user_ids if user_id != caller.user_id]
        before = await self._sight.seen_by(caller.user_id, others)
        await asyncio.gather(*(self._rooms.join(caller.connection_id, watch_room(*seen)) for seen in before.items()))
        # Once more: what has changed since the first look was acted on before they had come in.
        seen = await self._sight.seen_by(caller.user_id, others)
        for user_id in others:
            if seen[user_id] is not before[user_id]:
                await self._rooms.leave(caller.connection_id, watch_room(user_id, before[user_id]))
                await self._rooms.join(caller.connection_id, watch_room(user_id, seen[user_id]))
        # Read after joining: what changes in between comes twice, and not never.
        return await self._presences(caller.user_id, user_ids, seen)

    async def restore(self, caller: Caller, rooms: Mapping[str, bytes]) -> None:
        """The caller's connection came back, and is in these rooms. It is moved, in silence, to where it may be now."""
        before = dict(map(watched_in, rooms))
        seen = await self._sight.seen_by(caller.user_id, before)
        for user_id, visibility in before.items():
            if seen[user_id] is not visibility:
                await self._rooms.leave(caller.connection_id, watch_room(user_id, visibility))
                await self._rooms.join(caller.connection_id, watch_room(user_id, seen[user_id]))
        self._watched[caller.connection_id] = set(before)

    async def unwatch(self, caller: Caller, payload: Users) -> Presences:
        """Send the caller's connection nothing more of these users. Returns nobody."""
        watched = self._watched.get(caller.connection_id, set())
        for user_id in _unique(payload):
            watched.discard(user_id)
            for visibility in Visibility:
                await self._rooms.leave(caller.connection_id, watch_room(user_id, visibility))
        return Presences(users=[])

    async def get(self, actor: Actor, payload: Users) -> Presences:
        """The presence of these users, as the actor may see it."""
        user_ids = _unique(payload)
        seen = await self._sight.seen_by(actor.user_id, user_ids)
        return await self._presences(actor.user_id, user_ids, seen)

    async def may_see(self, viewer: UserId, user_id: UserId) -> bool:
        """Whether ``viewer`` may see that ``user_id`` is there."""
        return bool((await self._sight.seen_by(viewer, [user_id]))[user_id])

    async def separate(self, one: UserId, other: UserId) -> None:
        """One of two users has blocked the other: from now on each sees the other as offline. For who keeps blocks."""
        now_ms = self._clock.now_ms()
        for watcher, watched in ((one, other), (other, one)):
            for visibility in (Visibility.EVERYTHING, Visibility.STATUS):
                await self._rooms.evict(watch_room(watched, visibility), of=user_room(watcher))
            gone = View(watched, last_seen_ms=now_ms, version=now_ms)
            await self._rooms.emit(user_room(watcher), PresenceDiff(users=[presence(gone)]))

    async def _presences(
        self, viewer: UserId, user_ids: Sequence[UserId], seen: Mapping[UserId, Visibility]
    ) -> Presences:
        """What the viewer sees. Nobody is looked up who is not to be seen: how long it takes must not tell either."""
        now_ms = self._clock.now_ms()
        visible = [user_id for user_id in user_ids if user_id == viewer or seen[user_id]]
        records = {record.user_id: record for record in await self._store.read(visible, now_ms)}
        views = [
            records[viewer].own()
            if user_id == viewer
            else records[user_id].seen(seen[user_id], now_ms)
            if user_id in records
            else View(user_id)
            for user_id in user_ids
        ]
        return Presences(users=[presence(view) for view in views])


def _unique(payload: Users) -> list[UserId]:
    return [UserId(user_id) for user_id in dict.fromkeys(payload.user_ids)]
