"""core_api.outbox_relay on a real PostgreSQL and Valkey."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import asyncpg
import pytest
from redis.asyncio import Redis

from core_api import outbox
from core_api.outbox import Payload
from core_api.outbox_relay import STREAM, OutboxRelay, OutboxSettings
from hub.kernel.errors import Unavailable
from hub.kernel.tasks import Tasks
from hub.storage.redis import connect
from tests.support.wait import until

FAST = OutboxSettings(poll_s=0.02, retry_s=0.002, retry_max_s=0.01)
HELD_BACK = "SELECT count(*) FROM outbox WHERE transaction >= pg_snapshot_xmin(pg_current_snapshot())"
NOWHERE = "unix:///nowhere/v.sock"


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    tasks = Tasks()
    yield tasks
    await tasks.close()


class Inbox:
    """A sink that keeps what it gets, after ``hook`` had its chance to fail."""

    def __init__(self, hook: Callable[[int], Awaitable[None]] | None = None) -> None:
        self.numbers: list[int] = []
        self._hook = hook

    async def __call__(self, payload: Payload) -> None:
        if self._hook is not None:
            await self._hook(payload["n"])
        self.numbers.append(payload["n"])


def relay_to(inbox: Inbox, pool: asyncpg.Pool, redis: Redis, settings: OutboxSettings = FAST) -> OutboxRelay:
    relay = OutboxRelay(pool, redis, settings)
    relay.add({"test.happened": inbox})
    return relay


async def commit(pool: asyncpg.Pool, *numbers: int) -> None:
    for number in numbers:
        async with pool.acquire() as connection, connection.transaction():
            await outbox.append(connection, "test.happened", {"n": number})
    await until(lambda: _may_be_relayed(pool))


async def _may_be_relayed(pool: asyncpg.Pool) -> bool:
    """Whether no transaction holds the outbox back; autovacuum of any database of the server may, for a moment."""
    return not await pool.fetchval(HELD_BACK)


async def left(pool: asyncpg.Pool) -> int:
    count: int = await pool.fetchval("SELECT count(*) FROM outbox")
    return count


async def stream(redis: Redis) -> list[dict[bytes, bytes]]:
    entries: list[tuple[bytes, dict[bytes, bytes]]] = cast("Any", await redis.xrange(STREAM))
    return [fields for _, fields in entries]


async def test_events_are_delivered_in_order_to_the_sink_and_to_the_stream(pool: asyncpg.Pool, redis: Redis) -> None:
    inbox = Inbox()
    await commit(pool, 1, 2, 3)
    await relay_to(inbox, pool, redis).relay()
    assert inbox.numbers == [1, 2, 3]
    assert await left(pool) == 0
    entries = await stream(redis)
    assert [entry[b"payload"] for entry in entries] == [b'{"n": 1}', b'{"n": 2}', b'{"n": 3}']
    assert len({entry[b"id"] for entry in entries}) == 3


async def test_what_was_rolled_back_is_not_delivered(pool: asyncpg.Pool, redis: Redis) -> None:
    inbox = Inbox()
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await outbox.append(connection, "test.happened", {"n": 1})
        await transaction.rollback()
    await commit(pool, 2)
    await relay_to(inbox, pool, redis).relay()
    assert inbox.numbers == [2]


async def test_a_slow_transaction_with_a_lower_id_is_neither_lost_nor_overtaken(
    pool: asyncpg.Pool, redis: Redis
) -> None:
    inbox = Inbox()
    relay = relay_to(inbox, pool, redis)
    async with pool.acquire() as slow, slow.transaction():
        await outbox.append(slow, "test.happened", {"n": 1})
        async with pool.acquire() as quick, quick.transaction():
            await outbox.append(quick, "test.happened", {"n": 2})
        await relay.relay()
        assert inbox.numbers == []  # 2 is committed and waits for 1
    await until(lambda: _may_be_relayed(pool))
    await relay.relay()
    assert inbox.numbers == [1, 2]


async def test_two_relays_at_once_deliver_each_event_once_and_in_order(
    pool: asyncpg.Pool, redis: Redis, tasks: Tasks
) -> None:
    async def let_the_other_run(_number: int) -> None:
        await pool.fetchval("SELECT 1")

    inbox = Inbox(let_the_other_run)
    settings = OutboxSettings(poll_s=0.001, batch=3)
    for name in ("one", "two"):
        tasks.start(relay_to(inbox, pool, redis, settings).run(), name=name)
    for number in range(60):
        async with pool.acquire() as connection, connection.transaction():
            await outbox.append(connection, "test.happened", {"n": number})
    await until(lambda: len(inbox.numbers) >= 60)
    await until(lambda: _empty(pool))
    assert inbox.numbers == list(range(60))


async def _empty(pool: asyncpg.Pool) -> bool:
    return await left(pool) == 0


async def test_while_one_relay_delivers_another_does_nothing(pool: asyncpg.Pool, redis: Redis, tasks: Tasks) -> None:
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def hold(_number: int) -> None:
        entered.set()
        await go_on.wait()

    first, second = Inbox(hold), Inbox()
    await commit(pool, 1)
    tasks.start(relay_to(first, pool, redis).relay(), name="first")
    await entered.wait()
    assert await relay_to(second, pool, redis).relay() is False
    assert second.numbers == []
    go_on.set()
    await until(lambda: _empty(pool))
    assert first.numbers == [1]


async def test_an_event_whose_relay_dies_after_the_sink_is_delivered_again(
    pool: asyncpg.Pool, redis: Redis, tasks: Tasks
) -> None:
    reached, never = asyncio.Event(), asyncio.Event()

    async def die_at_two(number: int) -> None:
        if number == 2:
            reached.set()
            await never.wait()

    first, second = Inbox(die_at_two), Inbox()
    await commit(pool, 1, 2)
    dying = tasks.start(relay_to(first, pool, redis).relay(), name="dying")
    await reached.wait()
    dying.cancel()
    heir = relay_to(second, pool, redis)
    await until(lambda: _relayed_all(heir, pool))
    assert first.numbers == [1]
    assert second.numbers == [1, 2]
    ids = [entry[b"id"] for entry in await stream(redis)]
    assert ids == [ids[0], ids[1], ids[0], ids[1]]  # consumers of the stream tell repeats by the id


async def _relayed_all(relay: OutboxRelay, pool: asyncpg.Pool) -> bool:
    await relay.relay()
    return await left(pool) == 0


async def test_a_poison_event_is_buried_after_ten_attempts_and_the_rest_goes_on(
    pool: asyncpg.Pool, redis: Redis, tasks: Tasks, caplog: pytest.LogCaptureFixture
) -> None:
    attempts: list[int] = []

    async def choke_on_two(number: int) -> None:
        if number == 2:
            attempts.append(number)
            raise ValueError("two")

    inbox = Inbox(choke_on_two)
    await commit(pool, 1, 2, 3)
    tasks.start(relay_to(inbox, pool, redis).run(), name="relay")
    await until(lambda: 3 in inbox.numbers)
    await until(lambda: _empty(pool))
    assert inbox.numbers == [1, 3]
    assert len(attempts) == 10
    (dead,) = await pool.fetch("SELECT topic, payload, error FROM outbox_dead")
    assert (dead["topic"], dead["payload"], dead["error"]) == ("test.happened", '{"n": 2}', "ValueError('two')")
    assert "goes to outbox_dead" in caplog.text
    assert len(await stream(redis)) == 3


async def test_those_behind_a_failed_event_wait_on_every_node(pool: asyncpg.Pool, redis: Redis) -> None:
    fails = [True]

    async def fail_once(number: int) -> None:
        if number == 1 and fails.pop():
            fails.append(False)
            raise ValueError("once")

    inbox = Inbox(fail_once)
    patient = OutboxSettings(retry_s=60, retry_max_s=60)
    await commit(pool, 1, 2)
    await relay_to(inbox, pool, redis, patient).relay()
    await relay_to(inbox, pool, redis, patient).relay()  # another node, at once
    assert inbox.numbers == []
    await pool.execute("UPDATE outbox SET retry_at = now()")
    await relay_to(inbox, pool, redis, patient).relay()
    assert inbox.numbers == [1, 2]


async def test_an_outage_costs_no_attempts(pool: asyncpg.Pool, redis: Redis) -> None:
    async def is_away(number: int) -> None:
        if number == 2:
            raise Unavailable

    await commit(pool, 1, 2)
    relay = relay_to(Inbox(is_away), pool, redis)
    for _ in range(12):
        with pytest.raises(Unavailable):
            await relay.relay()
    assert await pool.fetchval("SELECT attempts FROM outbox") == 0
    assert await pool.fetchval("SELECT count(*) FROM outbox_dead") == 0


async def test_without_redis_the_sink_is_not_reached_and_nothing_is_lost(pool: asyncpg.Pool, redis: Redis) -> None:
    inbox = Inbox()
    await commit(pool, 1)
    with pytest.raises(Unavailable):
        await relay_to(inbox, pool, connect(NOWHERE, size=1)).relay()
    assert inbox.numbers == []
    await relay_to(inbox, pool, redis).relay()
    assert inbox.numbers == [1]


async def test_the_relay_outlives_a_lost_database_connection(pool: asyncpg.Pool, redis: Redis, tasks: Tasks) -> None:
    async def lose_the_connection(number: int) -> None:
        if number == 1 and not lost:
            lost.append(number)
            await pool.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    lost: list[int] = []
    inbox = Inbox(lose_the_connection)
    await commit(pool, 1, 2)
    tasks.start(relay_to(inbox, pool, redis).run(), name="relay")
    await until(lambda: 2 in inbox.numbers)
    assert inbox.numbers[-2:] == [1, 2]
    await until(lambda: _empty_again(pool))


async def _empty_again(pool: asyncpg.Pool) -> bool:
    try:
        return await _empty(pool)
    except asyncpg.PostgresConnectionError:
        return False  # this connection of the pool was ended as well


async def test_a_nudge_is_answered_long_before_the_next_poll(pool: asyncpg.Pool, redis: Redis, tasks: Tasks) -> None:
    inbox = Inbox()
    relay = relay_to(inbox, pool, redis, OutboxSettings(poll_s=3600))
    tasks.start(relay.run(), name="relay")
    await commit(pool, 1)
    relay.nudge()
    await until(lambda: inbox.numbers == [1])
    await commit(pool, 2)
    relay.nudge()
    await until(lambda: inbox.numbers == [1, 2])


async def test_a_full_batch_is_followed_by_the_next_one_at_once(pool: asyncpg.Pool, redis: Redis, tasks: Tasks) -> None:
    inbox = Inbox()
    await commit(pool, *range(7))
    tasks.start(relay_to(inbox, pool, redis, OutboxSettings(poll_s=3600, batch=3)).run(), name="relay")
    await until(lambda: len(inbox.numbers) == 7)


async def test_a_topic_without_a_sink_goes_to_the_stream(pool: asyncpg.Pool, redis: Redis) -> None:
    await commit(pool, 1)
    await OutboxRelay(pool, redis).relay()
    assert await left(pool) == 0
    assert len(await stream(redis)) == 1


def test_a_topic_has_one_sink() -> None:
    unused: Any = None
    relay = relay_to(Inbox(), unused, unused)
    with pytest.raises(ValueError, match=r"test\.happened"):
        relay.add({"test.happened": Inbox()})
