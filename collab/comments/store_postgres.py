"""Comments in PostgreSQL."""

from collections import defaultdict
from datetime import datetime

import asyncpg

from collab.comments.model import Comment
from collab.comments.store import Refusal
from collab.ports import AppendToOutbox

COMMENTED = "document.commented"
"""Topic of the outbox."""
COLUMNS = """c.id::text, c.document_id::text, c.thread_id::text, c.author_id::text, c.body, c.created_at, c.edited_at,
c.anchor, c.quote, c.resolved_at, c.resolved_by::text"""
LOCK = "SELECT id FROM documents WHERE id = $1 AND deleted_at IS NULL FOR UPDATE"
COUNT_THREADS = "SELECT count(*) FROM document_comment WHERE document_id = $1 AND id = thread_id"
COUNT_THREAD = "SELECT count(*) FROM document_comment WHERE document_id = $1 AND thread_id = $2"
ADD = """
INSERT INTO document_comment (id, document_id, thread_id, author_id, body, created_at, anchor, quote)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"""
THREADS = f"""
WITH first AS (
    SELECT id, created_at FROM document_comment
    WHERE document_id = $1 AND id = thread_id AND ($5::boolean IS NULL OR (resolved_at IS NOT NULL) = $5)
    AND ($3::timestamptz IS NULL OR (created_at, id) < ($3, $4::uuid))
    ORDER BY created_at DESC, id DESC LIMIT $2
)
SELECT {COLUMNS} FROM first JOIN document_comment c ON c.thread_id = first.id
ORDER BY first.created_at DESC, first.id DESC, c.id <> c.thread_id, c.created_at, c.id"""  # noqa: S608 - a constant
THREAD = f"""
SELECT {COLUMNS} FROM document_comment c WHERE document_id = $1 AND thread_id = $2
ORDER BY c.id <> c.thread_id, c.created_at, c.id"""  # noqa: S608 - a constant
FIND = f"SELECT {COLUMNS} FROM document_comment c WHERE document_id = $1 AND id = $2"  # noqa: S608 - a constant
EDIT = "UPDATE document_comment SET body = $2, edited_at = $3 WHERE id = $1 RETURNING id"
ANSWERED = "SELECT EXISTS (SELECT FROM document_comment WHERE thread_id = $1 AND author_id <> $2)"
REMOVE = "DELETE FROM document_comment WHERE id = $1 RETURNING id"
RESOLVE = """
UPDATE document_comment
SET resolved_by = $2, resolved_at = CASE WHEN $2::uuid IS NULL THEN NULL ELSE $3::timestamptz END
WHERE id = $1 AND id = thread_id AND (resolved_by IS NULL) <> ($2::uuid IS NULL) RETURNING id"""


class PostgresComments:
    """Implements collab.comments.store.CommentStore. The document's row is locked by whoever counts."""

    def __init__(self, pool: asyncpg.Pool, append: AppendToOutbox) -> None:
        self._pool = pool
        self._append = append

    async def add(self, comment: Comment, *, threads: int, replies: int) -> Refusal | None:
        """See CommentStore."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(LOCK, comment.document_id)
            if comment.is_first:
                if await connection.fetchval(COUNT_THREADS, comment.document_id) >= threads:
                    return "full"
            else:
                size = await connection.fetchval(COUNT_THREAD, comment.document_id, comment.thread_id)
                if size == 0:
                    return "gone"
                if size > replies:
                    return "full"
            await connection.execute(
                ADD,
                comment.id,
                comment.document_id,
                comment.thread_id,
                comment.author_id,
                comment.body,
                comment.created_at,
                comment.anchor,
                comment.quote,
            )
            await self._tell(connection, comment, "created")
        return None

    async def threads(
        self, document_id: str, limit: int, after: tuple[datetime, str] | None, *, resolved: bool | None
    ) -> list[list[Comment]]:
        """See CommentStore."""
        rows = await self._pool.fetch(THREADS, document_id, limit, *(after or (None, None)), resolved)
        threads = defaultdict[str, list[Comment]](list)
        for row in rows:
            threads[row["thread_id"]].append(Comment(**row))
        return list(threads.values())

    async def thread(self, document_id: str, thread_id: str) -> list[Comment]:
        """See CommentStore."""
        return [Comment(**row) for row in await self._pool.fetch(THREAD, document_id, thread_id)]

    async def find(self, document_id: str, comment_id: str) -> Comment | None:
        """See CommentStore."""
        row = await self._pool.fetchrow(FIND, document_id, comment_id)
        return None if row is None else Comment(**row)

    async def edit(self, comment: Comment, body: str, now: datetime) -> bool:
        """See CommentStore."""
        return await self._change(comment, "edited", EDIT, body, now)

    async def remove(self, comment: Comment, *, with_answers: bool) -> Refusal | None:
        """See CommentStore."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(LOCK, comment.document_id)  # no answer comes meanwhile
            alone = with_answers or not comment.is_first
            if not alone and await connection.fetchval(ANSWERED, comment.id, comment.author_id):
                return "answered"
            if await connection.fetchval(REMOVE, comment.id) is None:
                return "gone"
            await self._tell(connection, comment, "deleted")
        return None

    async def resolve(self, comment: Comment, by: str | None, now: datetime) -> bool:
        """See CommentStore."""
        return await self._change(comment, "reopened" if by is None else "resolved", RESOLVE, by, now)

    async def _change(self, comment: Comment, change: str, statement: str, *arguments: str | datetime | None) -> bool:
        async with self._pool.acquire() as connection, connection.transaction():
            if await connection.fetchval(statement, comment.id, *arguments) is None:
                return False
            await self._tell(connection, comment, change)
        return True

    async def _tell(self, connection: asyncpg.Connection, comment: Comment, change: str) -> None:
        payload = {
            "documentId": comment.document_id,
            "threadId": comment.thread_id,
            "commentId": comment.id,
            "change": change,
        }
        await self._append(connection, COMMENTED, payload)
