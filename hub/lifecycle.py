"""A composed hub, and the order in which its parts start and stop."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from aiohttp import web

from hub.cluster.bus import Bus
from hub.cluster.leases import RedisNodes
from hub.cluster.records import Records
from hub.kernel.ids import NodeId
from hub.kernel.tasks import Tasks
from hub.kernel.wire import ServerEvent
from hub.transport.forwarding.forwarder import Forwarder
from hub.transport.front import Doorkeeper
from hub.transport.health import Health
from hub.transport.node_entrance import NodeEntrance
from hub.transport.sockets import Sockets

log = logging.getLogger(__name__)

RECONNECT_AFTER_MS = 250
"""What a draining node asks of its clients: by then its listener is closed, and they land on another node."""
SETTLE_S = 5.0
"""Longest wait for the disconnect hooks when a node drains."""
FLUSH_S = 2.0
"""Longest wait for Redis to take what was published last."""
STOP_S = 10.0
"""Longest wait for one part of the hub to stop."""

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
    door: Doorkeeper
    entrance: NodeEntrance
    forwarder: Forwarder
    sockets: Sockets
    nodes: RedisNodes
    bus: Bus
    records: Records
    health: Health
    tasks: Tasks
    starts: Sequence[Step]
    """What features do once the cluster is joined, in this order."""
    drains: Sequence[Step]
    """What features do when clients are about to be sent elsewhere. These steps must not fail."""
    closes: Sequence[Step]
    """What features do after the last connection is gone, in this order."""

    def listens(self, *, shared_port: int, own_port: int) -> None:
        """Say on which ports the node listens, before it answers readiness."""
        self.health.shared_port, self.health.own_port = shared_port, own_port

    async def start(self) -> None:
        """Join the cluster and start the features. Raises Unavailable if Redis does not answer."""
        self.nodes.lapsed = self.sockets.cut_all
        await self.bus.start()
        await self.nodes.start()
        for step in self.starts:
            await step()
        await self.nodes.known()
        self.health.started = True

    async def drain(self) -> None:
        """Ask every client to come back elsewhere, let what is under way finish, and close the connections.

        What features do when a connection goes is done when this returns.
        """
        self.health.draining = True
        self.forwarder.leave()
        for step in self.drains:
            await step()
        if not await self.sockets.drain(Draining(reconnect_after_ms=RECONNECT_AFTER_MS)):
            log.warning("events were still under way; their clients repeat them")
        await self.sockets.cut_all()  # who was being let in
        try:
            async with asyncio.timeout(SETTLE_S):
                await self.sockets.settled()
        except TimeoutError:
            log.warning("disconnect hooks were still under way after %.0f s; other nodes clean up after them", SETTLE_S)

    async def close(self) -> None:
        """Stop everything. What fails, or does not end, is logged and does not keep the rest from stopping."""
        self.door.engine.stop()
        written = [self._flush, self.records.flushed]
        left = [self.nodes.release, self.entrance.close, self.forwarder.close, self.tasks.close]
        for step in [*self.closes, *written, *left]:
            try:
                async with asyncio.timeout(STOP_S):
                    await step()
            except OSError as error:  # timeouts too
                log.warning("while stopping: %r", error)
            except Exception:
                log.exception("while stopping")
        self.bus.close()

    async def _flush(self) -> None:
        async with asyncio.timeout(FLUSH_S):
            await self.bus.flushed()
