"""Profiles, follows and blocks in PostgreSQL."""

from collections.abc import Iterable, Sequence, Set
from datetime import datetime

import asyncpg

from core_api import outbox
from core_api.accounts.model import Account
from core_api.accounts.store import NEW_BLOCK, RELATION_CHANGED, FollowRow
from core_api.accounts.store_postgres import ACCOUNT, ACCOUNT_COLUMNS, account_of
from core_api.ports import UserBrief
from hub.kernel.ids import UserId

CHANGE_PROFILE = f"""
UPDATE account_user
SET display_name = coalesce($2, display_name), bio = coalesce($3, bio), version = version + 1
WHERE id = $1 AND deleted_at IS NULL AND ($4::bigint IS NULL OR version = $4)
RETURNING {ACCOUNT_COLUMNS}
"""  # noqa: S608 - constants only

# A follow and a block of the same two people must not pass each other: neither would see the other's row before it
# commits, and the follow would survive the block. The lock is a statement of its own because a statement's snapshot
# is taken before it waits.
LOCK_PAIR = """
SELECT pg_advisory_xact_lock(
    hashtextextended(least($1::uuid, $2::uuid)::text || greatest($1::uuid, $2::uuid)::text, 0)
)
"""
BLOCKS = "SELECT EXISTS (SELECT FROM account_block WHERE blocker_id = $1 AND blocked_id = $2)"
BLOCKED = """
SELECT EXISTS (
    SELECT FROM account_block
    WHERE (blocker_id = $1 AND blocked_id = $2) OR (blocker_id = $2 AND blocked_id = $1)
)
"""
BLOCKED_AMONG = """
SELECT blocked_id::text AS id FROM account_block WHERE blocker_id = $1 AND blocked_id = ANY($2::uuid[])
UNION
SELECT blocker_id::text FROM account_block WHERE blocked_id = $1 AND blocker_id = ANY($2::uuid[])
"""
BLOCKED_PAIRS = """
WITH pairs AS (SELECT one, other FROM unnest($1::uuid[], $2::uuid[]) AS p (one, other))
SELECT one::text, other::text FROM pairs JOIN account_block ON blocker_id = one AND blocked_id = other
UNION
SELECT one::text, other::text FROM pairs JOIN account_block ON blocker_id = other AND blocked_id = one
"""
FOLLOW = """
INSERT INTO account_follow (follower_id, followee_id, created_at) VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING
RETURNING true
"""
UNFOLLOW = "DELETE FROM account_follow WHERE follower_id = $1 AND followee_id = $2 RETURNING true"
BLOCK = """
INSERT INTO account_block (blocker_id, blocked_id, created_at) VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING
RETURNING true
"""
UNFOLLOW_BOTH = """
DELETE FROM account_follow
WHERE (follower_id = $1 AND followee_id = $2) OR (follower_id = $2 AND followee_id = $1)
"""
UNBLOCK = "DELETE FROM account_block WHERE blocker_id = $1 AND blocked_id = $2 RETURNING true"

_FOLLOW_PAGE = """
SELECT u.id::text, u.username, u.display_name, f.number
FROM account_follow f
JOIN account_user u ON u.id = f.{listed}
WHERE f.{owner} = $1 AND u.deleted_at IS NULL AND ($3::bigint IS NULL OR f.number < $3)
  AND NOT EXISTS (
      SELECT FROM account_block b
      WHERE (b.blocker_id = u.id AND b.blocked_id = $2::uuid) OR (b.blocker_id = $2::uuid AND b.blocked_id = u.id)
  )
ORDER BY f.number DESC
LIMIT $4
"""
FOLLOWERS = _FOLLOW_PAGE.format(owner="followee_id", listed="follower_id")
FOLLOWING = _FOLLOW_PAGE.format(owner="follower_id", listed="followee_id")
FOLLOWER_IDS = """
SELECT f.follower_id::text
FROM account_follow f
WHERE f.followee_id = $1 AND ($2::uuid IS NULL OR f.follower_id > $2)
  AND NOT EXISTS (
      SELECT FROM account_block b
      WHERE (b.blocker_id = f.followee_id AND b.blocked_id = f.follower_id)
         OR (b.blocker_id = f.follower_id AND b.blocked_id = f.followee_id)
  )
ORDER BY f.follower_id
LIMIT $3
"""
BRIEFS = "SELECT id::text, username, display_name FROM account_user WHERE id = ANY($1::uuid[]) AND deleted_at IS NULL"
EXISTS = "SELECT EXISTS (SELECT FROM account_user WHERE id = $1 AND deleted_at IS NULL)"


class PostgresPeople:
    """Implements core_api.accounts.store.PeopleStore, and core_api.ports.Follows and Profiles with it."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def account(self, user_id: UserId) -> Account | None:
        """The account, unless it is deleted."""
        row = await self._pool.fetchrow(ACCOUNT, user_id)
        return None if row is None else account_of(row)

    async def change_profile(
        self, user_id: UserId, *, display_name: str | None, bio: str | None, version: int | None
    ) -> Account | None:
        """Change what is given, if the account is at ``version``."""
        row = await self._pool.fetchrow(CHANGE_PROFILE, user_id, display_name, bio, version)
        return None if row is None else account_of(row)

    async def follow(self, follower_id: UserId, followee_id: UserId, now: datetime) -> bool:
        """Follow, unless either blocks the other."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(LOCK_PAIR, follower_id, followee_id)
            if await connection.fetchval(BLOCKED, follower_id, followee_id):
                return False
            if await connection.fetchval(FOLLOW, follower_id, followee_id, now):
                await outbox.append(connection, RELATION_CHANGED, {"userIds": [follower_id, followee_id]})
            return True

    async def unfollow(self, follower_id: UserId, followee_id: UserId) -> None:
        """Stop following."""
        await self._end(UNFOLLOW, follower_id, followee_id)

    async def block(self, blocker_id: UserId, blocked_id: UserId, now: datetime) -> None:
        """Block, and end the follows between the two."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(LOCK_PAIR, blocker_id, blocked_id)
            if await connection.fetchval(BLOCK, blocker_id, blocked_id, now):
                await outbox.append(connection, NEW_BLOCK, {"blockerId": blocker_id, "blockedId": blocked_id})
            await connection.execute(UNFOLLOW_BOTH, blocker_id, blocked_id)

    async def unblock(self, blocker_id: UserId, blocked_id: UserId) -> None:
        """Take a block back."""
        await self._end(UNBLOCK, blocker_id, blocked_id)

    async def _end(self, statement: str, one: UserId, other: UserId) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            if await connection.fetchval(statement, one, other):
                await outbox.append(connection, RELATION_CHANGED, {"userIds": [one, other]})

    async def blocks(self, blocker_id: str, blocked_id: str) -> bool:
        """Whether the first blocks the second."""
        return bool(await self._pool.fetchval(BLOCKS, blocker_id, blocked_id))

    async def blocked(self, one: str, other: str) -> bool:
        """Whether either blocks the other."""
        return bool(await self._pool.fetchval(BLOCKED, one, other))

    async def blocked_among(self, one: str, others: Set[str]) -> frozenset[str]:
        """Those of ``others`` with a block between them and ``one``."""
        if not others:
            return frozenset()
        return frozenset(row["id"] for row in await self._pool.fetch(BLOCKED_AMONG, one, list(others)))

    async def blocked_pairs(self, pairs: Set[tuple[str, str]]) -> frozenset[tuple[str, str]]:
        """Those of ``pairs`` with a block between them."""
        if not pairs:
            return frozenset()
        listed = list(pairs)
        rows = await self._pool.fetch(BLOCKED_PAIRS, [one for one, _ in listed], [other for _, other in listed])
        return frozenset((row["one"], row["other"]) for row in rows)

    async def followers(
        self, user_id: UserId, viewer_id: UserId | None, before: int | None, limit: int
    ) -> Sequence[FollowRow]:
        """Who follows a user, latest first."""
        return _follow_rows(await self._pool.fetch(FOLLOWERS, user_id, viewer_id, before, limit))

    async def following(
        self, user_id: UserId, viewer_id: UserId | None, before: int | None, limit: int
    ) -> Sequence[FollowRow]:
        """Whom a user follows, latest first."""
        return _follow_rows(await self._pool.fetch(FOLLOWING, user_id, viewer_id, before, limit))

    async def follower_ids(self, author_id: str, after: str | None, limit: int) -> list[str]:
        """A page of a fan-out, by id."""
        return [row["follower_id"] for row in await self._pool.fetch(FOLLOWER_IDS, author_id, after, limit)]

    async def briefs(self, user_ids: Iterable[str]) -> dict[str, UserBrief]:
        """The people with these ids, by id."""
        wanted = list(set(user_ids))
        if not wanted:
            return {}
        return {row["id"]: _brief(row) for row in await self._pool.fetch(BRIEFS, wanted)}

    async def exists(self, user_id: str) -> bool:
        """Whether there is such a person."""
        return bool(await self._pool.fetchval(EXISTS, user_id))


def _follow_rows(rows: Iterable[asyncpg.Record]) -> list[FollowRow]:
    return [FollowRow(_brief(row), row["number"]) for row in rows]


def _brief(row: asyncpg.Record) -> UserBrief:
    return UserBrief(id=row["id"], username=row["username"], display_name=row["display_name"])
