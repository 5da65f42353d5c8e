"""Conversations and messages in PostgreSQL."""

import asyncpg
import msgspec

from core_api.companions.affect import Emotion
from core_api.companions.chat_schema import Ending
from core_api.companions.model import Conversation, Exchange, Message, UnderWay, Written, title_of
from core_api.companions.store import Begun, ReplyUnderWay
from hub.kernel.ids import UserId, new_uuid

ONE_REPLY = "companion_message_generating"
"""The index that a second reply in a conversation violates."""

# The lock keeps the companion from being deleted before the rows that refer to it are committed.
OWNED = "SELECT true FROM companion WHERE id = $1 AND owner_id = $2 FOR KEY SHARE"
NEW_CONVERSATION = """
INSERT INTO companion_conversation (id, companion_id, title, last_seq, created_at, updated_at)
VALUES ($1, $2, $3, 2, $4, $4)
RETURNING last_seq
"""
NEXT = """
UPDATE companion_conversation SET last_seq = last_seq + 2, updated_at = $3
WHERE id = $1 AND companion_id = $2
RETURNING last_seq
"""
# The message first: a repeat must be seen as one even while the reply to the first is under way.
INSERT_MESSAGE = """
INSERT INTO companion_message (id, conversation_id, companion_id, seq, role, text, status, client_id, created_at)
VALUES ($1, $2, $3, $4, 'user', $5, 'done', $6, $7)
"""
INSERT_REPLY = """
INSERT INTO companion_message (id, conversation_id, companion_id, seq, role, text, status, node_id, deadline_at,
                               created_at)
VALUES ($1, $2, $3, $4, 'assistant', '', 'generating', $5, $6, $7)
"""
EARLIER = """
SELECT reply.conversation_id::text, reply.id::text, reply.seq
FROM companion_message said
JOIN companion_message reply ON reply.conversation_id = said.conversation_id AND reply.seq = said.seq + 1
WHERE said.companion_id = $1 AND said.client_id = $2
"""

# A reply that was given up has no responder, and so is never taken for a repeat.
FINISH = """
UPDATE companion_message SET status = $2, text = $3, responder = $4, emotion = $5, memory_ids = $6
WHERE id = $1 AND (status = 'generating' OR (status, text, responder) = ($2, $3, $4))
RETURNING true
"""
FAIL = """
UPDATE companion_message SET status = CASE WHEN cancel_asked THEN 'cancelled' ELSE 'failed' END
WHERE id = $1 AND status = 'generating'
RETURNING status
"""
CANCEL = """
WITH found AS (
    SELECT m.id, m.status FROM companion_message m
    JOIN companion c ON c.id = m.companion_id
    WHERE m.id = $1 AND m.role = 'assistant' AND c.owner_id = $2
), noted AS (
    UPDATE companion_message SET cancel_asked = true
    WHERE id = (SELECT id FROM found) AND status = 'generating'
    RETURNING true
)
SELECT EXISTS (SELECT FROM noted) FROM found
"""
UNDER_WAY = """
SELECT m.id::text AS reply_id, m.conversation_id::text, m.companion_id::text, c.owner_id::text, m.node_id,
       m.deadline_at, m.cancel_asked
FROM companion_message m
JOIN companion c ON c.id = m.companion_id
WHERE m.status = 'generating'
"""

CONVERSATION_COLUMNS = "id::text, number, companion_id::text, title, last_seq, created_at, updated_at"
CONVERSATION = f"""
SELECT {CONVERSATION_COLUMNS} FROM companion_conversation WHERE id = $1 AND companion_id = $2
"""  # noqa: S608 - constants only
CONVERSATIONS = f"""
SELECT {CONVERSATION_COLUMNS} FROM companion_conversation
WHERE companion_id = $1 AND ($2::bigint IS NULL OR number < $2)
ORDER BY number DESC
LIMIT $3
"""  # noqa: S608 - constants only
MESSAGES = """
SELECT id::text, seq, role, text, status, responder, emotion, memory_ids::text[], created_at FROM companion_message
WHERE conversation_id = $1 AND ($2::bigint IS NULL OR seq < $2)
ORDER BY seq DESC
LIMIT $3
"""


class PostgresChats:
    """Implements core_api.companions.store.ChatStore."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def begin(self, exchange: Exchange) -> Begun | None:
        """Store a message and the reply to come; the lock on the conversation's row puts those at once in order."""
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                return await _insert(connection, exchange)
        except asyncpg.UniqueViolationError as error:
            if error.constraint_name == ONE_REPLY:
                raise ReplyUnderWay from None
            earlier = await self._pool.fetchrow(EARLIER, exchange.companion_id, exchange.client_id)
            return None if earlier is None else Begun(earlier[0], earlier[1], earlier[2], repeated=True)

    async def finish(self, reply_id: str, written: Written) -> bool:
        """End a reply that is generating, or has ended just so."""
        emotion = None if written.emotion is None else msgspec.json.encode(written.emotion).decode()
        finished = await self._pool.fetchval(
            FINISH, reply_id, written.status, written.text, written.responder, emotion, written.memory_ids
        )
        return bool(finished)

    async def fail(self, reply_id: str) -> Ending | None:
        """End a reply that nobody is writing."""
        ending: Ending | None = await self._pool.fetchval(FAIL, reply_id)
        return ending

    async def cancel(self, owner_id: UserId, reply_id: str) -> bool | None:
        """Note the wish, if there is still something to stop."""
        noted: bool | None = await self._pool.fetchval(CANCEL, reply_id, owner_id)
        return noted

    async def under_way(self) -> list[UnderWay]:
        """Everything generating: the partial index has nothing else in it."""
        return [UnderWay(**row) for row in await self._pool.fetch(UNDER_WAY)]

    async def conversation(self, companion_id: str, conversation_id: str) -> Conversation | None:
        """A conversation."""
        row = await self._pool.fetchrow(CONVERSATION, conversation_id, companion_id)
        return None if row is None else Conversation(**row)

    async def conversations(self, companion_id: str, before: int | None, limit: int) -> list[Conversation]:
        """Conversations, newest first."""
        return [Conversation(**row) for row in await self._pool.fetch(CONVERSATIONS, companion_id, before, limit)]

    async def messages(self, conversation_id: str, before: int | None, limit: int) -> list[Message]:
        """Messages, latest first."""
        return [_message(row) for row in await self._pool.fetch(MESSAGES, conversation_id, before, limit)]


async def _insert(connection: asyncpg.Connection, exchange: Exchange) -> Begun | None:
    """Store both rows, or nothing without the rows they need."""
    companion_id, now = exchange.companion_id, exchange.created_at
    if not await connection.fetchval(OWNED, companion_id, exchange.owner_id):
        return None
    conversation_id = exchange.conversation_id or new_uuid()
    if exchange.conversation_id is None:
        last = await connection.fetchval(NEW_CONVERSATION, conversation_id, companion_id, title_of(exchange.text), now)
    else:
        last = await connection.fetchval(NEXT, conversation_id, companion_id, now)
    if last is None:
        return None
    ids = (conversation_id, companion_id)
    await connection.execute(
        INSERT_MESSAGE, exchange.message_id, *ids, last - 1, exchange.text, exchange.client_id, now
    )
    await connection.execute(INSERT_REPLY, exchange.reply_id, *ids, last, exchange.node_id, exchange.deadline_at, now)
    return Begun(conversation_id, exchange.reply_id, last, repeated=False)


def _message(row: asyncpg.Record) -> Message:
    emotion = None if row["emotion"] is None else msgspec.json.decode(row["emotion"], type=Emotion)
    return Message(**{**row, "emotion": emotion})
