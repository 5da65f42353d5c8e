"""Privacy settings in PostgreSQL, and how people stand to each other."""

from collections.abc import Mapping, Sequence
from functools import cache

import asyncpg

from core_api import outbox
from core_api.accounts.privacy import Audience, Privacy, Relation, VersionedPrivacy
from core_api.accounts.sight import Pair
from core_api.accounts.store import PRIVACY_CHANGED
from hub.kernel.ids import UserId
from hub.kernel.sight import Circle

PRIVACY = """
SELECT presence_to, last_seen_to, calls_to, privacy_version FROM account_user WHERE id = $1 AND deleted_at IS NULL
"""
CHANGE_PRIVACY = """
UPDATE account_user
SET presence_to = coalesce($2, presence_to), last_seen_to = coalesce($3, last_seen_to),
    calls_to = coalesce($4, calls_to), privacy_version = privacy_version + 1
WHERE id = $1 AND deleted_at IS NULL AND ($5::bigint IS NULL OR privacy_version = $5)
RETURNING presence_to, last_seen_to, calls_to, privacy_version
"""
# Each condition is one or two probes of an index; friendship is looked up only where the settings ask for it.
RELATIONS = """
SELECT pair.viewer::text, u.id::text, u.presence_to, u.last_seen_to, u.calls_to,
    EXISTS (SELECT FROM account_block b WHERE b.blocker_id = u.id AND b.blocked_id = pair.viewer)
        OR EXISTS (SELECT FROM account_block b WHERE b.blocker_id = pair.viewer AND b.blocked_id = u.id) AS blocked,
    CASE WHEN 'friends' IN (u.presence_to, u.last_seen_to, u.calls_to) THEN
        EXISTS (SELECT FROM account_follow f WHERE f.followee_id = u.id AND f.follower_id = pair.viewer)
        AND EXISTS (SELECT FROM account_follow f WHERE f.followee_id = pair.viewer AND f.follower_id = u.id)
    ELSE false END AS friends
FROM unnest($1::uuid[], $2::uuid[]) AS pair (viewer, seen)
JOIN account_user u ON u.id = pair.seen AND u.deleted_at IS NULL
"""
_CIRCLE = """
SELECT u.id::text
FROM account_follow f
JOIN account_user u ON u.id = f.followee_id AND u.deleted_at IS NULL
WHERE f.follower_id = $1 {condition}
ORDER BY f.number DESC
LIMIT $2
"""
FOLLOWS_BACK = "AND EXISTS (SELECT FROM account_follow b WHERE b.followee_id = $1 AND b.follower_id = f.followee_id)"
CIRCLES = {
    Circle.FOLLOWING: _CIRCLE.format(condition=""),
    Circle.FRIENDS: _CIRCLE.format(condition=FOLLOWS_BACK),
}


class PostgresPrivacy:
    """Implements core_api.accounts.store.PrivacyStore and core_api.accounts.sight.Relations."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def privacy(self, user_id: UserId) -> VersionedPrivacy | None:
        """What the person has chosen."""
        row = await self._pool.fetchrow(PRIVACY, user_id)
        return None if row is None else _privacy(row)

    async def change_privacy(
        self,
        user_id: UserId,
        *,
        presence: Audience | None = None,
        last_seen: Audience | None = None,
        calls: Audience | None = None,
        version: int | None = None,
    ) -> VersionedPrivacy | None:
        """Change what is given, if the settings are at ``version``."""
        async with self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(CHANGE_PRIVACY, user_id, presence, last_seen, calls, version)
            if row is None:
                return None
            await outbox.append(connection, PRIVACY_CHANGED, {"userId": user_id})
            return _privacy(row)

    async def relations(self, pairs: Sequence[Pair]) -> Mapping[Pair, tuple[Privacy, Relation]]:
        """The settings of the second of each pair, and the relation of the two."""
        rows = await self._pool.fetch(RELATIONS, [viewer for viewer, _ in pairs], [seen for _, seen in pairs])
        return {(viewer, user_id): _standing(*standing) for viewer, user_id, *standing in rows}

    async def circle(self, user_id: UserId, circle: Circle, limit: int) -> list[UserId]:
        """The accounts in somebody's circle, those followed last first."""
        return [row["id"] for row in await self._pool.fetch(CIRCLES[circle], user_id, limit)]


def _privacy(row: asyncpg.Record) -> VersionedPrivacy:
    privacy = Privacy(*(Audience(row[column]) for column in ("presence_to", "last_seen_to", "calls_to")))
    return VersionedPrivacy(privacy, row["privacy_version"])


@cache  # there are 108, and of 500 rows they would take longer to make than the rows to come
def _standing(
    presence_to: str, last_seen_to: str, calls_to: str, blocked: bool, friends: bool
) -> tuple[Privacy, Relation]:
    return Privacy(Audience(presence_to), Audience(last_seen_to), Audience(calls_to)), Relation(blocked, friends)
