"""What calls that go on take in Redis."""

import asyncio

from redis.asyncio import Redis

from hub.kernel.clock import SystemClock
from hub.kernel.events import Caller
from hub.kernel.ids import ConnectionId, SessionId, UserId, new_ulid, new_uuid
from hub.storage.redis import connect
from signaling.call.commands import Accept, Callee, Create, Signal
from signaling.redis_commands import ClientCommands
from signaling.settings import CallSettings
from signaling.store_redis import RedisCallStore

AT_ONCE = 50
SDP = '{"signal":{"type":"offer","sdp":"' + "a=candidate:1 1 udp 2122260223 192.0.2.1 49152 typ host " * 30 + '"}}'
"""Nearly 2 KB."""


async def bytes_of_a_call(redis_url: str, count: int) -> float:
    """Have so many calls going on, of two people each who have exchanged an offer and an answer, and ask Redis."""
    async with connect(redis_url, size=AT_ONCE) as redis:
        store = RedisCallStore(ClientCommands(redis), SystemClock(), CallSettings())
        before = await _used(redis)
        for start in range(0, count, AT_ONCE):
            await asyncio.gather(*(_hold(store) for _ in range(min(AT_ONCE, count - start))))
        return (await _used(redis) - before) / count


async def _hold(store: RedisCallStore) -> None:
    call_id, (caller, callee) = new_ulid(), [_somebody() for _ in range(2)]
    ring_until = SystemClock().now_ms() + 90_000
    await store.place(call_id, Create(caller, (Callee(callee.user_id),), "audio", ring_until))
    await store.apply(call_id, Accept(callee))
    await store.apply(call_id, Signal(caller, 1, "other", SDP))
    await store.apply(call_id, Signal(callee, 1, "answer", SDP))


def _somebody() -> Caller:
    return Caller(UserId(new_uuid()), SessionId(new_uuid()), ConnectionId(new_uuid()))


async def _used(redis: Redis) -> int:
    return int((await redis.info("memory"))["used_memory"])
