"""The connections of this node: when they come and go, and what their users say of themselves."""

import logging
from dataclasses import replace

from hub.kernel.clock import Clock
from hub.kernel.errors import Unavailable
from hub.kernel.events import Caller
from hub.kernel.ids import ConnectionId
from hub.kernel.ports import Nodes
from presence.diffs import Diffs
from presence.model import PARTS, Connection, part_of
from presence.schema import Presence, UpdatePresence
from presence.store import PresenceStore
from presence.views import STATUSES, presence

log = logging.getLogger(__name__)


class PresenceService:
    """Keeps the store in step with this node's connections.

    The connections in memory are the truth about this node. Hooks that find no Redis only log: :meth:`reconcile`
    brings the store into step later, and also after Redis lost its memory or declared this node dead by mistake.
    """

    def __init__(self, store: PresenceStore, diffs: Diffs, nodes: Nodes, clock: Clock) -> None:
        self._store = store
        self._diffs = diffs
        self._nodes = nodes
        self._clock = clock
        self._parts: list[dict[ConnectionId, Connection]] = [{} for _ in range(PARTS)]
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

    def is_here(self, caller: Caller) -> bool:
        """Whether the connection of a caller has come and not gone."""
        return caller.connection_id in self._here(caller)

    async def disconnected(self, caller: Caller) -> None:
        """A connection was lost: it counts for the hold, unless its device comes back. Idempotent, never raises."""
        connection = self._here(caller).pop(caller.connection_id, None)
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
        try:
            await self._store.hold(connections, self._clock.now_ms())
        except Unavailable:
            log.warning("%d connections could not be held; they go offline with the lease", len(connections))
        await self._diffs.flush()

    def _here(self, caller: Caller) -> dict[ConnectionId, Connection]:
        return self._parts[part_of(caller.user_id)]
