"""core_api.companions.store_postgres on a real PostgreSQL."""

import asyncio

import asyncpg
import msgspec
import pytest

from core_api.companions.model import Companion, new_companion
from core_api.companions.schema import CompanionFields, GivenTraits
from core_api.companions.store_postgres import PostgresCompanions
from hub.kernel.ids import UserId, new_uuid
from tests.support.clock import FrozenClock

ADA, BOB = UserId(new_uuid()), UserId(new_uuid())
NOW = FrozenClock().now()
FIELDS = CompanionFields(
    name="Juno ☾", personality_traits=GivenTraits(openness=0.1, neuroticism=1.0), voice_id="alto", interests=["a", "b"]
)
MANY = 100


@pytest.fixture
def store(pool: asyncpg.Pool) -> PostgresCompanions:
    return PostgresCompanions(pool)


async def added(store: PostgresCompanions, owner: UserId = ADA) -> Companion:
    companion = new_companion(new_uuid(), owner, FIELDS, 2**32 - 1, NOW)
    assert await store.add(companion, at_most=MANY)
    found = await store.companion(owner, companion.id)
    assert found is not None
    assert msgspec.structs.replace(found, number=0) == companion
    return found


async def test_a_companion_comes_back_as_it_was_and_only_to_its_owner(store: PostgresCompanions) -> None:
    companion = await added(store)
    assert await store.companion(BOB, companion.id) is None
    assert await store.companions(BOB, None, 10) == []


async def test_of_many_added_at_once_no_more_than_the_limit_are_there(store: PostgresCompanions) -> None:
    one_of_bob = await added(store, BOB)
    new = [new_companion(new_uuid(), ADA, FIELDS, 1, NOW) for _ in range(6)]
    assert sorted(await asyncio.gather(*(store.add(one, at_most=3) for one in new))) == [False] * 3 + [True] * 3
    assert len(await store.companions(ADA, None, 10)) == 3
    assert await store.companions(BOB, None, 10) == [one_of_bob]


async def test_the_list_is_newest_first_page_by_page(store: PostgresCompanions) -> None:
    made = [await added(store) for _ in range(3)]
    first = await store.companions(ADA, None, 2)
    assert first + await store.companions(ADA, first[-1].number, 2) == made[::-1]


async def test_of_several_changes_of_one_version_one_happens(store: PostgresCompanions) -> None:
    companion = await added(store)
    changes = [msgspec.structs.replace(companion, name=f"n{n}", version=2) for n in range(4)]
    results = await asyncio.gather(*(store.replace(change) for change in changes))
    assert sorted(results) == [False, False, False, True]
    assert await store.companion(ADA, companion.id) == changes[results.index(True)]


async def test_only_the_owner_deletes_and_only_the_version_that_is_there(store: PostgresCompanions) -> None:
    companion = await added(store)
    assert not await store.delete(BOB, companion.id, 1)
    assert not await store.delete(ADA, companion.id, 2)
    assert await store.delete(ADA, companion.id, 1)
    assert not await store.delete(ADA, companion.id, 1)
    assert await store.companion(ADA, companion.id) is None
