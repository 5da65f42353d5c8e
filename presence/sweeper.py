"""The clockwork of presence: holds run out, dead nodes are buried, what they left untold is told, typing ends."""

import asyncio
import logging

from hub.kernel.clock import Clock
from hub.kernel.errors import Unavailable
from hub.kernel.ids import NodeId
from hub.kernel.ports import Nodes
from hub.kernel.tasks import Running, Tasks
from presence.connections_here import ConnectionsHere
from presence.diffs import Diffs
from presence.idleness import Idleness
from presence.metrics import METRICS
from presence.model import PARTS
from presence.relay import Relay
from presence.service import PresenceService
from presence.settings import PresenceSettings
from presence.store import PresenceStore
from presence.typing_indicator import TypingIndicator

log = logging.getLogger(__name__)


class Sweeper:
    """Sweeps on every node. Whichever comes first makes a transition, and tells of it; the store sees to that."""

    def __init__(
        self,
        store: PresenceStore,
        here: ConnectionsHere,
        service: PresenceService,
        idleness: Idleness,
        typing: TypingIndicator,
        diffs: Diffs,
        relay: Relay,
        nodes: Nodes,
        clock: Clock,
        settings: PresenceSettings,
    ) -> None:
        self._store = store
        self._here = here
        self._service = service
        self._idleness = idleness
        self._typing = typing
        self._diffs = diffs
        self._relay = relay
        self._nodes = nodes
        self._clock = clock
        self._sweep_s = settings.sweep_s
        self._missing: frozenset[NodeId] = frozenset()
        self._next_part = 0

    def start(self, tasks: Tasks) -> Running:
        """Sweep until cancelled, whatever happens to Redis."""
        return tasks.start(self._sweep_for_ever(), name="presence sweeper")

    async def sweep(self) -> None:
        """Do what is due. Raises Unavailable if Redis does not answer; the next call goes on where this one stopped."""
        await self._typing.expire()
        await self._expire()
        await self._bury()
        await self._relay.relay()
        # One part a sweep: all of them in 8 s, and 10 000 connections are not compared in one turn of the loop.
        await self._service.reconcile(self._next_part)
        await self._idleness.sweep(self._next_part)
        self._next_part = (self._next_part + 1) % PARTS
        if self._next_part == 0:
            await self._count()

    async def _count(self) -> None:
        METRICS.connections, METRICS.users = len(self._here), self._here.users()
        totals = await self._store.totals()
        METRICS.online, METRICS.held = totals.online, totals.held

    async def _expire(self) -> None:
        async for change in self._store.expire(self._clock.now_ms()):
            await self._diffs.announce(change)

    async def _bury(self) -> None:
        # Twice in a row: the leases are a fraction of a second old, so a node that just started may not be among them.
        before, self._missing = self._missing, frozenset()
        missing = await self._store.nodes() - await self._nodes.live()
        for node_id in missing & before:
            METRICS.buried += 1
            log.info("node %s is dead; its users go offline", node_id)
            async for change in self._store.bury(node_id, self._clock.now_ms()):
                await self._diffs.announce(change)
        self._missing = missing - before

    async def _sweep_for_ever(self) -> None:
        in_order = True
        while True:
            await asyncio.sleep(self._sweep_s)
            try:
                await self.sweep()
            except Unavailable:
                if in_order:  # once per outage
                    log.warning("presence is not swept: Redis does not answer")
                in_order = False
            except Exception:
                # Without a sweeper users would stay online for ever, so not even a defect of ours may end it.
                log.exception("a sweep of presence failed")
            else:
                in_order = True
