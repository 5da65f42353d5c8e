"""What StaffStore promises, on PostgreSQL."""

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from core_api.accounts.model import Account, Session
from core_api.accounts.store import SUSPENDED, StaffStore
from core_api.accounts.store_postgres import PostgresAccounts
from core_api.accounts.store_postgres_staff import PostgresStaff
from hub.kernel.clock import from_ms
from hub.kernel.ids import SessionId, UserId, new_uuid

NOW = from_ms(1_800_000_000_123)
LONG_AGO = NOW - timedelta(days=400)


@pytest.fixture
def store(pool: asyncpg.Pool) -> StaffStore:
    return PostgresStaff(pool)


@pytest.fixture
def accounts(pool: asyncpg.Pool) -> PostgresAccounts:
    return PostgresAccounts(pool)


@pytest.fixture
async def ada(accounts: PostgresAccounts) -> Account:
    made = Account(UserId(new_uuid()), "Ada@example.org", "ada", "", "", "active", "user", 1, NOW)
    assert await accounts.create(made, "hash", None, session(made.id)) == frozenset()
    return made


def session(user_id: UserId, **changes: Any) -> Session:
    times = {"created_at": NOW, "refreshed_at": NOW} | changes
    return Session(SessionId(new_uuid()), user_id, "Firefox", "", **times, refresh_seed=b"s", refresh_generation=1)


async def told(pool: asyncpg.Pool) -> list[Any]:
    rows = await pool.fetch("SELECT payload FROM outbox WHERE topic = $1", SUSPENDED)
    return [msgspec.json.decode(row["payload"]) for row in rows]


async def live(accounts: PostgresAccounts, user_id: UserId) -> list[Session]:
    return await accounts.live_sessions(
        user_id, created_after=LONG_AGO, refreshed_after=LONG_AGO, before=None, limit=10
    )


async def test_an_account_is_found_by_its_address_in_whatever_case(store: StaffStore, ada: Account) -> None:
    assert await store.account_with("aDA@EXAMPLE.org") == await store.account(ada.id) == ada
    assert await store.account_with("bob@example.org") is None
    assert await store.account(UserId(new_uuid())) is None


async def test_a_role_is_set_once_and_makes_a_new_version_of_the_profile(store: StaffStore, ada: Account) -> None:
    assert await store.set_role(ada.id, "moderator")
    assert await store.set_role(ada.id, "moderator") is False
    found = await store.account(ada.id)
    assert found is not None
    assert (found.role, found.version) == ("moderator", 2)


async def test_a_suspension_ends_every_session_and_tells_the_outbox(
    store: StaffStore, accounts: PostgresAccounts, ada: Account, pool: asyncpg.Pool
) -> None:
    await accounts.start_session(session(ada.id))
    assert await store.suspend(ada.id, "spam", NOW)
    assert await accounts.status(ada.id) == "suspended"
    assert await live(accounts, ada.id) == []
    assert not await accounts.start_session(session(ada.id))
    assert await told(pool) == [{"userId": ada.id}]


async def test_a_second_suspension_keeps_time_and_reason_and_tells_again(
    store: StaffStore, ada: Account, pool: asyncpg.Pool
) -> None:
    answers = [await store.suspend(ada.id, reason, NOW + timedelta(days=days)) for days, reason in enumerate("ab")]
    assert answers == [True, False]
    kept = await pool.fetchrow("SELECT suspended_at, suspension_reason FROM account_user WHERE id = $1", ada.id)
    assert tuple(kept) == (NOW, "a")
    assert len(await told(pool)) == 2


async def test_of_many_suspensions_at_once_one_is_the_first(store: StaffStore, ada: Account) -> None:
    answers = await asyncio.gather(*(store.suspend(ada.id, "spam", NOW) for _ in range(8)))
    assert sorted(answers, key=bool) == [False] * 7 + [True]


async def test_a_suspension_is_lifted_once(
    store: StaffStore, accounts: PostgresAccounts, ada: Account, pool: asyncpg.Pool
) -> None:
    assert await store.unsuspend(ada.id) is False
    await store.suspend(ada.id, "spam", NOW)
    assert await store.unsuspend(ada.id)
    assert await accounts.start_session(session(ada.id))
    kept = await pool.fetchrow("SELECT suspended_at, suspension_reason FROM account_user WHERE id = $1", ada.id)
    assert tuple(kept) == (None, None)


async def test_sessions_with_tokens_are_those_that_ended_and_were_refreshed_lately(
    store: StaffStore, accounts: PostgresAccounts, ada: Account
) -> None:
    (first,) = await live(accounts, ada.id)
    stale = session(ada.id, refreshed_at=NOW - timedelta(hours=1))
    await accounts.start_session(stale)
    since = NOW - timedelta(minutes=10)
    assert await store.sessions_with_tokens(ada.id, since=since) == []
    await store.suspend(ada.id, "spam", NOW)
    assert await store.sessions_with_tokens(ada.id, since=since) == [first.id]
    await store.unsuspend(ada.id)
    await accounts.start_session(session(ada.id))
    assert await store.sessions_with_tokens(ada.id, since=since) == [first.id], "the new one is not among them"


async def test_nothing_is_done_to_an_account_that_is_deleted_or_never_was(
    store: StaffStore, ada: Account, pool: asyncpg.Pool
) -> None:
    await pool.execute("UPDATE account_user SET deleted_at = $1", NOW)
    assert await store.account_with(ada.email) is None
    for user_id in (ada.id, UserId(new_uuid())):
        assert await store.set_role(user_id, "admin") is None
        assert await store.suspend(user_id, "spam", NOW) is None
        assert await store.unsuspend(user_id) is None
    assert await told(pool) == []


async def test_no_session_slips_past_a_suspension(store: StaffStore, accounts: PostgresAccounts, ada: Account) -> None:
    for _ in range(10):
        await asyncio.gather(
            store.suspend(ada.id, "spam", NOW), *(accounts.start_session(session(ada.id)) for _ in range(4))
        )
        assert await live(accounts, ada.id) == []
        await store.unsuspend(ada.id)
