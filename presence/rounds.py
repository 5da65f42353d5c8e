"""Going round for ever, and finding the dead: what the sweepers have in common."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from hub.kernel.errors import Unavailable
from hub.kernel.ids import NodeId
from hub.kernel.ports import Nodes

log = logging.getLogger(__name__)


class DeadNodes:
    """Tells which nodes are dead: missing twice in a row.

    The leases are a fraction of a second old, so a node that just started may not be among them.
    """

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self._missing: frozenset[NodeId] = frozenset()

    async def among(self, registered: frozenset[NodeId]) -> frozenset[NodeId]:
        """Those of ``registered`` that are dead. Raises Unavailable if Redis does not answer."""
        before, self._missing = self._missing, frozenset()
        missing = registered - await self._nodes.live()
        self._missing = missing
        return missing & before


async def go_round(sweep: Callable[[], Awaitable[None]], every_s: float, subject: str) -> None:
    """Sweep for ever, whatever happens to Redis."""
    in_order = True
    while True:
        await asyncio.sleep(every_s)
        try:
            await sweep()
        except Unavailable:
            if in_order:  # once per outage
                log.warning("%s is not swept: Redis does not answer", subject)
            in_order = False
        except Exception:
            # Without a sweeper people would stay there for ever, so not even a defect of ours may end it.
            log.exception("a sweep of %s failed", subject)
        else:
            in_order = True
