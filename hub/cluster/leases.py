"""Node leases: which nodes are alive, agreed on through Redis, and fenced when they lapse."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from hub.kernel.errors import Unavailable
from hub.kernel.ids import NodeId
from hub.kernel.tasks import Running, Tasks

log = logging.getLogger(__name__)

KEY = "hub:nodes"
BEAT_S = 2.0
"""Three beats fit into a lease, so that one lost beat and one slow one kill nobody. A beat that takes longer than the
pause between two counts as lost."""
LEASE_MS = 6_000
FRESH_S = 0.25
"""How long an answer of ``live`` is reused: joins and the presence sweeper ask several times a second."""

# Time is Redis's own, so that the clocks of the nodes need not agree. Answers whether the lease had lapsed before.
BEAT = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local until_ms = redis.call('ZSCORE', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - 3600000)
return (until_ms and tonumber(until_ms) >= now) and 1 or 0
"""
LIVE = """
local time = redis.call('TIME')
return redis.call('ZRANGEBYSCORE', KEYS[1], time[1] * 1000 + math.floor(time[2] / 1000), '+inf')
"""


class RedisNodes:
    """This node's lease, and the view of the others. Implements hub.kernel.ports.Nodes.

    ``lapsed`` is run when this node finds that its own lease had run out (it was paused, or cut off from Redis):
    others have declared it dead meanwhile, so whatever it holds under its name is void and its connections must start
    anew.
    """

    def __init__(self, redis: Redis, node_id: NodeId, tasks: Tasks) -> None:
        self._redis = redis
        self._node_id = node_id
        self._tasks = tasks
        self._beat = redis.register_script(BEAT)
        self._live = redis.register_script(LIVE)
        self._seen: frozenset[NodeId] = frozenset({node_id})
        self._seen_at = 0.0
        self._trusted_from = 0.0
        self._beating: Running | None = None
        self.lapsed: Callable[[], Coroutine[Any, Any, None]] | None = None

    @property
    def node_id(self) -> NodeId:
        """This node; new at every start."""
        return self._node_id

    async def start(self) -> None:
        """Take the lease and keep it. Raises Unavailable if Redis does not answer."""
        try:
            await self._beat(keys=[KEY], args=[self._node_id, LEASE_MS])
        except (RedisError, OSError) as error:
            raise Unavailable("Redis does not answer.") from error
        self._beating = self._tasks.start(self._beat_for_ever(), name="node lease")

    async def release(self) -> None:
        """Give the lease back, on shutdown. Others then need not wait for it to run out."""
        if self._beating is not None:  # a beat after this would take the lease again
            self._beating.cancel()
        try:
            await self._redis.zrem(KEY, self._node_id)
        except (RedisError, OSError):
            log.warning("the node lease could not be released; it runs out in %d ms", LEASE_MS)

    async def live(self) -> frozenset[NodeId]:
        """The nodes whose lease has not run out, this one included. Raises Unavailable if Redis does not answer."""
        now = time.monotonic()
        if now - self._seen_at < FRESH_S:
            return self._seen
        try:
            members = await self._live(keys=[KEY])
        except (RedisError, OSError) as error:
            raise Unavailable("Redis does not answer.") from error
        live = frozenset(NodeId(member.decode()) for member in members) | {self._node_id}
        if now < self._trusted_from:
            # Redis was away and all leases ran out together. Until every node has had the time to beat again, a missing
            # lease says nothing: whom we knew before counts as alive.
            live |= self._seen
        self._seen, self._seen_at = live, now
        return live

    async def _beat_for_ever(self) -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(BEAT_S)
            try:
                async with asyncio.timeout(BEAT_S):
                    in_time = await self._beat(keys=[KEY], args=[self._node_id, LEASE_MS])
            except Exception as error:  # whatever it is: a node that stops trying would be dead and not know it
                log.warning("node lease not renewed: %r", error)
                continue
            now = time.monotonic()
            if now - last > 2 * BEAT_S:
                self._trusted_from = now + 2 * BEAT_S
            last = now
            if not in_time:
                log.warning("this node's lease had lapsed; its connections start anew")
                if self.lapsed is not None:
                    self._tasks.start(self.lapsed(), name="lapsed lease")
