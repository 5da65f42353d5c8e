"""Taking the people of dead nodes offline, as soon as the leases of these have run out."""

import logging

from hub.kernel.clock import Clock
from hub.kernel.ports import Nodes
from hub.kernel.tasks import Running, Tasks
from presence.diffs import Diffs
from presence.metrics import METRICS
from presence.rounds import DeadNodes, go_round
from presence.store import PresenceStore

log = logging.getLogger(__name__)

LOOK_S = 0.25
"""Between two looks for the dead, which wait for no other step of a sweep: of the 8 s until everybody is shown as gone
the lease takes five."""


class Burials:
    """Looks for dead nodes on every node. Several may bury one together: the store gives each transition to one."""

    def __init__(self, store: PresenceStore, diffs: Diffs, nodes: Nodes, clock: Clock) -> None:
        self._store = store
        self._diffs = diffs
        self._dead = DeadNodes(nodes)
        self._clock = clock

    def start(self, tasks: Tasks) -> Running:
        """Look until cancelled, whatever happens to Redis."""
        return tasks.start(go_round(self.bury, LOOK_S, "burials"), name="presence burials")

    async def bury(self) -> None:
        """Take everybody offline who was on a dead node. Raises Unavailable; the next call goes on where it stopped."""
        for node_id in await self._dead.among(await self._store.nodes()):
            METRICS.buried += 1
            log.info("node %s is dead; its users go offline", node_id)
            async for change in self._store.bury(node_id, self._clock.now_ms()):
                await self._diffs.announce(change)
