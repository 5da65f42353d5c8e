"""The broker: messages from node to node over Redis pub/sub, in the order each node sends them."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from hub.kernel.errors import Unavailable
from hub.kernel.ids import NodeId
from hub.kernel.tasks import Tasks

log = logging.getLogger(__name__)

CHANNEL = "hub:cluster"
MAX_QUEUE = 20_000
"""Messages that wait for Redis before the oldest are dropped: what must not be lost is in PostgreSQL or a stream."""
MAX_BATCH = 200
"""Messages in one PUBLISH. A PUBLISH costs this node 80 µs whatever is in it, a message in it 2 µs."""
SPACING_S = 0.002
"""Between two PUBLISHes. What comes after a pause goes at once; a stream of events is worth 2 ms of waiting, since 3000
of them a second, each in a PUBLISH of its own, would take a third of the node's core."""
START_S = 10.0
CANARY_S = 1.0
DEAF_S = 5.0
"""Without its own canary for this long a node counts as deaf, and readiness says so. Redis closes subscribers whose
output buffer overflows; a client library that does not notice would hear nothing for ever."""

Receive = Callable[[str, list[Any]], Awaitable[None]]


class RedisBroker:
    """Publishes to all other nodes and hands what they publish to ``receive(kind, arguments)``.

    Messages of one node arrive at each other node in the order they were published, or not at all. The origin does not
    hear its own messages. Publishing never blocks and never raises.
    """

    def __init__(self, redis: Redis, node_id: NodeId, tasks: Tasks) -> None:
        self._redis = redis
        self._node_id = node_id
        self._tasks = tasks
        self._queue: deque[msgspec.Raw] = deque()
        self._wake = asyncio.Event()
        self._empty = asyncio.Event()
        self._heard_at = 0.0
        self._connected = asyncio.Event()
        self.receive: Receive | None = None
        self.dropped = 0
        """Messages dropped because Redis did not take them in time, since the start."""

    name = "broker"

    async def start(self) -> None:
        """Subscribe, and return when the node hears others. Raises Unavailable if it does not within ten seconds."""
        self._tasks.start(self._publish_for_ever(), name="broker: publish")
        self._tasks.start(self._listen_for_ever(), name="broker: listen")
        self._tasks.start(self._canary_for_ever(), name="broker: canary")
        try:
            async with asyncio.timeout(START_S):
                await self._connected.wait()
        except TimeoutError:
            raise Unavailable(f"Nothing is heard over Redis after {START_S:.0f} s.") from None

    async def check(self) -> None:
        """Readiness: raises if this node has not heard its own canary for five seconds."""
        if (silent_s := time.monotonic() - self._heard_at) > DEAF_S:
            raise ConnectionError(f"nothing heard over Redis for {silent_s:.0f} s")

    def publish(self, kind: str, *arguments: Any) -> None:
        """Queue a message for all other nodes. ``arguments`` are plain values that MessagePack takes."""
        if len(self._queue) >= MAX_QUEUE:
            self._queue.popleft()
            self.dropped += 1
        self._queue.append(msgspec.Raw(msgspec.msgpack.encode((kind, arguments))))
        self._wake.set()

    async def flushed(self) -> None:
        """Wait until what was published is on its way. Raises TimeoutError after a second."""
        self._empty.clear()
        self._wake.set()
        async with asyncio.timeout(1):
            await self._empty.wait()

    async def _publish_for_ever(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                batch = [self._queue.popleft() for _ in range(min(len(self._queue), MAX_BATCH))]
                await self._publish_batch(batch)
                if len(self._queue) < MAX_BATCH:
                    await asyncio.sleep(SPACING_S)
            self._empty.set()

    async def _publish_batch(self, batch: list[msgspec.Raw]) -> None:
        try:
            await self._redis.publish(CHANNEL, msgspec.msgpack.encode((self._node_id, batch)))
        except (RedisError, OSError, RuntimeError) as error:  # RuntimeError: uvloop, "the handler is closed"
            # Not sent again: part of the batch may have gone out, and an event that comes twice is worse than a hole
            # that the receiver can see by its number.
            self.dropped += len(batch)
            log.warning("%d messages to other nodes lost: %s", len(batch), error)
            await asyncio.sleep(0.1)

    async def _listen_for_ever(self) -> None:
        while True:
            pubsub = self._redis.pubsub(ignore_subscribe_messages=True)
            try:
                await pubsub.subscribe(CHANNEL)
                await self._listen(pubsub)
            except (RedisError, OSError, RuntimeError) as error:
                log.warning("subscription to other nodes lost: %s", error)
            finally:
                await pubsub.aclose()  # type: ignore[no-untyped-call]
            await asyncio.sleep(0.1)

    async def _listen(self, pubsub: PubSub) -> None:
        """Take messages until the link breaks. Raises RedisError or OSError."""
        last = time.monotonic()
        while True:
            message = await pubsub.get_message(timeout=DEAF_S)
            if message is not None:
                last = time.monotonic()
                await self._take(message["data"])
            elif time.monotonic() - last > DEAF_S:
                # The canary comes each second: a silence of this length is a dead link, not a quiet hub.
                raise ConnectionError("silence")

    async def _take(self, data: bytes) -> None:
        try:
            origin, packed = msgspec.msgpack.decode(data, type=tuple[str, msgspec.Raw])
            if origin == self._node_id:  # whatever it is: we hear
                self._heard_at = time.monotonic()
                self._connected.set()
                return
            batch = msgspec.msgpack.decode(packed)
        except ValueError:
            log.exception("what another node said is not understood: is it of another version?")
            return
        for kind, arguments in batch:
            if kind != "canary" and self.receive is not None:
                try:
                    await self.receive(kind, arguments)
                except Exception:  # one bad message must not make the node deaf
                    log.exception("a message from another node could not be handled")

    async def _canary_for_ever(self) -> None:
        while True:
            self.publish("canary")
            await asyncio.sleep(CANARY_S if self._connected.is_set() else 0.02)
