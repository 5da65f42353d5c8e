"""Sessions that ended before their tokens did: refused on every node, their live connections closed."""

from collections.abc import Collection, Sequence
from typing import Final, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from hub.kernel.errors import Unavailable
from hub.kernel.ids import RoomName, SessionId, UserId, session_room, user_room
from hub.kernel.ports import Rooms
from hub.kernel.wire import ServerEvent

BATCH: Final = 500
"""Sessions revoked by one round trip to Redis: 50 KB of commands."""


class SessionRevoked(ServerEvent):
    """The session has ended. The hub closes the connection after this; signing in again is the only way back."""

    event = "session:revoked"
    reason: str


class RedisRevocations:
    """Implements hub.kernel.ports.Revocations: one key a revoked session, for as long as its access tokens could
    live.
    """

    def __init__(self, redis: Redis, rooms: Rooms, *, token_life_s: int) -> None:
        self._redis = redis
        self._rooms = rooms
        self._token_life_s = token_life_s

    async def revoke(self, session_id: SessionId, reason: str) -> None:
        """Refuse the session's tokens and close its connections. Raises Unavailable if Redis does not answer."""
        try:
            await self._redis.set(_key(session_id), reason, ex=self._token_life_s)
        except (RedisError, OSError) as error:
            raise Unavailable("The session could not be ended on all nodes. Try again.") from error
        await self._close(session_room(session_id), reason)

    async def revoke_all(self, user_id: UserId, session_ids: Sequence[SessionId], reason: str) -> None:
        """The same for all sessions of a user; it may be repeated."""
        try:
            for start in range(0, len(session_ids), BATCH):
                step = self._redis.pipeline(transaction=False)
                for session_id in session_ids[start : start + BATCH]:
                    step.execute_command("SET", _key(session_id), reason, "EX", self._token_life_s)
                await step.execute()
        except (RedisError, OSError) as error:
            raise Unavailable("The sessions could not be ended on all nodes. Try again.") from error
        await self._close(user_room(user_id), reason)

    async def enforce(self, session_id: SessionId) -> None:
        """Close the session's connections if it was revoked. Raises Unavailable if Redis does not answer."""
        try:
            reason = cast("bytes | None", await self._redis.get(_key(session_id)))
        except (RedisError, OSError) as error:
            raise Unavailable from error
        if reason is not None:
            await self._close(session_room(session_id), reason.decode())

    async def is_revoked(self, session_id: SessionId) -> bool:
        """Raises Unavailable if Redis does not answer: an outage is neither a refusal nor a pass."""
        try:
            return bool(await self._redis.exists(_key(session_id)))
        except (RedisError, OSError) as error:
            raise Unavailable from error

    async def ended_among(self, session_ids: Collection[SessionId]) -> frozenset[SessionId]:
        """Those of many sessions that were revoked. Raises Unavailable if Redis does not answer."""
        ids, ended = list(session_ids), set[SessionId]()
        try:
            for start in range(0, len(ids), BATCH):
                batch = ids[start : start + BATCH]
                step = self._redis.pipeline(transaction=False)
                for session_id in batch:
                    step.execute_command("EXISTS", _key(session_id))
                ended.update(one for one, there in zip(batch, await step.execute(), strict=True) if there)
        except (RedisError, OSError) as error:
            raise Unavailable from error
        return frozenset(ended)

    async def _close(self, room: RoomName, reason: str) -> None:
        await self._rooms.disconnect(room, farewell=SessionRevoked(reason=reason))


def _key(session_id: SessionId) -> str:
    return f"hub:revoked:{session_id}"
