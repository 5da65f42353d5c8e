"""Which server has a shard: the only one, or a primary of a Redis Cluster, wherever it has moved."""

from __future__ import annotations

import asyncio
import logging
import math
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple, Protocol

from redis.crc import key_slot

from hub.cluster.address import RedisAddress
from hub.cluster.link import Down, Link, Refused
from hub.kernel import redis_url

log = logging.getLogger(__name__)

FRESH_S: Final = 0.1
"""How long an answer is used. Shards that lose their server ask 20 times a second until it is back."""
ANSWER_S: Final = 1.0
"""Longest wait for one server before the next is asked: the one that is asked may be the one that hangs."""


class Servers(Protocol):
    """Finds the server of a hash tag."""

    async def locate(self, tag: str) -> RedisAddress:
        """Where the keys with this tag are now, as far as can be known. Raises Down if nobody says."""
        ...


def servers_of(url: str) -> Servers:
    """Those of a REDIS_URL. Raises ValueError for what is none."""
    seeds = [RedisAddress.of(one) for one in redis_url.servers(url)]
    return ClusterServers(seeds) if redis_url.is_cluster(url) else OneServer(seeds[0])


def link_to_any(servers: Servers) -> Callable[[], Awaitable[Link]]:
    """Opens links for what every server of a Redis Cluster serves alike, to another each time. They raise Down."""

    async def open_link() -> Link:
        try:
            return await Link.open(await servers.locate(os.urandom(8).hex()))
        except Refused as error:
            raise Down(f"Redis lets nobody in: {error}") from error

    return open_link


class OneServer:
    """A server that has everything. Implements Servers."""

    def __init__(self, address: RedisAddress) -> None:
        self._address = address

    async def locate(self, tag: str) -> RedisAddress:
        """See Servers."""
        return self._address


class _Slots(NamedTuple):
    first: int
    last: int
    primary: RedisAddress


class ClusterServers:
    """The primaries of a Redis Cluster. Implements Servers.

    The servers are asked in turn, another each time: one that was cut off from the rest believes that it still has its
    slots, and must not be believed twice.
    """

    def __init__(self, seeds: Sequence[RedisAddress]) -> None:
        self._seeds = list(seeds)
        self._to_ask = list(seeds)
        self._slots: list[_Slots] = []
        self._seen_at = -math.inf
        self._asking = asyncio.Lock()

    async def locate(self, tag: str) -> RedisAddress:
        """See Servers."""
        slot = key_slot(tag.encode())
        async with self._asking:
            if asyncio.get_running_loop().time() - self._seen_at > FRESH_S:
                await self._look()
        for first, last, primary in self._slots:
            if first <= slot <= last:
                return primary
        raise Down(f"no server of the Redis Cluster has slot {slot}")

    async def _look(self) -> None:
        """Have one server say where all slots are. Raises Down."""
        for _ in range(len(self._to_ask)):
            asked = self._to_ask.pop(0)
            self._to_ask.append(asked)
            try:
                async with asyncio.timeout(ANSWER_S):
                    reply = await _ask(asked)
            except (Down, Refused, TimeoutError) as error:
                log.debug("%s:%d does not say where the slots are: %r", asked.host, asked.port, error)
                continue
            if reply:  # a server that has not met the others yet knows of none
                self._learn(asked, reply)
                return
        raise Down("no server of the Redis Cluster answers")

    def _learn(self, asked: RedisAddress, reply: Sequence[Any]) -> None:
        """``[first, last, [host, port, id, …] of the primary, then of each replica]``; no host means the one asked."""
        known: dict[RedisAddress, None] = {}
        self._slots = []
        for first, last, *nodes in reply:
            addresses = [asked.at((host or b"").decode() or asked.host, port) for host, port, *_ in nodes]
            self._slots.append(_Slots(first, last, addresses[0]))
            known.update(dict.fromkeys(addresses))
        # The next in turn comes first, and the seeds stay: they may be names, whose addresses change.
        turn = [*self._to_ask, *known, *self._seeds]
        self._to_ask = [one for one in dict.fromkeys(turn) if one in known or one in self._seeds]
        self._seen_at = asyncio.get_running_loop().time()


async def _ask(address: RedisAddress) -> Any:
    link = await Link.open(address)
    try:
        return await link.call("CLUSTER", "SLOTS")
    finally:
        link.close()
