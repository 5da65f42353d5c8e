"""Presence of users: their connections on this node, and what is shown of whom to whom."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from hub.kernel.clock import Clock
from hub.kernel.errors import InvalidPayload, Unavailable
from hub.kernel.events import Actor, Caller
from hub.kernel.ids import ConnectionId, UserId, user_room
from hub.kernel.ports import Access, Nodes, Rooms
from presence.diffs import Diffs
from presence.model import PARTS, Connection, Record, View, part_of
from presence.schema import MAX_USERS, Presence, PresenceDiff, Presences, UpdatePresence, Users
from presence.store import PresenceStore
from presence.views import STATUSES, presence, watch_room

log = logging.getLogger(__name__)


class PresenceService:
    """Keeps the store in step with this node's connections, and answers who is there.

    The connections in memory are the truth about this node. Hooks that find no Redis only log: :meth:`reconcile`
    brings the store into step later, and also after Redis lost its memory or declared this node dead by mistake.
    """

    def __init__(
        self, store: PresenceStore, diffs: Diffs, rooms: Rooms, access: Access, nodes: Nodes, clock: Clock
    ) -> None:
        self._store = store
        self._diffs = diffs
        self._rooms = rooms
        self._access = access
        self._nodes = nodes
        self._clock = clock
        self._parts: list[dict[ConnectionId, Connection]] = [{} for _ in range(PARTS)]
        self._watched: dict[ConnectionId, set[UserId]] = {}
        self._closed = False

    async def connected(self, caller: Caller) -> None:
        """A connection came: its user is there, on its device. Idempotent."""
        if self._closed:
            return
        connection = Connection(caller.connection_id, caller.user_id, self._nodes.node_id, caller.device)
        self._here(caller)[caller.connection_id] = connection
        try:
            change = await self._store.connect(connection, self._clock.now_ms())
        except Unavailable:
            log.warning("connection %s is not in presence yet", caller.connection_id)
        else:
            await self._diffs.announce(change)

    async def disconnected(self, caller: Caller) -> None:
        """A connection was lost: it counts for the hold, unless its device comes back. Idempotent, never raises."""
        connection = self._here(caller).pop(caller.connection_id, None)
        self._watched.pop(caller.connection_id, None)
        if connection is None:
            return
        try:
            await self._store.hold([connection], self._clock.now_ms())
        except Unavailable:
            log.warning("connection %s is still in presence", caller.connection_id)

    async def update(self, caller: Caller, payload: UpdatePresence) -> Presence:
        """Set the status of the caller's device, on all its connections, and the user's text. Returns own presence."""
        here = self._here(caller)
        known = here.get(caller.connection_id)
        if known is None:
            raise Unavailable("This connection is closing. Try again on the next.")
        connection = replace(
            known,
            status=STATUSES[payload.status],
            text=known.text if payload.text is None else payload.text,
            device=payload.device or known.device,
        )
        # Before the store is asked: afterwards the connection may be gone, and would come back here for ever.
        here[caller.connection_id] = connection
        change = await self._store.update(replace(connection, text=payload.text), self._clock.now_ms())
        await self._diffs.announce(change)
        return presence(change.record.own())

    async def watch(self, caller: Caller, payload: Users) -> Presences:
        """Send the caller's connection ``presence:diff`` of these users from now on. Returns their present state.

        Repeating it is harmless. Raises InvalidPayload if the connection would watch more than MAX_USERS in all.
        """
        if caller.connection_id not in self._here(caller):
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

    async def separate(self, one: UserId, other: UserId) -> None:
        """One of two users has blocked the other: from now on each sees the other as offline. For who keeps blocks."""
        now_ms = self._clock.now_ms()
        for watcher, watched in ((one, other), (other, one)):
            await self._rooms.evict(watch_room(watched), of=user_room(watcher))
            gone = View(watched, last_seen_ms=now_ms, version=now_ms)
            await self._rooms.emit(user_room(watcher), PresenceDiff(users=[presence(gone)]))

    async def reconcile(self, part: int) -> None:
        """Bring one part of the store into step with this node's connections.

        Registers what the store does not know, and holds what it believes to be here: Redis was away when the one
        came or the other went, lost its memory, or this node was paused so long that others buried it.
        """
        registered = await self._store.registered(self._nodes.node_id, part)
        here = self._parts[part]
        now_ms = self._clock.now_ms()
        for connection in [connection for id_, connection in here.items() if id_ not in registered]:
            if connection.connection_id in here:  # it may have gone while the one before was registered
                await self._diffs.announce(await self._store.connect(connection, now_ms))
        gone = [
            Connection(connection_id, user_id, self._nodes.node_id, device="")
            for connection_id, user_id in registered.items()
            if connection_id not in here
        ]
        await self._store.hold(gone, now_ms)

    async def close(self) -> None:
        """Leave all connections to the hold: a drained node's clients are elsewhere before anybody sees them go.

        Call it before the node gives back its lease, or others bury its connections at once. Never raises.
        """
        self._closed = True
        connections = [connection for part in self._parts for connection in part.values()]
        for part in self._parts:
            part.clear()
        self._watched.clear()
        try:
            await self._store.hold(connections, self._clock.now_ms())
        except Unavailable:
            log.warning("%d connections could not be held; they go offline with the lease", len(connections))
        await self._diffs.flush()

    def _here(self, caller: Caller) -> dict[ConnectionId, Connection]:
        return self._parts[part_of(caller.user_id)]

    async def _presences(self, viewer: UserId, user_ids: Sequence[UserId], hidden: frozenset[str]) -> Presences:
        records = await self._store.read(user_ids)
        return Presences(users=[presence(_view(record, viewer, hidden)) for record in records])


def _unique(payload: Users) -> list[UserId]:
    return [UserId(user_id) for user_id in dict.fromkeys(payload.user_ids)]


def _view(record: Record, viewer: UserId, hidden: frozenset[str]) -> View:
    if record.user_id in hidden:
        return View(record.user_id)  # the same as of somebody who was never there
    return record.own() if record.user_id == viewer else record.shown()
