"""Busy lines in Redis: a key for each person, under a tag of its own."""

from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from hub.kernel.ids import UserId
from signaling.settings import CallSettings

LUA = Path(__file__).with_name("lua")


class RedisBusyLines:
    """Implements signaling.busy.BusyLines."""

    def __init__(self, redis: Redis, settings: CallSettings) -> None:
        self._redis = redis
        self._lease_ms = settings.leg_lease_s * 1000
        self._free = redis.register_script((LUA / "release.lua").read_text())

    async def take(self, user_ids: Collection[UserId], call_id: str) -> None:
        """See BusyLines."""
        pipe = self._redis.pipeline(transaction=False)
        for user_id in user_ids:
            pipe.execute_command("SET", _line(user_id), call_id, "PX", self._lease_ms)
        with suppress(RedisError, OSError):
            await pipe.execute()

    async def call_of(self, user_id: UserId) -> str | None:
        """See BusyLines."""
        try:
            call_id = cast("bytes | None", await self._redis.get(_line(user_id)))
        except (RedisError, OSError):
            return None
        return None if call_id is None else call_id.decode()

    async def free(self, user_ids: Collection[UserId], call_id: str) -> None:
        """See BusyLines."""
        with suppress(RedisError, OSError):
            for user_id in user_ids:
                await self._free(keys=[_line(user_id)], args=[call_id])


def _line(user_id: UserId) -> str:
    return f"{{busy:{user_id}}}"
