"""The people in each room, in Redis: a hash for each person in a room, with a field for each connection."""

from collections.abc import Awaitable, Iterable
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from hub.kernel.errors import Unavailable
from hub.kernel.ids import ConnectionId, NodeId, UserId
from hub.kernel.ports import Nodes

KEPT_S = 7 * 24 * 3600
"""Connections of dead nodes are never taken out of a hash; it goes as a whole, long after the last arrival."""


# KEYS: the person in the room   ARGV: the connection, seconds kept
ARRIVE = """
local added = redis.call('HSET', KEYS[1], ARGV[1], 1)
redis.call('EXPIRE', KEYS[1], ARGV[2])
return {added, redis.call('HKEYS', KEYS[1])}
"""
DEPART = """
return {redis.call('HDEL', KEYS[1], ARGV[1]), redis.call('HKEYS', KEYS[1])}
"""


class RedisPeopleThere:
    """Implements core_api.rooms.store.PeopleThere.

    A field is ``{node}/{connection}``, so that a reader can leave out those of nodes without a lease.
    """

    def __init__(self, redis: Redis, nodes: Nodes) -> None:
        self._redis = redis
        self._nodes = nodes
        self._arrive = redis.register_script(ARRIVE)
        self._depart = redis.register_script(DEPART)

    async def arrive(self, room_id: str, user_id: UserId, connection_id: ConnectionId) -> bool:
        """Note a connection; whether it is the first."""
        field = self._field(connection_id)
        added, fields = await _answer(self._arrive(keys=[_key(room_id, user_id)], args=[field, KEPT_S]))
        return added == 1 and not await self._others(fields, field)

    async def depart(self, room_id: str, user_id: UserId, connection_id: ConnectionId) -> bool:
        """Forget a connection; whether it was the last."""
        field = self._field(connection_id)
        removed, fields = await _answer(self._depart(keys=[_key(room_id, user_id)], args=[field]))
        return removed == 1 and not await self._others(fields, field)

    async def expel(self, room_id: str, user_id: UserId) -> bool:
        """Forget all connections of a person."""
        return bool(await _answer(self._redis.delete(_key(room_id, user_id))))

    def _field(self, connection_id: ConnectionId) -> str:
        return f"{self._nodes.node_id}/{connection_id}"

    async def _others(self, fields: Iterable[bytes], own: str) -> bool:
        """Whether a connection of a live node is among ``fields``, apart from ``own``."""
        nodes = {NodeId(field.decode().partition("/")[0]) for field in fields if field.decode() != own}
        return bool(nodes) and not nodes.isdisjoint(await self._nodes.live())


async def _answer(reply: Awaitable[Any]) -> Any:
    try:
        return await reply
    except (RedisError, OSError) as error:
        raise Unavailable from error


def _key(room_id: str, user_id: UserId) -> str:
    return f"hub:there:{{{room_id}}}:{user_id}"
