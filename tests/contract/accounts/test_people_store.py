"""What PeopleStore promises, on PostgreSQL."""

import asyncio
import json

import asyncpg
import pytest

from core_api.accounts.store import NEW_BLOCK, RELATION_CHANGED, PeopleStore
from core_api.accounts.store_postgres_people import BLOCK, LOCK_PAIR, PostgresPeople
from core_api.ports import Follows, Profiles, UserBrief
from hub.kernel.clock import from_ms
from hub.kernel.ids import UserId, new_uuid
from tests.support.accounts import insert_people, until_a_query_waits
from tests.support.queries import recorded

NOW = from_ms(1_800_000_000_123)


@pytest.fixture
def store(pool: asyncpg.Pool) -> PeopleStore:
    return PostgresPeople(pool)


@pytest.fixture
def follows(pool: asyncpg.Pool) -> Follows:
    return PostgresPeople(pool)


@pytest.fixture
def profiles(pool: asyncpg.Pool) -> Profiles:
    return PostgresPeople(pool)


async def names(store: PeopleStore, user_id: UserId, viewer_id: UserId | None = None) -> list[str]:
    return [row.user.username for row in await store.followers(user_id, viewer_id, None, 100)]


async def test_a_profile_changes_where_something_is_given_and_counts_its_versions(
    store: PeopleStore, pool: asyncpg.Pool
) -> None:
    (ada,) = await insert_people(pool, "ada")
    first = await store.change_profile(ada, display_name="Ada L.", bio=None, version=None)
    second = await store.change_profile(ada, display_name=None, bio="Numbers", version=2)
    assert first is not None
    assert second is not None
    assert (first.display_name, first.bio, first.version) == ("Ada L.", "", 2)
    assert (second.display_name, second.bio, second.version) == ("Ada L.", "Numbers", 3)
    assert await store.account(ada) == second
    cleared = await store.change_profile(ada, display_name="", bio=None, version=None)
    assert cleared is not None
    assert cleared.display_name == ""


async def test_of_many_changes_to_one_version_exactly_one_is_made(store: PeopleStore, pool: asyncpg.Pool) -> None:
    (ada,) = await insert_people(pool, "ada")
    changes = (store.change_profile(ada, display_name=str(n), bio=None, version=1) for n in range(6))
    made = [change for change in await asyncio.gather(*changes) if change is not None]
    assert [change.version for change in made] == [2]
    assert await store.account(ada) == made[0]


async def test_nobody_is_changed_who_is_not_there(store: PeopleStore) -> None:
    assert await store.change_profile(UserId(new_uuid()), display_name="x", bio=None, version=None) is None


async def test_following_twice_is_following_and_unfollowing_twice_is_not(
    store: PeopleStore, pool: asyncpg.Pool
) -> None:
    ada, bob = await insert_people(pool, "ada", "bob")
    assert await store.follow(ada, bob, NOW)
    assert await store.follow(ada, bob, NOW)
    assert await names(store, bob) == ["ada"]
    await store.unfollow(ada, bob)
    await store.unfollow(ada, bob)
    assert await names(store, bob) == []


async def test_a_block_ends_follows_both_ways_and_is_seen_from_both_sides(
    store: PeopleStore, pool: asyncpg.Pool
) -> None:
    ada, bob, eve = await insert_people(pool, "ada", "bob", "eve")
    for one, other in ((ada, bob), (bob, ada), (eve, ada)):
        await store.follow(one, other, NOW)
    await store.block(ada, bob, NOW)
    await store.block(ada, bob, NOW)
    assert await names(store, ada) == ["eve"]
    assert await names(store, bob) == []
    assert await store.blocks(ada, bob)
    assert not await store.blocks(bob, ada)
    assert await store.blocked(ada, bob)
    assert await store.blocked(bob, ada)
    assert not await store.blocked(ada, eve)
    assert not await store.follow(ada, bob, NOW)
    assert not await store.follow(bob, ada, NOW)
    await store.unblock(bob, ada)
    assert await store.blocked(bob, ada)
    await store.unblock(ada, bob)
    await store.unblock(ada, bob)
    assert await store.follow(bob, ada, NOW)


async def test_a_block_is_told_once_by_the_outbox_until_it_is_taken_back(
    store: PeopleStore, pool: asyncpg.Pool
) -> None:
    ada, bob = await insert_people(pool, "ada", "bob")

    async def told() -> list[str]:
        return [row["payload"] for row in await pool.fetch("SELECT payload FROM outbox WHERE topic = $1", NEW_BLOCK)]

    await store.block(ada, bob, NOW)
    await store.block(ada, bob, NOW)
    assert [json.loads(payload) for payload in await told()] == [{"blockerId": ada, "blockedId": bob}]
    await store.unblock(ada, bob)
    await store.block(ada, bob, NOW)
    assert len(await told()) == 2


async def test_each_follow_and_each_end_of_a_follow_or_block_is_told_once_by_the_outbox(
    store: PeopleStore, pool: asyncpg.Pool
) -> None:
    ada, bob = await insert_people(pool, "ada", "bob")

    async def told() -> int:
        rows = await pool.fetch("DELETE FROM outbox WHERE topic = $1 RETURNING payload", RELATION_CHANGED)
        assert all(set(json.loads(row["payload"])["userIds"]) == {ada, bob} for row in rows)
        return len(rows)

    counts = []
    for change in (store.unfollow(ada, bob), store.follow(ada, bob, NOW), store.follow(ada, bob, NOW)):
        await change
        counts.append(await told())
    for change in (store.unfollow(ada, bob), store.unfollow(ada, bob), store.unblock(ada, bob)):
        await change
        counts.append(await told())
    await store.block(ada, bob, NOW)
    for change in (store.unblock(bob, ada), store.unblock(ada, bob), store.unblock(ada, bob)):
        await change
        counts.append(await told())
    assert counts == [0, 1, 0, 1, 0, 0, 0, 1, 0]


async def test_of_many_those_with_a_block_are_told_by_one_query(
    store: PeopleStore, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob, eve, mallory = await insert_people(pool, "ada", "bob", "eve", "mallory")
    others = {*await insert_people(pool, *(f"user {number}" for number in range(500))), bob, eve, mallory, new_uuid()}
    await store.block(ada, bob, NOW)
    await store.block(bob, ada, NOW)
    await store.block(mallory, ada, NOW)
    await store.block(eve, bob, NOW)
    queries = recorded(monkeypatch)
    assert await store.blocked_among(ada, others) == {bob, mallory}
    assert len(queries()) == 1
    assert await store.blocked_among(ada, {eve}) == frozenset()
    assert await store.blocked_among(eve, others) == {bob}
    assert await store.blocked_among(ada, frozenset()) == frozenset()
    pairs = {(one, other) for one in (ada, eve) for other in (ada, bob, eve, mallory)}
    assert await store.blocked_pairs(pairs) == {(ada, bob), (ada, mallory), (eve, bob)}
    assert await store.blocked_pairs(frozenset()) == frozenset()
    assert len(queries()) == 3  # nobody needs none


async def test_no_follow_survives_a_block_that_comes_at_the_same_moment(store: PeopleStore, pool: asyncpg.Pool) -> None:
    ada, bob = await insert_people(pool, "ada", "bob")
    for _ in range(20):
        await asyncio.gather(
            store.follow(ada, bob, NOW),
            store.follow(bob, ada, NOW),
            store.block(ada, bob, NOW),
            store.follow(bob, ada, NOW),
            store.follow(ada, bob, NOW),
        )
        assert await pool.fetchval("SELECT count(*) FROM account_follow") == 0
        await store.unblock(ada, bob)


async def test_a_follow_waits_for_a_block_that_has_not_committed(store: PeopleStore, pool: asyncpg.Pool) -> None:
    ada, bob = await insert_people(pool, "ada", "bob")
    async with pool.acquire() as connection:
        async with connection.transaction():
            # block(), held open in the middle.
            await connection.execute(LOCK_PAIR, ada, bob)
            await connection.execute(BLOCK, ada, bob, NOW)
            following = asyncio.gather(store.follow(bob, ada, NOW))
            await until_a_query_waits(pool)
        (followed,) = await following
    assert not followed


async def test_lists_page_from_the_latest_and_hide_who_has_a_block_with_the_viewer(
    store: PeopleStore, pool: asyncpg.Pool
) -> None:
    star, viewer, *fans = await insert_people(pool, "star", "viewer", "a", "b", "c", "d", "e")
    for fan in fans:
        await store.follow(fan, star, NOW)
        await store.follow(star, fan, NOW)
    await store.block(viewer, fans[1], NOW)
    await store.block(fans[3], viewer, NOW)
    await pool.execute("UPDATE account_user SET deleted_at = $1 WHERE username = 'e'", NOW)
    for page_of in (store.followers, store.following):
        assert [row.user.username for row in await page_of(star, None, None, 100)] == ["d", "c", "b", "a"]
        first = await page_of(star, viewer, None, 1)
        rest = await page_of(star, viewer, first[-1].number, 100)
        assert [row.user.username for row in (*first, *rest)] == ["c", "a"]


async def test_a_fan_out_pages_through_every_follower_once_without_those_with_a_block(
    store: PeopleStore, follows: Follows, pool: asyncpg.Pool
) -> None:
    star, *fans = await insert_people(pool, "star", *"abcdefg")
    for fan in fans:
        await store.follow(fan, star, NOW)
    # Rows as an older version may have left them: a follow beside a block.
    await pool.execute("INSERT INTO account_block VALUES ($1, $2, $3), ($4, $1, $3)", star, fans[0], NOW, fans[1])
    seen: list[str] = []
    while page := await follows.follower_ids(star, seen[-1] if seen else None, 2):
        assert len(page) <= 2
        seen += page
    assert seen == sorted(fans[2:])
    assert await follows.follower_ids(new_uuid(), None, 2) == []


async def test_briefs_are_of_those_who_are_there(profiles: Profiles, store: PeopleStore, pool: asyncpg.Pool) -> None:
    ada, gone = await insert_people(pool, "ada", "gone")
    await store.change_profile(ada, display_name="Ada L.", bio=None, version=None)
    await pool.execute("UPDATE account_user SET deleted_at = $1 WHERE id = $2", NOW, gone)
    found = await profiles.briefs([ada, gone, new_uuid(), ada])
    assert found == {ada: UserBrief(id=ada, username="ada", display_name="Ada L.")}
    assert await profiles.briefs([]) == {}
    assert [await profiles.exists(user_id) for user_id in (ada, gone, new_uuid())] == [True, False, False]
