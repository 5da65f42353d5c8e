"""The people in each room, in Redis: a hash for each person in a room, with a field for each connection."""

from collections.abc import Iterable
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import RedisError

from hub.kernel.errors import Unavailable
from hub.kernel.ids import ConnectionId, NodeId, UserId
from hub.kernel.ports import Nodes

KEPT_S = 7 * 24 * 3600
"""Connections of dead nodes are never taken out of a hash; it goes as a whole, long after the last arrival."""


class RedisPeopleThere:
    """Implements core_api.rooms.store.PeopleThere.

    A field is ``{node}/{connection}``, so that a reader can leave out those of nodes without a lease.
    """

    def __init__(self, redis: Redis, nodes: Nodes) -> None:
        self._redis = redis
        self._nodes = nodes

    async def arrive(self, room_id: str, user_id: UserId, connection_id: ConnectionId) -> bool:
        """Note a connection; whether it is the first."""
        key, field = _key(room_id, user_id), self._field(connection_id)
        step = self._redis.pipeline(transaction=True)
        step.hset(key, field, "1")
        step.expire(key, KEPT_S)
        step.hkeys(key)
        added, _, fields = await _run(step)
        return added == 1 and not await self._others(fields, field)

    async def depart(self, room_id: str, user_id: UserId, connection_id: ConnectionId) -> bool:
        """Forget a connection; whether it was the last."""
        key, field = _key(room_id, user_id), self._field(connection_id)
        step = self._redis.pipeline(transaction=True)
        step.hdel(key, field)
        step.hkeys(key)
        removed, fields = await _run(step)
        return removed == 1 and not await self._others(fields, field)

    async def expel(self, room_id: str, user_id: UserId) -> bool:
        """Forget all connections of a person."""
        step = self._redis.pipeline(transaction=True)
        step.delete(_key(room_id, user_id))
        (removed,) = await _run(step)
        return bool(removed)

    def _field(self, connection_id: ConnectionId) -> str:
        return f"{self._nodes.node_id}/{connection_id}"

    async def _others(self, fields: Iterable[bytes], own: str) -> bool:
        """Whether a connection of a live node is among ``fields``, apart from ``own``."""
        nodes = {NodeId(field.decode().partition("/")[0]) for field in fields if field.decode() != own}
        return bool(nodes) and not nodes.isdisjoint(await self._nodes.live())


def _key(room_id: str, user_id: UserId) -> str:
    return f"hub:there:{{{room_id}}}:{user_id}"


async def _run(step: "Pipeline[bytes]") -> list[Any]:
    try:
        return await step.execute()
    except (RedisError, OSError) as error:
        raise Unavailable from error
