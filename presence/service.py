"""The connections of this node: when they come and go, and what their users say of themselves."""

import asyncio
import logging
from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import replace

import msgspec

from hub.kernel.clock import Clock, to_ms
from hub.kernel.errors import InvalidPayload, Unavailable
from hub.kernel.events import Caller
from hub.kernel.ports import Nodes
from hub.kernel.tasks import Tasks
from presence.connections_here import ConnectionsHere, Here
from presence.diffs import Diffs
from presence.model import Connection, Held, Record, part_of
from presence.schema import Presence, UpdatePresence
from presence.settings import PresenceSettings
from presence.store import PresenceStore
from presence.views import STATUSES, presence

log = logging.getLogger(__name__)

MAX_TEXT_MS = 366 * 86_400_000
"""Longest time until the end of a text. The last moments that a client can name are too late for a datetime in UTC."""


class Lost(msgspec.Struct, frozen=True, gc=False):
    """A connection of this node that has gone, and counts for a while. Times are Unix milliseconds."""

    here: Here
    lost_ms: int
    until_ms: int

    def held(self) -> Held:
        """As the store is to be told of it."""
        return Held(self.here.connection, self.lost_ms, self.until_ms)


class PresenceService:
    """Keeps the store in step with this node's connections.

    The connections in memory are the truth about this node. Hooks that find no Redis only log: :meth:`reconcile`
    brings the store into step later, and also after Redis lost its memory or declared this node dead by mistake.
    """

    def __init__(
        self,
        here: ConnectionsHere,
        store: PresenceStore,
        diffs: Diffs,
        nodes: Nodes,
        tasks: Tasks,
        clock: Clock,
        settings: PresenceSettings,
    ) -> None:
        self._here = here
        self._store = store
        self._diffs = diffs
        self._nodes = nodes
        self._tasks = tasks
        self._clock = clock
        self._hold_ms = round(settings.hold_s * 1000)
        self._moving_hold_ms = round(settings.moving_hold_s * 1000)
        self._lost: list[Lost] = []
        """Those that went just now: the store is asked as soon as it has answered for those before."""
        self._missed: list[Here] = []
        """Those that went while it did not answer."""
        self._is_holding = False
        """Whether a task is to ask it soon."""
        self._asking = asyncio.Lock()
        self._held: deque[Lost] = deque()
        """Those that went, until their hold ends, the next first. The store has them too, but it may forget."""
        self._closed = False

    async def connected(self, caller: Caller) -> None:
        """A connection came: its user is there, on its device. Idempotent."""
        if self._closed:
            return
        connection = Connection(
            caller.connection_id, caller.user_id, self._nodes.node_id, caller.device, caller.device_kind
        )
        here = self._here.add(connection)
        try:
            change = await self._store.connect(connection, self._clock.now_ms())
        except Unavailable:
            log.warning("connection %s is not in presence yet", caller.connection_id)
            return
        if _is_idle(change.record, connection):
            here.idle_at_s = self._here.active_s(here)
        await self._diffs.announce(change)
        await self._hold_if_gone(connection)

    def is_here(self, caller: Caller) -> bool:
        """Whether the connection of a caller has come and not gone."""
        return self._here.get(caller) is not None

    def lost(self, caller: Caller) -> None:
        """A connection is gone: from now on it counts for the hold, unless its device comes back. Idempotent.

        Thousands may be lost at once. One call holds all that went during the call before.
        """
        here = self._here.pop(caller)
        if here is None:
            return
        lost = self._lost_now(here)
        self._held.append(lost)  # before the store is asked: what it forgets meanwhile is restored from here
        self._lost.append(lost)
        if not self._is_holding:
            self._is_holding = True
            self._tasks.start(self._hold_soon(), name="presence of those who went")

    async def disconnected(self, caller: Caller) -> None:
        """The same, after the last event of the connection; and the store has heard of it, if it answers. Never raises.

        Its hooks may have had it come after it was gone.
        """
        self.lost(caller)
        await self._hold_those_lost()

    async def _hold_soon(self) -> None:
        self._is_holding = False
        await self._hold_those_lost()

    async def _hold_those_lost(self) -> None:
        async with self._asking:
            while self._lost:
                lost, self._lost = self._lost, []
                try:
                    await self._store.hold(one.held() for one in lost)
                except Unavailable:
                    self._missed += [one.here for one in lost]
                    log.warning("%d connections that went are still in presence", len(self._missed))

    async def hold_missed(self) -> None:
        """Hold what went while the store did not answer. From now on: their clients could not come back before.

        Raises Unavailable while it still does not.
        """
        now_ms = self._clock.now_ms()
        while self._held and self._held[0].until_ms <= now_ms:
            self._held.popleft()
        async with self._asking:
            missed = [self._lost_now(here) for here in self._missed]
            await self._store.hold(one.held() for one in missed)
            del self._missed[: len(missed)]
            self._held.extend(missed)

    def _lost_now(self, here: Here) -> Lost:
        now_ms = self._clock.now_ms()
        return Lost(here, now_ms, now_ms + self._hold_ms)

    async def restore(self, parts: Collection[int]) -> None:
        """Have those count that this node has lost just now, in parts of which the store has lost what it knew.

        Nobody else could say that they do. Raises Unavailable; then it is to be repeated. And it is to be called once
        more after :meth:`reconcile`: who goes in between is unknown to the store, and was here at the first call.
        """
        now_ms = self._clock.now_ms()
        latest = {one.here.connection.connection_id: one for one in self._held}
        lost = [one for one in latest.values() if part_of(one.here.connection.user_id) in parts]
        gone = [here for part in parts for here in self._here.of_part(part) if not self._here.is_open(here)]
        lost += map(self._lost_now, gone)
        held = [Held(self._here.registration(one.here), one.lost_ms, one.until_ms) for one in lost]
        async for change in self._store.restore(held, now_ms):
            await self._diffs.announce(change)

    async def update(self, caller: Caller, payload: UpdatePresence) -> Presence:
        """Set the status of the caller's device, on all its connections, and the user's text. Returns own presence.

        Raises InvalidPayload for a text that is over already or ends in years, or an end without a text.
        """
        here = self._here.get(caller)
        if here is None:
            raise Unavailable("This connection is closing. Try again on the next.")
        until_ms = self._end_of_text(payload)
        known = here.connection
        connection = replace(known, status=STATUSES[payload.status], device=payload.device or known.device)
        if payload.text is not None:
            connection = replace(connection, text=payload.text, text_until_ms=until_ms)
        # Before the store is asked: afterwards the connection may be gone, and would come back here for ever.
        here.connection = connection
        change = await self._store.update(replace(connection, text=payload.text), self._clock.now_ms())
        here.idle_at_s = None
        await self._diffs.announce(change)
        await self._hold_if_gone(connection)
        return presence(change.record.own())

    def _end_of_text(self, payload: UpdatePresence) -> int:
        if payload.text_expires_at is None:
            return 0
        until_ms = to_ms(payload.text_expires_at)
        if not payload.text:
            raise _does_not_fit("An end without a text: give both.")
        ahead_ms = until_ms - self._clock.now_ms()
        if ahead_ms <= 0:
            raise _does_not_fit("This moment has passed.")
        if ahead_ms > MAX_TEXT_MS:
            raise _does_not_fit("A text ends within a year. Leave the end out for one that stays.")
        return until_ms

    async def reconcile(self, part: int) -> None:
        """Bring one part of the store into step with this node's connections.

        Registers what the store does not know, and holds what it believes to be here: Redis was away when the one
        came or the other went, lost its memory, or this node was paused so long that others buried it.
        """
        registered = await self._store.registered(self._nodes.node_id, part)
        unknown = [here for here in self._here.of_part(part) if here.connection.connection_id not in registered]
        for here in unknown:
            # It may have gone while the one before was registered, or while this node was stopped and others buried it.
            if self._here.is_open(here):
                connection = self._here.registration(here)
                await self._diffs.announce(await self._store.connect(connection, self._clock.now_ms()))
                await self._hold_if_gone(connection)
        gone = [
            Connection(connection_id, user_id, self._nodes.node_id, device="")
            for connection_id, user_id in registered.items()
            if not self._here.has(part, connection_id)
        ]
        await self._hold(gone)

    async def _hold_if_gone(self, connection: Connection) -> None:
        """Once more, for one that went while it was registered: the store may have heard of that first."""
        if not self._here.has(part_of(connection.user_id), connection.connection_id):
            await self._hold([connection])

    async def drain(self) -> None:
        """Clients are sent elsewhere from now on: who is lost has time to get there, and nobody sees them go."""
        self._hold_ms = self._moving_hold_ms

    async def close(self) -> None:
        """Leave all connections to the hold, as after :meth:`drain`.

        Call it before the node gives back its lease, or others bury its connections at once. Never raises.
        """
        self._closed = True
        await self.drain()
        self._lost += map(self._lost_now, self._here)
        self._here.clear()
        await self._hold_those_lost()
        await self._diffs.flush()

    async def _hold(self, connections: Iterable[Connection]) -> None:
        now_ms = self._clock.now_ms()
        await self._store.hold(Held(one, now_ms, now_ms + self._hold_ms) for one in connections)


def _is_idle(record: Record, connection: Connection) -> bool:
    """Whether the device of a connection is idle, and so the connection with it."""
    return any(
        device.idle for device in record.devices if (device.name, device.kind) == (connection.device, connection.kind)
    )


def _does_not_fit(message: str) -> InvalidPayload:
    return InvalidPayload(message, errors=[{"pointer": "/textExpiresAt", "detail": message}])
