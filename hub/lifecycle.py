"""A composed hub, and the order in which its parts start and stop."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from aiohttp import web

from hub.cluster.broker import RedisBroker
from hub.cluster.leases import RedisNodes
from hub.kernel.ids import NodeId
from hub.kernel.tasks import Tasks
from hub.kernel.wire import ServerEvent
from hub.transport.health import Health
from hub.transport.sockets import Sockets

log = logging.getLogger(__name__)

RECONNECT_AFTER_MS = 250
"""What a draining node asks of its clients: by then its listener is closed, and they land on another node."""
SETTLE_S = 5.0
"""Longest wait for events under way when a node drains."""

Step = Callable[[], Awaitable[None]]


class Draining(ServerEvent):
    """The node is about to close this connection: reconnect after the time given."""

    event = "hub:draining"
    reconnect_after_ms: int


@dataclass
class Hub:
    """One node's worth of hub. ``start`` once, then ``drain`` and ``close``."""

    node_id: NodeId
    web: web.Application
    sockets: Sockets
    nodes: RedisNodes
    broker: RedisBroker
    health: Health
    tasks: Tasks
    starts: Sequence[Step]
    """What features do once the cluster is joined, in this order."""
    closes: Sequence[Step]
    """What features do after the last connection is gone, in this order."""

    def listens(self, *, shared_port: int, own_port: int) -> None:
        """Say on which ports the node listens, before it answers readiness."""
        self.health.shared_port, self.health.own_port = shared_port, own_port

    async def start(self) -> None:
        """Join the cluster and start the features. Raises Unavailable or TimeoutError if Redis does not answer."""
        self.nodes.lapsed = self.sockets.cut_all
        await self.broker.start()
        await self.nodes.start()
        for step in self.starts:
            await step()
        self.health.started = True

    async def drain(self) -> None:
        """Ask every client to come back elsewhere, let what is under way finish, and close the connections."""
        self.health.draining = True
        await self.sockets.announce(Draining(reconnect_after_ms=RECONNECT_AFTER_MS))
        try:
            async with asyncio.timeout(SETTLE_S):
                await self.sockets.settled()
        except TimeoutError:
            log.warning("events were still under way after %.0f s; their clients repeat them", SETTLE_S)
        await self.sockets.cut_all()

    async def close(self) -> None:
        """Stop everything. What fails is logged and does not keep the rest from stopping."""
        for step in [*self.closes, self.broker.flushed, self.nodes.release, self.tasks.close]:
            try:
                await step()
            except Exception:
                log.exception("while stopping")
