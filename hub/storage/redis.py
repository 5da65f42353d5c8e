"""The Redis (or Valkey) client of a node."""

from collections.abc import Awaitable, Callable
from typing import cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from hub.kernel import redis_url
from hub.storage.linked_redis import LinkedRedis, RedisLink
from hub.storage.redis_cluster import ClusterClient
from hub.storage.redis_connection import PACKING

WAIT_S = 5
"""For a connection of the pool, as long as for an answer."""


def connect(url: str, *, size: int, open_link: Callable[[], Awaitable[RedisLink]] | None = None) -> Redis:
    """A client with a pool of at most ``size`` connections, that gives bytes and does not repeat commands.

    With ``open_link`` commands to one server go over a link, see hub.storage.linked_redis.

    redis-py retries a command whose connection broke; the server may have run it the first time, and most of ours are
    not harmless twice. Callers decide. Connects lazily: an unreachable server shows at the first command. When all
    connections are in use a command waits for one: the usual pool refuses it, and fifty events at once are no outage.

    For a Redis Cluster it is one that has the same commands, see hub.storage.redis_cluster.
    """
    if redis_url.is_cluster(url):
        return cast("Redis", ClusterClient(url, size=size, wait_s=WAIT_S))
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=size,
        timeout=WAIT_S,
        socket_connect_timeout=2,
        socket_timeout=5,
        retry=Retry(NoBackoff(), 0),
    )
    pool.connection_class = PACKING[pool.connection_class]
    return Redis.from_pool(pool) if open_link is None else LinkedRedis(pool, open_link)


class RedisProbe:
    """Readiness: Redis answers."""

    name = "redis"

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def check(self) -> None:
        """Raises if the server does not answer."""
        await self._redis.ping()
