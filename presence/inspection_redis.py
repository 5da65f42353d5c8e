"""What Redis has of a user, with all connections."""

from msgspec import msgpack
from redis.asyncio import Redis

from hub.kernel.ids import UserId
from presence.inspection import Known
from presence.model import part_of
from presence.redis_calls import pipelined
from presence.store_redis import STATE_KEYS

PACKED = msgpack.Decoder(Known)


class RedisInspector:
    """Implements presence.inspection.Inspector over the states of presence.store_redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def look(self, user_id: UserId) -> Known:
        """See Inspector."""
        [stored] = await pipelined(self._redis, [("GET", STATE_KEYS[part_of(user_id)] + user_id)])
        return Known(user_id) if stored is None else PACKED.decode(stored)
