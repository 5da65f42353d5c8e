"""Node leases: which nodes are alive and how to reach them, agreed on through Redis, and fenced when they lapse."""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable, Coroutine
from typing import Any, Literal, cast

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from hub.kernel.errors import Unavailable
from hub.kernel.ids import NodeId, NodeTag, tag_of
from hub.kernel.ports import NodeAddress
from hub.kernel.tasks import Running, Tasks

log = logging.getLogger(__name__)

KEY = "hub:nodes"
ADDRESSES = "{hub:nodes}:addresses"
BEAT_S = 1.0
"""Five beats fit into a lease, so that lost and slow ones kill nobody. A beat that takes longer than the pause between
two counts as lost."""
LEASE_MS = 5_000
"""A node that stands still is dead after 4 to 5 s: the more often it beats, the less it matters when it stopped."""
OUTAGE_S = 4.0
"""Who has not beaten for so long, a lease less a beat, cannot tell the death of others from an outage of Redis in which
all leases ended. After that every node has as long to beat again before it is taken for dead."""
FRESH_S = 0.25
"""How long an answer of ``live`` is reused: joins and the presence sweeper ask several times a second."""
KNOWN_FRESH_S = 1.0
"""How long the address of a node is used without a look at its lease, for every poll that is passed on."""
UNKNOWN_FRESH_S = 0.05
"""How long a node that was not there is taken for absent: less than a node needs from its lease to its first session,
and so little that made-up session ids cost Redis 20 questions a second at most."""
LOOK_S = 1.0
"""Longest wait for an address."""
MISSED_S = 0.1
"""Wait after a beat that failed, beside the usual one, which a look at the leases may cut short."""

# Time is Redis's own, so that the clocks of the nodes need not agree. Answers what the lease was before: see Before.
# The address is written with each beat: a Redis that lost its memory learns it again.
BEAT = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local until_ms = redis.call('ZSCORE', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - 3600000)) do
  redis.call('ZREM', KEYS[1], gone)
  redis.call('HDEL', KEYS[2], gone)
end
if not until_ms then return 'unknown' end
return tonumber(until_ms) >= now and 'held' or 'lapsed'
"""
Before = Literal[b"held", b"lapsed", b"unknown"]
"""Unknown: this is the first beat, or Redis has lost its memory. A lease that lapsed is remembered for an hour."""
# Node and address in turn; the address of a node that has none is empty.
LIVE = """
local time = redis.call('TIME')
local answer = {}
for _, node in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], time[1] * 1000 + math.floor(time[2] / 1000), '+inf')) do
  answer[#answer + 1] = node
  answer[#answer + 1] = redis.call('HGET', KEYS[2], node) or ''
end
return answer
"""
KEYS = [KEY, ADDRESSES]


class RedisNodes:
    """This node's lease, and the view of the others. Implements hub.kernel.ports.Nodes and NodeDirectory.

    ``lapsed`` is run when this node finds that its own lease had run out (it was paused, or cut off from Redis):
    others have declared it dead meanwhile, so whatever it holds under its name is void and its connections must start
    anew. ``address`` is set before ``start``.
    """

    def __init__(self, redis: Redis, node_id: NodeId, tasks: Tasks) -> None:
        self._redis = redis
        self._node_id = node_id
        self._tasks = tasks
        self._beat = redis.register_script(BEAT)
        self._live = redis.register_script(LIVE)
        self.address = NodeAddress()
        """How others reach this node."""
        self._seen: dict[NodeId, NodeAddress] = {}
        self._by_tag: dict[NodeTag, NodeAddress] = {}
        self._seen_at = self._failed_at = -math.inf
        self._trusted_from = self._taken_at = 0.0
        self._beating: Running | None = None
        self._is_missed = asyncio.Event()
        """Redis does not know of this node, which has beaten: the next beat should not wait."""
        self.lapsed: Callable[[], Coroutine[Any, Any, None]] | None = None

    @property
    def node_id(self) -> NodeId:
        """This node; new at every start."""
        return self._node_id

    async def start(self) -> None:
        """Take the lease and keep it. Raises Unavailable if Redis does not answer."""
        try:
            await self._take()
        except (RedisError, OSError) as error:
            raise Unavailable("Redis does not answer.") from error
        self._taken_at = time.monotonic()
        self._beating = self._tasks.start(self._beat_for_ever(), name="node lease")

    async def known(self) -> None:
        """Return when all other nodes take this one for alive, after ``start``. Raises Unavailable.

        They may have looked just before it had its lease. Until they look again they count nobody who is on it.
        """
        if len(await self.live()) > 1:
            await asyncio.sleep(self._taken_at + FRESH_S - time.monotonic())

    async def release(self) -> None:
        """Give the lease back, on shutdown. Others then need not wait for it to run out."""
        if self._beating is not None:  # a beat after this would take the lease again
            self._beating.cancel()
            self._beating = None
        try:
            await self._redis.zrem(KEY, self._node_id)
            await self._redis.hdel(ADDRESSES, self._node_id)
        except (RedisError, OSError):
            log.warning("the node lease could not be released; it runs out in %d ms", LEASE_MS)

    async def live(self) -> frozenset[NodeId]:
        """The nodes whose lease has not run out, this one included. Raises Unavailable if Redis does not answer."""
        if time.monotonic() - self._seen_at >= FRESH_S:
            await self._look()
        return frozenset(self._seen) | {self._node_id}

    async def address_of(self, node: NodeTag) -> NodeAddress | None:
        """See hub.kernel.ports.NodeDirectory."""
        now = time.monotonic()
        fresh_s = KNOWN_FRESH_S if node in self._by_tag else UNKNOWN_FRESH_S
        if now - self._seen_at >= fresh_s and now - self._failed_at >= LOOK_S:
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._look()
            except (Unavailable, TimeoutError):
                self._failed_at = time.monotonic()
        return self._by_tag.get(node)

    async def _look(self) -> None:
        now = time.monotonic()
        try:
            answer = [part.decode() for part in await self._live(keys=KEYS)]
        except (RedisError, OSError, RuntimeError) as error:  # uvloop's, for a connection that was lost just now
            raise Unavailable("Redis does not answer.") from error
        seen = {NodeId(node): _address(text) for node, text in zip(answer[::2], answer[1::2], strict=True)}
        if self._node_id not in seen and self._beating is not None:
            self._is_missed.set()
            self._distrust(now)
        if now < self._trusted_from:
            seen = self._seen | seen
        self._seen, self._seen_at = seen, now
        self._by_tag = {tag_of(node): address for node, address in seen.items()}

    def _distrust(self, now: float) -> None:
        """Redis was away, or lost its memory, and all leases ended together.

        Until every node has had the time to beat again, a missing lease says nothing: whom we knew before counts as
        alive. Else their people, who come back before that, would be declared gone.
        """
        self._trusted_from = now + OUTAGE_S

    async def _take(self) -> Before:
        """Take the lease, or renew it, and say what it was before."""
        address = msgspec.json.encode(self.address)
        return cast("Before", await self._beat(keys=KEYS, args=[self._node_id, LEASE_MS, address]))

    async def _beat_for_ever(self) -> None:
        last = time.monotonic()
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._is_missed.wait(), BEAT_S)
            self._is_missed.clear()
            try:
                async with asyncio.timeout(BEAT_S):
                    before = await self._take()
            except Exception as error:  # whatever it is: a node that stops trying would be dead and not know it
                log.warning("node lease not renewed: %r", error)
                await asyncio.sleep(MISSED_S)
                continue
            now = time.monotonic()
            if now - last > OUTAGE_S or before == b"unknown":
                self._distrust(now)
            # A Redis that forgot us within the time of our lease has told nobody that we are dead.
            lapsed = before == b"lapsed" or (before == b"unknown" and (now - last) * 1000 > LEASE_MS)
            last = now
            if lapsed:
                log.warning("this node's lease had lapsed; its connections start anew")
                if self.lapsed is not None:
                    self._tasks.start(self.lapsed(), name="lapsed lease")


def _address(text: str) -> NodeAddress:
    """What a node says of itself; one of another version may say nothing that we understand."""
    try:
        return msgspec.json.decode(text, type=NodeAddress)
    except msgspec.DecodeError:
        return NodeAddress()
