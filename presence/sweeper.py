"""The clockwork of presence: the store is kept in step with this node, what others left untold is told, typing ends."""

import logging
from contextlib import suppress

from hub.kernel.errors import Unavailable
from hub.kernel.tasks import Running, Tasks
from presence.connections_here import ConnectionsHere
from presence.idleness import Idleness
from presence.memory import Memory
from presence.metrics import METRICS
from presence.model import PARTS
from presence.relay import Relay
from presence.rounds import Standstill, go_round
from presence.service import PresenceService
from presence.settings import PresenceSettings
from presence.store import PresenceStore
from presence.typing_indicator import TypingIndicator

log = logging.getLogger(__name__)


class Sweeper:
    """Sweeps on every node. Holds and dead nodes have looks of their own, see presence.holds and presence.burials."""

    def __init__(
        self,
        store: PresenceStore,
        here: ConnectionsHere,
        service: PresenceService,
        idleness: Idleness,
        typing: TypingIndicator,
        relay: Relay,
        memory: Memory,
        settings: PresenceSettings,
    ) -> None:
        self._store = store
        self._here = here
        self._service = service
        self._idleness = idleness
        self._typing = typing
        self._relay = relay
        self._memory = memory
        self._standstill = Standstill()
        self._sweep_s = settings.sweep_s
        self._next_part = 0

    async def begin(self) -> None:
        """Say that this node has nothing to tell yet, before anybody comes: who reads need not wait for a sweep."""
        with suppress(Unavailable):
            await self._memory.told(await self._memory.lost())

    def start(self, tasks: Tasks) -> Running:
        """Sweep until cancelled, whatever happens to Redis."""
        return tasks.start(go_round(self.sweep, self._sweep_s, "presence"), name="presence sweeper")

    async def sweep(self) -> None:
        """Do what is due. Raises Unavailable if Redis does not answer; the next call goes on where this one stopped."""
        stood_still = self._standstill.is_recent()
        await self._typing.expire()
        await self._service.hold_missed()
        await self._tell_again(stood_still=stood_still)
        await self._relay.relay()
        if stood_still:
            return
        # One part a sweep: all of them in 8 s, and 10 000 connections are not compared in one turn of the loop.
        await self._service.reconcile(self._next_part)
        await self._idleness.sweep(self._next_part)
        self._next_part = (self._next_part + 1) % PARTS
        if self._next_part == 0:
            await self._count()

    async def _tell_again(self, *, stood_still: bool) -> None:
        """Tell the store what it has forgotten, before all else: until every node has, nobody's presence is read.

        And all connections are cut when Redis loses its memory, so every other step waits behind thousands.
        """
        lost = await self._memory.lost()
        if lost:
            await self._service.restore(lost)
            if stood_still:
                return
            for part in lost:
                await self._service.reconcile(part)
            await self._service.restore(lost)  # who went in between
        await self._memory.told(lost)

    async def _count(self) -> None:
        METRICS.connections, METRICS.users = len(self._here), self._here.users()
        totals = await self._store.totals()
        METRICS.online, METRICS.held = totals.online, totals.held
