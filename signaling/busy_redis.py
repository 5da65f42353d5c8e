"""Busy lines in Redis: a key for each person, under a tag of its own."""

from collections.abc import Collection
from contextlib import suppress

from hub.kernel.errors import Unavailable
from hub.kernel.ids import UserId
from signaling.redis_commands import Asked, Commands
from signaling.settings import CallSettings
from signaling.store_redis import RELEASE, line_of


class RedisBusyLines:
    """Implements signaling.busy.BusyLines."""

    def __init__(self, commands: Commands, settings: CallSettings) -> None:
        self._commands = commands
        self._lease_ms = settings.leg_lease_s * 1000

    async def take(self, user_ids: Collection[UserId], call_id: str) -> None:
        """See BusyLines."""
        with suppress(Unavailable):
            lines = map(line_of, user_ids)
            await self._commands.post(*(("SET", one, call_id, "PX", self._lease_ms) for one in lines))

    async def call_of(self, user_id: UserId) -> str | None:
        """See BusyLines."""
        try:
            call_id: bytes | None = await self._commands.run("GET", line_of(user_id))
        except Unavailable:
            return None
        return None if call_id is None else call_id.decode()

    async def free(self, user_ids: Collection[UserId], call_id: str) -> None:
        """See BusyLines."""
        with suppress(Unavailable):
            await self._commands.many(*(Asked((line_of(user_id), call_id), RELEASE) for user_id in user_ids))
