"""The Redis (or Valkey) client of a node."""

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff


def connect(url: str, *, size: int) -> Redis:
    """A client with a pool of at most ``size`` connections, that gives bytes and does not repeat commands.

    redis-py retries a command whose connection broke; the server may have run it the first time, and most of ours are
    not harmless twice. Callers decide. Connects lazily: an unreachable server shows at the first command.
    """
    return Redis.from_url(
        url,
        max_connections=size,
        socket_connect_timeout=2,
        socket_timeout=5,
        retry=Retry(NoBackoff(), 0),
    )


class RedisProbe:
    """Readiness: Redis answers."""

    name = "redis"

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def check(self) -> None:
        """Raises if the server does not answer."""
        await self._redis.ping()
