"""What CallHistory and BusyLines promise, on PostgreSQL and Redis."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest
from redis.asyncio import Redis

from core_api import outbox
from hub.kernel.clock import from_ms
from hub.kernel.errors import Unavailable
from hub.kernel.ids import UserId, new_ulid, new_uuid
from signaling.busy_redis import RedisBusyLines
from signaling.history import MISSED, Answer, Before, CallHistory, PastCall, PastMember
from signaling.history_postgres import PostgresCallHistory
from signaling.redis_commands import ClientCommands
from signaling.settings import CallSettings
from signaling.store_redis import line_of

ADA, BOB, EVE, GHOST = [UserId(new_uuid()) for _ in range(4)]
NOW = from_ms(1_800_000_000_123)


@pytest.fixture
def history(pool: asyncpg.Pool) -> CallHistory:
    return PostgresCallHistory(pool, outbox.append)


def past(minutes: int = 0) -> PastCall:
    people = [
        PastMember(ADA, Answer.JOINED),
        PastMember(BOB, Answer.MISSED),
        PastMember(EVE, Answer.DECLINED),
        PastMember(GHOST, Answer.MISSED, knows=False),
    ]
    members = tuple(sorted(people, key=lambda one: one.user_id))
    start = NOW + timedelta(minutes=minutes)
    return PastCall(new_ulid(), "audio", ADA, True, start, None, start, "cancelled", members)


async def test_of_many_who_keep_a_call_one_does_and_tells_each_who_missed_it_once(
    history: CallHistory, pool: asyncpg.Pool
) -> None:
    call = past()
    await asyncio.gather(*(history.keep(call) for _ in range(6)))
    await history.keep(replace(call, reason="other"))
    assert await history.call(ADA, call.call_id) == call
    told = await pool.fetch("SELECT payload FROM outbox WHERE topic = $1", MISSED)
    assert [json.loads(row["payload"]) for row in told] == [{"callId": call.call_id, "userId": BOB}]


async def test_everybody_finds_their_calls_latest_first_and_nobody_those_that_did_not_ring_there(
    history: CallHistory,
) -> None:
    calls = [past(minutes) for minutes in (1, 3, 2)]
    same_time = replace(past(3), call_id="0" * 26)
    for call in (*calls, same_time):
        await history.keep(call)
    latest_first = [calls[1], same_time, calls[2], calls[0]]
    assert await history.page(BOB, None, 10) == latest_first
    second = await history.page(BOB, Before(calls[1].started_at, calls[1].call_id), 2)
    assert second == latest_first[1:3]
    assert await history.page(GHOST, None, 10) == []
    assert await history.call(GHOST, calls[0].call_id) is None
    assert await history.call(ADA, new_ulid()) is None


async def test_a_database_that_is_not_there_is_unavailable(pool: asyncpg.Pool, history: CallHistory) -> None:
    await pool.close()
    for attempt in (history.keep(past()), history.page(ADA, None, 1), history.call(ADA, "x")):
        with pytest.raises(Unavailable):
            await attempt


async def test_a_line_is_of_the_last_call_expires_and_is_freed_by_its_own_call(redis: Redis) -> None:
    lines = RedisBusyLines(ClientCommands(redis), CallSettings())
    await lines.take([ADA, BOB], "one")
    await lines.take([ADA], "two")
    assert 0 < await redis.pttl(f"{{busy:{ADA}}}") <= 30_000
    await lines.free([ADA, BOB], "one")
    assert await redis.mget(line_of(ADA), line_of(BOB)) == [b"two", None]


async def test_a_redis_that_is_not_there_keeps_nobody_from_answering() -> None:
    async with Redis.from_url("redis://127.0.0.1:1") as gone:  # tcpmux: nothing listens there
        lines = RedisBusyLines(ClientCommands(gone), CallSettings())
        await lines.take([ADA], "one")
        await lines.free([ADA], "one")
