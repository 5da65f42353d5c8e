"""The people in each room, in Redis: a hash for each person in a room, with a field for each connection."""

from collections.abc import Iterable
from typing import Any

from redis.asyncio import Redis
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
        added, _, fields = await self._at_once(("HSET", key, field, 1), ("EXPIRE", key, KEPT_S), ("HKEYS", key))
        return added == 1 and not await self._others(fields, field)

    async def depart(self, room_id: str, user_id: UserId, connection_id: ConnectionId) -> bool:
        """Forget a connection; whether it was the last."""
        key, field = _key(room_id, user_id), self._field(connection_id)
        removed, fields = await self._at_once(("HDEL", key, field), ("HKEYS", key))
        return removed == 1 and not await self._others(fields, field)

    async def expel(self, room_id: str, user_id: UserId) -> bool:
        """Forget all connections of a person."""
        (removed,) = await self._at_once(("DEL", _key(room_id, user_id)))
        return bool(removed)

    def _field(self, connection_id: ConnectionId) -> str:
        return f"{self._nodes.node_id}/{connection_id}"

    async def _others(self, fields: Iterable[bytes], own: str) -> bool:
        """Whether a connection of a live node is among ``fields``, apart from ``own``."""
        nodes = {NodeId(field.decode().partition("/")[0]) for field in fields if field.decode() != own}
        return bool(nodes) and not nodes.isdisjoint(await self._nodes.live())

    async def _at_once(self, *commands: tuple[str | int, ...]) -> list[Any]:
        step = self._redis.pipeline(transaction=True)
        for command in commands:
            step.execute_command(*command)
        try:
            return await step.execute()
        except (RedisError, OSError) as error:
            raise Unavailable from error


def _key(room_id: str, user_id: UserId) -> str:
    return f"hub:there:{{{room_id}}}:{user_id}"
