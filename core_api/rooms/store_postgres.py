"""Rooms, members and messages in PostgreSQL."""

from collections.abc import Set
from datetime import datetime

import asyncpg
import msgspec

from core_api import outbox
from core_api.rooms.model import Member, Message, Room, Standing
from core_api.rooms.schema import Visibility
from core_api.rooms.store import MEMBER_REMOVED, NewMessage, Posted
from hub.kernel.ids import UserId

ROOM_COLUMNS = "r.id::text, r.number, r.name, r.visibility, r.owner_id::text, r.last_seq, r.created_at"
MEMBER_COLUMNS = "user_id::text, number, role, joined_at"

INSERT_ROOM = """
INSERT INTO room (id, name, visibility, owner_id, created_at) VALUES ($1, $2, $3, $4, $5) RETURNING number
"""
INSERT_OWNER = "INSERT INTO room_member (room_id, user_id, role, joined_at) VALUES ($1, $2, 'owner', $3)"
ROOM = f"""
SELECT {ROOM_COLUMNS}, m.role
FROM room r
LEFT JOIN room_member m ON m.room_id = r.id AND m.user_id = $2::uuid
WHERE r.id = $1
"""  # noqa: S608 - constants only
STANDINGS = """
SELECT p.user_id::text, p.room_id::text, r.owner_id::text, r.visibility, m.role
FROM unnest($1::uuid[], $2::uuid[]) AS p (user_id, room_id)
JOIN room r ON r.id = p.room_id
LEFT JOIN room_member m ON m.room_id = p.room_id AND m.user_id = p.user_id
"""
# Two short index scans. One with OR would walk over everybody else's private rooms to fill a page.
ROOMS = f"""
SELECT * FROM (
    (SELECT {ROOM_COLUMNS}, m.role
     FROM room r
     LEFT JOIN room_member m ON m.room_id = r.id AND m.user_id = $1
     WHERE r.visibility = 'public' AND ($2::bigint IS NULL OR r.number < $2)
     ORDER BY r.number DESC
     LIMIT $3)
    UNION ALL
    (SELECT {ROOM_COLUMNS}, m.role
     FROM room_member m
     JOIN room r ON r.id = m.room_id
     WHERE m.user_id = $1 AND r.visibility = 'private' AND ($2::bigint IS NULL OR r.number < $2)
     ORDER BY r.number DESC
     LIMIT $3)
) AS visible
ORDER BY number DESC
LIMIT $3
"""  # noqa: S608 - constants only

MEMBERS = f"""
SELECT {MEMBER_COLUMNS} FROM room_member
WHERE room_id = $1 AND ($2::bigint IS NULL OR number > $2)
ORDER BY number
LIMIT $3
"""  # noqa: S608 - constants only
# The update of nothing is there for RETURNING: without it a member of old gives no row.
ADD_MEMBER = f"""
INSERT INTO room_member AS old (room_id, user_id, role, joined_at) VALUES ($1, $2, 'member', $3)
ON CONFLICT (room_id, user_id) DO UPDATE SET role = old.role
RETURNING {MEMBER_COLUMNS}
"""  # noqa: S608 - constants only
REMOVE_MEMBER = "DELETE FROM room_member WHERE room_id = $1 AND user_id = $2 AND role = 'member' RETURNING true"

# One statement: the lock on the room's row is held for a commit and not for round trips as well. A repeat violates the
# unique key, which takes the whole statement back, the number with it.
POST = """
WITH place AS (UPDATE room SET last_seq = last_seq + 1 WHERE id = $1 RETURNING last_seq)
INSERT INTO room_message (room_id, seq, id, sender_id, client_id, body, sent_at)
SELECT $1, last_seq, $2, $3, $4, $5, $6 FROM place
RETURNING seq
"""
EARLIER = """
SELECT id::text, seq, body, sent_at FROM room_message WHERE room_id = $1 AND sender_id = $2 AND client_id = $3
"""
MESSAGES = """
SELECT id::text, room_id::text, seq, sender_id::text, body, sent_at FROM room_message
WHERE room_id = $1 AND ($2::bigint IS NULL OR seq < $2)
ORDER BY seq DESC
LIMIT $3
"""


class PostgresRooms:
    """Implements core_api.rooms.store.RoomStore."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def create(self, room_id: str, name: str, visibility: Visibility, owner_id: UserId, now: datetime) -> Room:
        """Add a room with its owner."""
        async with self._pool.acquire() as connection, connection.transaction():
            number = await connection.fetchval(INSERT_ROOM, room_id, name, visibility, owner_id, now)
            await connection.execute(INSERT_OWNER, room_id, owner_id, now)
        return Room(room_id, number, name, visibility, owner_id, 0, now, "owner")

    async def room(self, room_id: str, user_id: str | None) -> Room | None:
        """A room and the person's role in it."""
        row = await self._pool.fetchrow(ROOM, room_id, user_id)
        return None if row is None else Room(**row)

    async def standings(self, pairs: Set[tuple[UserId, str]]) -> dict[tuple[UserId, str], Standing]:
        """How people stand to rooms."""
        ordered = list(pairs)
        rows = await self._pool.fetch(STANDINGS, [user for user, _ in ordered], [room for _, room in ordered])
        return {
            (UserId(user_id), room_id): Standing(UserId(owner_id), visibility, role)
            for user_id, room_id, owner_id, visibility, role in rows
        }

    async def rooms(self, user_id: UserId, before: int | None, limit: int) -> list[Room]:
        """Public and own rooms, newest first."""
        return [Room(**row) for row in await self._pool.fetch(ROOMS, user_id, before, limit)]

    async def members(self, room_id: str, after: int | None, limit: int) -> list[Member]:
        """Members in the order they came."""
        return [Member(**row) for row in await self._pool.fetch(MEMBERS, room_id, after, limit)]

    async def add_member(self, room_id: str, user_id: UserId, now: datetime) -> Member:
        """Make somebody a member, unless they are one."""
        return Member(**await self._pool.fetchrow(ADD_MEMBER, room_id, user_id, now))

    async def remove_member(self, room_id: str, user_id: UserId) -> bool:
        """Take a member out, and say so in the outbox."""
        async with self._pool.acquire() as connection, connection.transaction():
            if not await connection.fetchval(REMOVE_MEMBER, room_id, user_id):
                return False
            await outbox.append(connection, MEMBER_REMOVED, {"roomId": room_id, "userId": user_id})
            return True

    async def post(self, message: NewMessage) -> Posted | None:
        """Store a message under the next number, or find the one it repeats."""
        try:
            seq = await self._pool.fetchval(
                POST,
                message.room_id,
                message.id,
                message.sender_id,
                message.client_id,
                message.body,
                message.sent_at,
            )
        except asyncpg.UniqueViolationError:
            earlier = await self._pool.fetchrow(EARLIER, message.room_id, message.sender_id, message.client_id)
            return Posted(**earlier, repeated=True)
        return None if seq is None else Posted(message.id, seq, message.body, message.sent_at, repeated=False)

    async def messages(self, room_id: str, before: int | None, limit: int) -> list[Message]:
        """Messages, newest first."""
        rows = await self._pool.fetch(MESSAGES, room_id, before, limit)
        return [Message(**{**row, "body": msgspec.Raw(row["body"])}) for row in rows]
