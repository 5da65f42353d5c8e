"""Changes of presence that were told come into the history once each, on a real Valkey and PostgreSQL."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest
from redis.asyncio import Redis

from core_api.accounts.model import Account, Session
from core_api.accounts.store_postgres import PostgresAccounts
from hub.kernel.clock import from_ms
from hub.kernel.errors import Unavailable
from hub.kernel.ids import SessionId, UserId, new_uuid
from presence.history import Past, Recorder
from presence.history_postgres import PostgresHistory
from presence.history_redis import RecordedTransitions, RedisHistoryQueue
from presence.model import Status
from presence.transitions import EntryId
from presence.transitions_redis import RedisTransitions
from tests.support.clock import FrozenClock

KEYS, HISTORY = ["{a}:transitions", "{b}:transitions"], ["{a}:history", "{b}:history"]
NOW = from_ms(1_800_000_000_000)


@pytest.fixture
def store(pool: asyncpg.Pool) -> PostgresHistory:
    return PostgresHistory(pool)


@pytest.fixture
def transitions(redis: Redis) -> RecordedTransitions:
    return RecordedTransitions(redis, RedisTransitions(redis, KEYS), KEYS, HISTORY)


@pytest.fixture
def queue(redis: Redis) -> RedisHistoryQueue:
    return RedisHistoryQueue(redis, HISTORY)


def recorder(queue: RedisHistoryQueue, store: PostgresHistory, days: int = 30) -> Recorder:
    return Recorder(queue, store, FrozenClock(), days)


async def account(pool: asyncpg.Pool, name: str) -> UserId:
    user_id = UserId(new_uuid())
    made = Account(user_id, f"{name}@example.org", name, "", "", "active", "user", 1, NOW)
    session = Session(
        SessionId(new_uuid()),
        user_id,
        "x",
        "",
        created_at=NOW,
        refreshed_at=NOW,
        refresh_seed=b"s",
        refresh_generation=1,
    )
    await PostgresAccounts(pool).create(made, "hash", None, session)
    return user_id


async def happened(redis: Redis, user_id: UserId, version: int, status: Status, part: int = 0) -> EntryId:
    """What lua/user.lua writes down."""
    at = 1_800_000_000_000 + version
    fields = {"user": user_id, "status": int(status), "version": version, "shown": version, "at": at}
    entry = await redis.xadd(KEYS[part], fields)  # type: ignore[arg-type]
    assert isinstance(entry, bytes)
    return EntryId(part, entry.decode())


async def versions(store: PostgresHistory, user_id: UserId) -> list[int]:
    return [past.version for past in await store.page(user_id, before=None, limit=100)]


async def test_what_was_told_is_in_the_history_latest_first_and_nowhere_else(
    redis: Redis, pool: asyncpg.Pool, store: PostgresHistory, transitions: RecordedTransitions, queue: RedisHistoryQueue
) -> None:
    ann, ben = await account(pool, "ann"), await account(pool, "ben")
    entries = [
        await happened(redis, ann, 1, Status.ONLINE),
        await happened(redis, ben, 2, Status.INVISIBLE, part=1),
        await happened(redis, ann, 3, Status.OFFLINE),
    ]
    untold = await happened(redis, ann, 4, Status.ONLINE)
    await transitions.remove(entries)
    assert await recorder(queue, store).record() == 3
    at = [NOW + timedelta(milliseconds=version) for version in (3, 1)]
    assert await store.page(ann, before=None, limit=10) == [
        Past(ann, 3, at[0], Status.OFFLINE),
        Past(ann, 1, at[1], Status.ONLINE),
    ]
    assert [past.status for past in await store.page(ben, before=None, limit=10)] == [Status.INVISIBLE]
    assert [one.entry for one in await transitions.overdue(0)] == [untold]
    assert await queue.oldest() == []


async def test_a_page_goes_on_below_a_version(redis: Redis, pool: asyncpg.Pool, store: PostgresHistory) -> None:
    ann = await account(pool, "ann")
    transitions = RecordedTransitions(redis, RedisTransitions(redis, KEYS), KEYS, HISTORY)
    await transitions.remove([await happened(redis, ann, version, Status.AWAY) for version in range(1, 6)])
    await recorder(RedisHistoryQueue(redis, HISTORY), store).record()
    assert [past.version for past in await store.page(ann, before=None, limit=2)] == [5, 4]
    assert [past.version for past in await store.page(ann, before=4, limit=2)] == [3, 2]


async def test_what_is_removed_by_two_nodes_or_twice_is_in_the_history_once(
    redis: Redis, pool: asyncpg.Pool, store: PostgresHistory, transitions: RecordedTransitions, queue: RedisHistoryQueue
) -> None:
    ann = await account(pool, "ann")
    entries = [await happened(redis, ann, version, Status.ONLINE) for version in range(1, 30)]
    await asyncio.gather(*(transitions.remove(entries) for _ in range(3)))
    assert len(await queue.oldest()) == len(entries)


async def test_a_node_that_dies_before_it_cleared_the_queue_doubles_nothing(
    redis: Redis, pool: asyncpg.Pool, store: PostgresHistory, transitions: RecordedTransitions, queue: RedisHistoryQueue
) -> None:
    class Dies(RedisHistoryQueue):
        async def remove(self, entries: object) -> None:
            raise Unavailable

    ann = await account(pool, "ann")
    await transitions.remove([await happened(redis, ann, version, Status.ONLINE) for version in (1, 2)])
    with pytest.raises(Unavailable):
        await recorder(Dies(redis, HISTORY), store).record()
    assert await versions(store, ann) == [2, 1]
    assert await recorder(queue, store).record() == 2
    assert await versions(store, ann) == [2, 1]


async def test_many_nodes_at_once_record_each_change_once(
    redis: Redis, pool: asyncpg.Pool, store: PostgresHistory, transitions: RecordedTransitions, queue: RedisHistoryQueue
) -> None:
    ann = await account(pool, "ann")
    count = 500  # more than is read at once
    for start in range(0, count, 100):
        await transitions.remove([await happened(redis, ann, start + number, Status.BUSY) for number in range(1, 101)])
    while await queue.oldest():
        await asyncio.gather(*(recorder(queue, store).record() for _ in range(3)))
    assert await pool.fetchval("SELECT count(*) FROM presence_transition") == count


async def test_changes_of_an_account_that_is_deleted_are_dropped(
    redis: Redis, pool: asyncpg.Pool, store: PostgresHistory, transitions: RecordedTransitions, queue: RedisHistoryQueue
) -> None:
    ann, gone = await account(pool, "ann"), UserId(new_uuid())
    await transitions.remove(
        [await happened(redis, ann, 1, Status.ONLINE), await happened(redis, gone, 2, Status.ONLINE)]
    )
    assert await recorder(queue, store).record() == 2
    assert (await versions(store, ann), await versions(store, gone)) == ([1], [])
    assert await queue.oldest() == []


async def test_what_is_too_old_is_forgotten_and_all_of_it_if_none_is_kept(
    redis: Redis, pool: asyncpg.Pool, store: PostgresHistory, transitions: RecordedTransitions, queue: RedisHistoryQueue
) -> None:
    ann = await account(pool, "ann")
    day_ms = 24 * 3600 * 1000
    old, young = -31 * day_ms, -29 * day_ms
    await transitions.remove([await happened(redis, ann, at, Status.ONLINE) for at in (old, young)])
    await recorder(queue, store).record()
    assert await recorder(queue, store, days=30).purge() == 1
    assert await versions(store, ann) == [young]
    assert await recorder(queue, store, days=0).purge() == 1
    assert await versions(store, ann) == []


async def test_without_redis_nothing_is_lost_and_unavailable_is_said(store: PostgresHistory) -> None:
    async with Redis.from_url("redis://127.0.0.1:1") as nowhere:
        with pytest.raises(Unavailable):
            await recorder(RedisHistoryQueue(nowhere, HISTORY), store).record()
        transitions = RecordedTransitions(nowhere, RedisTransitions(nowhere, KEYS), KEYS, HISTORY)
        with pytest.raises(Unavailable):
            await transitions.remove([EntryId(0, "1-0")])
