"""Roles and suspensions in PostgreSQL."""

from datetime import datetime

import asyncpg

from core_api import outbox
from core_api.accounts.model import Account, StaffRole, name_key
from core_api.accounts.store import SUSPENDED
from core_api.accounts.store_postgres import ACCOUNT, ACCOUNT_COLUMNS, account_of
from hub.kernel.ids import SessionId, UserId

ACCOUNT_WITH = f"SELECT {ACCOUNT_COLUMNS} FROM account_user WHERE email_key = $1 AND deleted_at IS NULL"  # noqa: S608 - constants only
EXISTS = "SELECT EXISTS (SELECT FROM account_user WHERE id = $1 AND deleted_at IS NULL)"
# The role is a part of one's own profile, so that has another version then.
SET_ROLE = """
UPDATE account_user SET role = $2, version = version + 1
WHERE id = $1 AND deleted_at IS NULL AND role <> $2
RETURNING true
"""
SUSPEND = """
UPDATE account_user
SET status = 'suspended',
    suspended_at = CASE status WHEN 'suspended' THEN suspended_at ELSE $2 END,
    suspension_reason = CASE status WHEN 'suspended' THEN suspension_reason ELSE $3 END
FROM (SELECT status AS before FROM account_user WHERE id = $1 AND deleted_at IS NULL FOR UPDATE) AS old
WHERE id = $1
RETURNING before <> 'suspended'
"""
END_SESSIONS = """
UPDATE account_session SET ended_at = $2, end_reason = 'suspended' WHERE user_id = $1 AND ended_at IS NULL
"""
UNSUSPEND = """
UPDATE account_user SET status = 'active', suspended_at = NULL, suspension_reason = NULL
WHERE id = $1 AND deleted_at IS NULL AND status = 'suspended'
RETURNING true
"""
SESSIONS_WITH_TOKENS = """
SELECT id::text FROM account_session WHERE user_id = $1 AND ended_at IS NOT NULL AND refreshed_at > $2
"""


class PostgresStaff:
    """Implements core_api.accounts.store.StaffStore."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def account(self, user_id: UserId) -> Account | None:
        """The account, unless it is deleted."""
        row = await self._pool.fetchrow(ACCOUNT, user_id)
        return None if row is None else account_of(row)

    async def account_with(self, email: str) -> Account | None:
        """The account with this address."""
        row = await self._pool.fetchrow(ACCOUNT_WITH, name_key(email))
        return None if row is None else account_of(row)

    async def set_role(self, user_id: UserId, role: StaffRole) -> bool | None:
        """Give an account a role."""
        return await self._changed(SET_ROLE, user_id, role)

    async def suspend(self, user_id: UserId, reason: str, now: datetime) -> bool | None:
        """Suspend the account, end its sessions, and say so in the outbox."""
        async with self._pool.acquire() as connection, connection.transaction():
            newly: bool | None = await connection.fetchval(SUSPEND, user_id, now, reason)
            if newly is not None:
                await connection.execute(END_SESSIONS, user_id, now)
                await outbox.append(connection, SUSPENDED, {"userId": user_id})
            return newly

    async def unsuspend(self, user_id: UserId) -> bool | None:
        """Let the account be used again."""
        return await self._changed(UNSUSPEND, user_id)

    async def sessions_with_tokens(self, user_id: UserId, *, since: datetime) -> list[SessionId]:
        """Ended sessions that were refreshed lately."""
        return [row["id"] for row in await self._pool.fetch(SESSIONS_WITH_TOKENS, user_id, since)]

    async def _changed(self, statement: str, user_id: UserId, *values: str) -> bool | None:
        if await self._pool.fetchval(statement, user_id, *values):
            return True
        return False if await self._pool.fetchval(EXISTS, user_id) else None
