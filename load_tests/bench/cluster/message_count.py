"""How many messages go to the nodes over Redis, seen by a subscriber of the same channels."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

from hub.cluster.address import RedisAddress
from hub.cluster.link import Link
from load_tests.bench.cluster.history import Room

SUBSCRIBED_S = 10.0


class MessageCount:
    """Messages on the channels of some rooms. A node gets one for each of its subscriptions."""

    def __init__(self, address: RedisAddress) -> None:
        self._address = address
        self._got: Counter[str] = Counter()

    async def per_node(self, nodes: int) -> float:
        """Messages to each node so far, on average: those on a channel times its subscribers, without us."""
        link = await Link.open(self._address)
        try:
            answer = await link.call("PUBSUB", "SHARDNUMSUB", *self._got)
        finally:
            link.close()
        subscribers = {
            channel.decode(): int(count) - 1 for channel, count in zip(answer[::2], answer[1::2], strict=True)
        }
        return sum(count * subscribers[channel] for channel, count in self._got.items()) / nodes

    def take(self, reply: Any) -> None:
        """What comes over the link."""
        if reply[0] == b"smessage":
            self._got[reply[1].decode()] += 1


@contextlib.asynccontextmanager
async def counting_messages(redis_url: str, rooms: Sequence[Room]) -> AsyncIterator[MessageCount]:
    """Count what is published to these rooms, whichever shards they are on."""
    address = RedisAddress.of(redis_url)
    count, link = MessageCount(address), await Link.open(address)
    try:
        found = [channel.decode() for channel in await link.call("PUBSUB", "SHARDCHANNELS")]
        missing = {one for one in found if any(one.endswith(f":c:room:{room}") for room in rooms)}
        subscribed = asyncio.Event()

        def take(reply: Any) -> None:
            count.take(reply)
            missing.discard(reply[1].decode())
            if not missing:
                subscribed.set()

        link.listen(take)
        for channel in missing:
            link.send("SSUBSCRIBE", channel)
        async with asyncio.timeout(SUBSCRIBED_S):
            await subscribed.wait()
        yield count
    finally:
        link.close()
