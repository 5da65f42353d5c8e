"""Looks for media servers that have died, and has their calls go on elsewhere. Every node looks; one gets each."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from hub.kernel.errors import HubError, Unavailable
from hub.kernel.tasks import Tasks
from signaling.media.embedded.lease_redis import LEASE_MS, MediaServers

log = logging.getLogger(__name__)

AFTER_AN_OUTAGE_S = LEASE_MS / 1000
"""Without Redis all leases run out. Whoever is alive beats again within a second."""
LOOK_EVERY_S = 0.5
"""As often as deadlines of calls: people see a frozen picture until then."""
LOOK_AGAIN_S, LOOKS = 0.1, 20
"""For another server, where there is none: one that ``run`` starts again is there in a second, and a call that has
become a mesh meanwhile stays one. In all well below TAKEN_MS, after which another node takes the calls."""


class Rescuer:
    """``rescue`` moves a call; it is repeated, by whichever node comes first, if it raised Unavailable for one."""

    def __init__(self, servers: MediaServers, rescue: Callable[[str], Awaitable[None]], looks: int = LOOKS) -> None:
        self._servers = servers
        self._rescue = rescue
        self._looks = looks

    def start(self, tasks: Tasks) -> None:
        """Look until the node ends."""
        tasks.start(self._look_for_ever(), name="rescue of calls")

    async def look(self) -> None:
        """Once. Raises Unavailable."""
        dead = await self._servers.take_dead()
        if any(rooms for _, rooms in dead):
            await self._another()
        for server, rooms in dead:
            log.warning("media server %s is dead; %d calls are moved", server, len(rooms))
            rescued = [await self._try(room) for room in rooms]
            if all(rescued):
                await self._servers.buried(server)

    async def _another(self) -> None:
        """Return when there is a server that is alive, or LOOKS have found none."""
        for _ in range(self._looks):
            if await self._servers.live():
                return
            await asyncio.sleep(LOOK_AGAIN_S)

    async def _try(self, room: str) -> bool:
        try:
            await self._rescue(room)
        except Unavailable as error:
            log.warning("call %s could not be moved yet: %s", room, error)
            return False
        except HubError as error:  # it has ended meanwhile
            log.debug("call %s need not be moved: %s", room, error)
        return True

    async def _look_for_ever(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.look()
            except Unavailable:  # whoever waits for Redis is told so elsewhere
                await asyncio.sleep(AFTER_AN_OUTAGE_S)
