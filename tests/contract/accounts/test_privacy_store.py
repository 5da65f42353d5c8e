"""What PrivacyStore and Relations promise, on PostgreSQL."""

import asyncio
import json

import asyncpg
import pytest

from core_api.accounts.privacy import Audience, Privacy, Relation, VersionedPrivacy
from core_api.accounts.sight import Relations
from core_api.accounts.store import PRIVACY_CHANGED, PeopleStore, PrivacyStore
from core_api.accounts.store_postgres_people import PostgresPeople
from core_api.accounts.store_postgres_privacy import PostgresPrivacy
from hub.kernel.clock import from_ms
from hub.kernel.ids import UserId, new_uuid
from tests.support.accounts import insert_people
from tests.support.queries import recorded

NOW = from_ms(1_800_000_000_123)


@pytest.fixture
def store(pool: asyncpg.Pool) -> PrivacyStore:
    return PostgresPrivacy(pool)


@pytest.fixture
def relations(pool: asyncpg.Pool) -> Relations:
    return PostgresPrivacy(pool)


@pytest.fixture
def people(pool: asyncpg.Pool) -> PeopleStore:
    return PostgresPeople(pool)


async def choose(store: PrivacyStore, user_id: UserId, presence: Audience, version: int | None = None) -> bool:
    return await store.change_privacy(user_id, presence=presence, last_seen=None, version=version) is not None


async def test_settings_change_where_something_is_given_and_count_their_own_versions(
    store: PrivacyStore, people: PeopleStore, pool: asyncpg.Pool
) -> None:
    (ada,) = await insert_people(pool, "ada")
    assert await store.privacy(ada) == VersionedPrivacy(Privacy(), 1)
    first = await store.change_privacy(ada, presence=None, last_seen=Audience.NOBODY, version=1)
    second = await store.change_privacy(ada, presence=Audience.FRIENDS, last_seen=None, version=None)
    assert first == VersionedPrivacy(Privacy(Audience.EVERYONE, Audience.NOBODY), 2)
    assert second == await store.privacy(ada) == VersionedPrivacy(Privacy(Audience.FRIENDS, Audience.NOBODY), 3)
    account = await people.account(ada)
    assert account is not None
    assert account.version == 1  # everybody sees that one, and would know
    third = await store.change_privacy(ada, calls=Audience.FRIENDS)
    assert third == VersionedPrivacy(Privacy(Audience.FRIENDS, Audience.NOBODY, Audience.FRIENDS), 4)


async def test_of_many_changes_to_one_version_exactly_one_is_made_and_told(
    store: PrivacyStore, pool: asyncpg.Pool
) -> None:
    (ada,) = await insert_people(pool, "ada")
    made = await asyncio.gather(*(choose(store, ada, Audience.NOBODY, 1) for _ in range(6)))
    assert sum(made) == 1
    told = await pool.fetch("SELECT payload FROM outbox WHERE topic = $1", PRIVACY_CHANGED)
    assert [json.loads(row["payload"]) for row in told] == [{"userId": ada}]


async def test_who_has_no_account_has_no_settings(store: PrivacyStore, pool: asyncpg.Pool) -> None:
    (gone,) = await insert_people(pool, "gone")
    await pool.execute("UPDATE account_user SET deleted_at = $1 WHERE id = $2", NOW, gone)
    for user_id in (gone, UserId(new_uuid())):
        assert await store.privacy(user_id) is None
        assert not await choose(store, user_id, Audience.NOBODY)


async def test_of_500_people_one_query_says_how_they_stand_to_somebody(
    store: PrivacyStore,
    people: PeopleStore,
    relations: Relations,
    pool: asyncpg.Pool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ada, friend, fan, star, blocks, blocked, gone, *many = await insert_people(
        pool, "ada", "friend", "fan", "star", "blocks", "blocked", "gone", *(f"user {n}" for n in range(500))
    )
    await pool.execute("UPDATE account_user SET deleted_at = $1 WHERE id = $2", NOW, gone)
    for one, other in ((ada, friend), (friend, ada), (fan, ada), (ada, star)):
        await people.follow(one, other, NOW)
    await people.block(blocks, ada, NOW)
    await people.block(ada, blocked, NOW)
    await people.block(fan, star, NOW)  # no business of Ada's
    for user_id in (friend, fan, star):
        await choose(store, user_id, Audience.FRIENDS)
    unknown = UserId(new_uuid())
    queries = recorded(monkeypatch)
    others = [friend, fan, star, blocks, blocked, gone, unknown, *many]
    found = await relations.relations([(ada, other) for other in others])
    assert len(queries()) == 1
    for_friends = Privacy(Audience.FRIENDS)
    assert found == {
        (ada, friend): (for_friends, Relation(friends=True)),
        (ada, fan): (for_friends, Relation()),
        (ada, star): (for_friends, Relation()),
        (ada, blocks): (Privacy(), Relation(blocked=True)),
        (ada, blocked): (Privacy(), Relation(blocked=True)),
        **{(ada, other): (Privacy(), Relation()) for other in many},
    }


async def test_the_same_query_answers_for_many_who_look_at_one(
    store: PrivacyStore, people: PeopleStore, relations: Relations, pool: asyncpg.Pool
) -> None:
    ada, friend, blocked, stranger = await insert_people(pool, "ada", "friend", "blocked", "stranger")
    await people.follow(ada, friend, NOW)
    await people.follow(friend, ada, NOW)
    await people.block(ada, blocked, NOW)
    await choose(store, ada, Audience.FRIENDS)
    found = await relations.relations([(viewer, ada) for viewer in (friend, blocked, stranger)])
    assert {viewer: relation for (viewer, _), (_, relation) in found.items()} == {
        friend: Relation(friends=True),
        blocked: Relation(blocked=True),
        stranger: Relation(),
    }
