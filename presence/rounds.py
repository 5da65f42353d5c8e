"""Going round for ever, finding the dead, noticing that one was taken for dead: what the sweepers have in common."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from hub.kernel.errors import Unavailable
from hub.kernel.ids import NodeId
from hub.kernel.ports import Nodes

log = logging.getLogger(__name__)


STOPPED_S = 4.0
"""Between two sweeps, of which there are two a second. A lease is longer, and is looked at twice in this time."""


class Standstill:
    """Tells whether this process stood still, so that others may have buried it, and its clients be elsewhere.

    What it has is not to be registered again before it has found out, and has closed what is void.
    """

    def __init__(self) -> None:
        self._last_s = time.monotonic()
        self._over_s = 0.0

    def is_recent(self) -> bool:
        """Ask with each sweep."""
        last_s, self._last_s = self._last_s, time.monotonic()
        if self._last_s - last_s > STOPPED_S:
            self._over_s = self._last_s + STOPPED_S
        return self._last_s < self._over_s


AGAIN_S = 0.3
"""From one look at the leases to another. They are up to a quarter of a second old, so a node that just started may not
be among them; and one that stood still, and goes on as its lease ends, is left alone."""


class DeadNodes:
    """Tells which nodes are dead: missing at two looks."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes

    async def among(self, registered: frozenset[NodeId]) -> frozenset[NodeId]:
        """Those of ``registered`` that are dead. Raises Unavailable if Redis does not answer."""
        missing = registered - await self._nodes.live()
        if missing:
            await asyncio.sleep(AGAIN_S)
            missing -= await self._nodes.live()
        return missing


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
