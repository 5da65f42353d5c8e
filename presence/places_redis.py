"""How many connections a user has on all nodes, those included that are about to begin."""

from pathlib import Path
from typing import Any, Final

from redis.asyncio import Redis

from hub.kernel.clock import Clock
from hub.kernel.errors import TooManyConnections
from hub.kernel.events import Caller
from hub.kernel.ids import UserId
from presence.model import part_of
from presence.redis_calls import answer
from presence.store_redis import STATE_KEYS

LUA = Path(__file__).with_name("lua")
KEPT_MS: Final = 3000
"""How long a place counts by itself. A connection is in the user's state some milliseconds after it asked, or a second
or two on a node to which thousands connect; one that came and went meanwhile counts for this long."""


class RedisPlaces:
    """Implements hub.kernel.ports.Places over the states of presence.store_redis.

    One Lua function counts and takes the place, so of many at once no more get one than there are. Connections that are
    held do not count; those of a node that died do, until they are buried.
    """

    def __init__(self, redis: Redis, clock: Clock) -> None:
        self._place = redis.register_script((LUA / "place.lua").read_text())
        self._clock = clock

    async def take(self, caller: Caller, most: int) -> None:
        """See Places."""
        arguments: list[Any] = [self._clock.now_ms(), caller.connection_id, most, KEPT_MS]
        if not await answer(self._place(keys=_keys(caller.user_id), args=arguments)):
            raise TooManyConnections(
                f"You have {most} connections, as many as one person may have. Close one and connect again.",
                limit=most,
            )


def _keys(user_id: UserId) -> list[str]:
    """KEYS of lua/place.lua."""
    part = part_of(user_id)
    return [STATE_KEYS[part] + user_id, f"hub:presence:{{p{part}}}:places:{user_id}"]
