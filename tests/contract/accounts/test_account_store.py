"""What AccountStore promises, on PostgreSQL."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from core_api.accounts.model import Account, Session
from core_api.accounts.store import AccountStore
from core_api.accounts.store_postgres import PostgresAccounts
from hub.kernel.clock import from_ms
from hub.kernel.ids import SessionId, UserId, new_uuid
from tests.support.accounts import until_a_query_waits

NOW = from_ms(1_800_000_000_123)
LONG_AGO = NOW - timedelta(days=400)


@pytest.fixture
def store(pool: asyncpg.Pool) -> AccountStore:
    return PostgresAccounts(pool)


def account(name: str, **changes: Any) -> Account:
    made = Account(UserId(new_uuid()), f"{name}@example.org", name, "", "", "active", "user", 1, NOW)
    return replace(made, **changes)


def session(user_id: UserId, **changes: Any) -> Session:
    made = Session(SessionId(new_uuid()), user_id, "Firefox", "192.0.2.0/24", NOW, NOW, b"seed" * 4, 1)
    return replace(made, **changes)


async def added(store: AccountStore, name: str) -> tuple[Account, Session]:
    one = account(name)
    first = session(one.id)
    assert await store.create(one, "hash", "code", first) == frozenset()
    return one, first


async def live(store: AccountStore, user_id: UserId, before: int | None = None, limit: int = 10) -> list[SessionId]:
    found = await store.live_sessions(
        user_id, created_after=LONG_AGO, refreshed_after=LONG_AGO, before=before, limit=limit
    )
    return [one.id for one in found]


async def test_an_account_and_its_session_come_back_as_they_were_put_in(store: AccountStore) -> None:
    one, first = await added(store, "Ada")
    assert await store.account(one.id) == one
    found = await store.session(first.id)
    assert found is not None
    assert replace(found, number=0) == first
    assert await store.status(one.id) == "active"
    assert await store.account(UserId(new_uuid())) is None
    assert await store.status(UserId(new_uuid())) is None
    assert await store.session(SessionId(new_uuid())) is None


async def test_credentials_are_found_by_either_name_in_any_case(store: AccountStore) -> None:
    one, _ = await added(store, "Ada")
    assert await store.credentials(email="ADA@example.ORG", username=None) == (one, "hash")
    assert await store.credentials(email=None, username="aDA") == (one, "hash")
    assert await store.credentials(email="ada", username=None) is None
    assert await store.credentials(email=None, username="ada@example.org") is None


@pytest.mark.parametrize(
    ("email", "username", "taken"),
    [
        ("ADA@example.org", "free", {"email"}),
        ("free@example.org", "ADA", {"username"}),
        ("ada@example.org", "ada", {"email", "username"}),
        ("ada@example.org", "bob", {"email", "username"}),  # of two different people
        ("free@example.org", "free", set()),
    ],
)
async def test_names_that_are_taken_are_named_and_nothing_is_added(
    store: AccountStore, pool: asyncpg.Pool, email: str, username: str, taken: set[str]
) -> None:
    await added(store, "Ada")
    await added(store, "Bob")
    rival = account("rival", email=email, username=username)
    assert await store.taken(email, username) == taken
    assert await store.create(rival, "hash", None, session(rival.id)) == taken
    assert await pool.fetchval("SELECT count(*) FROM account_session") == (2 if taken else 3)


async def test_of_many_who_want_a_name_at_once_exactly_one_gets_it(store: AccountStore) -> None:
    rivals = [account("ada", email=f"{number}@example.org") for number in range(8)]
    answers = await asyncio.gather(*(store.create(rival, "hash", None, session(rival.id)) for rival in rivals))
    assert sorted(map(sorted, answers)) == [[]] + [["username"]] * 7


async def test_a_deleted_account_is_gone_and_gives_its_names_back(store: AccountStore, pool: asyncpg.Pool) -> None:
    one, _ = await added(store, "ada")
    await pool.execute("UPDATE account_user SET deleted_at = $1", NOW)
    assert await store.account(one.id) is None
    assert await store.status(one.id) is None
    assert await store.credentials(email=one.email, username=None) is None
    assert not await store.start_session(session(one.id))
    await added(store, "ada")


async def test_a_hash_is_replaced_only_if_it_is_still_the_one(store: AccountStore) -> None:
    one, _ = await added(store, "ada")
    await store.replace_hash(one.id, "older", "lost")
    assert await store.credentials(email=one.email, username=None) == (one, "hash")
    await store.replace_hash(one.id, "hash", "newer")
    assert await store.credentials(email=one.email, username=None) == (one, "newer")


async def test_of_many_who_rotate_at_once_exactly_one_does(store: AccountStore) -> None:
    _, first = await added(store, "ada")
    later = NOW + timedelta(seconds=5)
    answers = await asyncio.gather(*(store.rotate(first.id, 1, later) for _ in range(8)))
    assert sorted(answers) == [False] * 7 + [True]
    found = await store.session(first.id)
    assert found is not None
    assert (found.refresh_generation, found.refreshed_at) == (2, later)


async def test_an_ended_session_does_not_rotate(store: AccountStore) -> None:
    one, first = await added(store, "ada")
    assert await store.end_session(first.id, one.id, "signed_out", NOW)
    assert not await store.rotate(first.id, 1, NOW)


async def test_a_session_ends_once_for_its_owner_only(store: AccountStore, pool: asyncpg.Pool) -> None:
    one, first = await added(store, "ada")
    other, _ = await added(store, "bob")
    assert not await store.end_session(first.id, other.id, "theft", NOW)
    assert not await store.end_session(SessionId(new_uuid()), one.id, "signed_out", NOW)
    assert await store.end_session(first.id, one.id, "signed_out", NOW)
    assert await store.end_session(first.id, one.id, "again", NOW + timedelta(seconds=1))
    row = await pool.fetchrow("SELECT ended_at, end_reason FROM account_session WHERE id = $1", first.id)
    assert tuple(row) == (NOW, "signed_out")


async def test_live_sessions_are_listed_newest_first_in_pages_without_ended_and_old_ones(store: AccountStore) -> None:
    one, first = await added(store, "ada")
    stale = session(one.id, refreshed_at=LONG_AGO)
    ancient = session(one.id, created_at=LONG_AGO)
    ended, newest = session(one.id), session(one.id)
    for other in (stale, ancient, ended, newest):
        assert await store.start_session(other)
    await store.end_session(ended.id, one.id, "signed_out", NOW)
    await added(store, "bob")
    assert await live(store, one.id) == [newest.id, first.id]
    top = await store.session(newest.id)
    assert top is not None
    assert await live(store, one.id, limit=1) == [newest.id]
    assert await live(store, one.id, before=top.number) == [first.id]


async def test_a_session_started_beside_a_suspension_waits_for_it(store: AccountStore, pool: asyncpg.Pool) -> None:
    one, _ = await added(store, "ada")
    async with pool.acquire() as connection:
        async with connection.transaction():
            await connection.execute("UPDATE account_user SET status = 'suspended' WHERE id = $1", one.id)
            starting = asyncio.gather(store.start_session(session(one.id)))
            await until_a_query_waits(pool)
        (started,) = await starting
    assert not started
