"""Posts in PostgreSQL."""

import re
from collections.abc import Set
from datetime import datetime

import asyncpg
import msgspec

from core_api import outbox
from core_api.content.model import Post, encode_content, slugs
from core_api.content.schema import Content
from core_api.content.store import Standing
from hub.kernel.wire import UUID_PATTERN

COLUMNS = (
    "id::text, number, author_id::text, slug, title, content, excerpt, cover_image, tags, status, reading_minutes,"
    " version, published_at, created_at, updated_at"
)

# Waits for a rival that has not committed yet, and leaves the transaction usable if that one gets the slug.
INSERT = """
INSERT INTO post (id, author_id, slug, title, content, excerpt, cover_image, tags, status, reading_minutes, version,
                  published_at, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (slug) DO NOTHING
RETURNING number
"""
REPLACE = """
UPDATE post
SET title = $3, content = $4, excerpt = $5, cover_image = $6, tags = $7, status = $8, reading_minutes = $9,
    version = $2, published_at = $10, updated_at = $11
WHERE id = $1 AND version = $2::bigint - 1 AND deleted_at IS NULL
RETURNING true
"""
DELETE = """
UPDATE post SET deleted_at = $3, version = version + 1
WHERE id = $1 AND version = $2 AND deleted_at IS NULL
RETURNING true
"""
BY_ID = f"SELECT {COLUMNS} FROM post WHERE id = $1 AND deleted_at IS NULL"  # noqa: S608 - constants only
BY_SLUG = f"SELECT {COLUMNS} FROM post WHERE slug = $1 AND deleted_at IS NULL"  # noqa: S608 - constants only
STANDING = "SELECT author_id::text, status FROM post WHERE id = $1 AND deleted_at IS NULL"
STANDINGS = "SELECT id::text, author_id::text, status FROM post WHERE id = ANY($1::uuid[]) AND deleted_at IS NULL"
PUBLISHED = f"""
SELECT {COLUMNS} FROM post
WHERE status = 'PUBLISHED' AND deleted_at IS NULL
  AND ($1::timestamptz IS NULL OR (published_at, id) < ($1, $2::uuid))
ORDER BY published_at DESC, id DESC
LIMIT $3
"""  # noqa: S608 - constants only
BY_AUTHOR = f"""
SELECT {COLUMNS} FROM post
WHERE author_id = $1 AND deleted_at IS NULL AND (status = 'PUBLISHED' OR $2) AND ($3::bigint IS NULL OR number < $3)
ORDER BY number DESC
LIMIT $4
"""  # noqa: S608 - constants only


class PostgresPosts:
    """Implements core_api.content.store.PostStore."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def add(self, post: Post, topic: str | None) -> Post:
        """Add a post under the first slug that is free."""
        async with self._pool.acquire() as connection, connection.transaction():
            for slug in slugs(post.title, post.id):
                stored = msgspec.structs.replace(post, slug=slug)
                number = await connection.fetchval(INSERT, *_values(stored))
                if number is not None:
                    await _tell(connection, topic, post.id)
                    return msgspec.structs.replace(stored, number=number)
        raise RuntimeError(f"a slug that contains the id {post.id} is taken")

    async def replace(self, post: Post, topic: str | None) -> bool:
        """Compare the version and set everything else."""
        async with self._pool.acquire() as connection, connection.transaction():
            replaced = await connection.fetchval(
                REPLACE,
                post.id,
                post.version,
                post.title,
                encode_content(post.content),
                post.excerpt,
                post.cover_image,
                post.tags,
                post.status,
                post.reading_minutes,
                post.published_at,
                post.updated_at,
            )
            if replaced:
                await _tell(connection, topic, post.id)
            return bool(replaced)

    async def delete(self, post: Post, now: datetime, topic: str | None) -> bool:
        """Mark a version as deleted."""
        async with self._pool.acquire() as connection, connection.transaction():
            deleted = await connection.fetchval(DELETE, post.id, post.version, now)
            if deleted:
                await _tell(connection, topic, post.id)
            return bool(deleted)

    async def post(self, reference: str) -> Post | None:
        """The post with this id or slug."""
        query = BY_ID if re.fullmatch(UUID_PATTERN, reference) else BY_SLUG
        row = await self._pool.fetchrow(query, reference)
        return None if row is None else _post(row)

    async def standing(self, post_id: str) -> Standing | None:
        """Author and status."""
        row = await self._pool.fetchrow(STANDING, post_id)
        return None if row is None else Standing(**row)

    async def standings(self, post_ids: Set[str]) -> dict[str, Standing]:
        """Author and status of many."""
        rows = await self._pool.fetch(STANDINGS, list(post_ids))
        return {row["id"]: Standing(row["author_id"], row["status"]) for row in rows}

    async def published(self, before: tuple[datetime, str] | None, limit: int) -> list[Post]:
        """Published posts, newest first."""
        published_at, post_id = before or (None, None)
        return [_post(row) for row in await self._pool.fetch(PUBLISHED, published_at, post_id, limit)]

    async def by_author(self, author_id: str, before: int | None, limit: int, *, drafts: bool) -> list[Post]:
        """An author's posts, newest first."""
        return [_post(row) for row in await self._pool.fetch(BY_AUTHOR, author_id, drafts, before, limit)]


async def _tell(connection: asyncpg.Connection, topic: str | None, post_id: str) -> None:
    if topic is not None:
        await outbox.append(connection, topic, {"contentId": post_id})


def _values(post: Post) -> tuple[object, ...]:
    return (
        post.id,
        post.author_id,
        post.slug,
        post.title,
        encode_content(post.content),
        post.excerpt,
        post.cover_image,
        post.tags,
        post.status,
        post.reading_minutes,
        post.version,
        post.published_at,
        post.created_at,
        post.updated_at,
    )


def _post(row: asyncpg.Record) -> Post:
    return Post(**{**row, "content": msgspec.json.decode(row["content"], type=Content)})
