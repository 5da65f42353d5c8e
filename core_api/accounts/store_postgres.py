"""Accounts and sessions in PostgreSQL."""

from datetime import datetime

import asyncpg

from core_api.accounts.model import Account, Session, Status, name_key
from hub.kernel.ids import SessionId, UserId

ACCOUNT_COLUMNS = "id::text, email, username, display_name, bio, status, role, version, created_at"
SESSION_COLUMNS = (
    "id::text, user_id::text, user_agent, address_prefix, created_at, refreshed_at, refresh_seed, refresh_generation,"
    " ended_at, number"
)

# Without a conflict target it covers both partial unique indexes, and waits for a rival that has not committed yet.
INSERT_ACCOUNT = """
INSERT INTO account_user
    (id, email, email_key, username, username_key, display_name, bio, status, role, version, created_at,
     password_hash, referral_code)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT DO NOTHING
RETURNING id
"""
TAKEN = """
SELECT email_key = $1 AS email, username_key = $2 AS username
FROM account_user
WHERE (email_key = $1 OR username_key = $2) AND deleted_at IS NULL
"""
ACCOUNT = f"SELECT {ACCOUNT_COLUMNS} FROM account_user WHERE id = $1 AND deleted_at IS NULL"  # noqa: S608 - constants only
CREDENTIALS_BY_EMAIL = f"""
SELECT {ACCOUNT_COLUMNS}, password_hash FROM account_user WHERE email_key = $1 AND deleted_at IS NULL
"""  # noqa: S608 - constants only
CREDENTIALS_BY_USERNAME = f"""
SELECT {ACCOUNT_COLUMNS}, password_hash FROM account_user WHERE username_key = $1 AND deleted_at IS NULL
"""  # noqa: S608 - constants only
STATUS = "SELECT status FROM account_user WHERE id = $1 AND deleted_at IS NULL"
REPLACE_HASH = "UPDATE account_user SET password_hash = $3 WHERE id = $1 AND password_hash = $2"

# FOR SHARE: a suspension that is being written is waited for, and one that comes later finds this session.
INSERT_SESSION = """
INSERT INTO account_session
    (id, user_id, user_agent, address_prefix, created_at, refreshed_at, refresh_seed, refresh_generation)
SELECT $1, id, $3, $4, $5, $6, $7, $8
FROM account_user
WHERE id = $2 AND status = 'active' AND deleted_at IS NULL
FOR SHARE
RETURNING id
"""
SESSION = f"SELECT {SESSION_COLUMNS} FROM account_session WHERE id = $1"  # noqa: S608 - constants only
ROTATE = """
UPDATE account_session SET refresh_generation = refresh_generation + 1, refreshed_at = $3
WHERE id = $1 AND refresh_generation = $2 AND ended_at IS NULL
RETURNING id
"""
END_SESSION = """
UPDATE account_session SET ended_at = coalesce(ended_at, $3), end_reason = coalesce(end_reason, $4)
WHERE id = $1 AND user_id = $2
RETURNING id
"""
LIVE_SESSIONS = f"""
SELECT {SESSION_COLUMNS}
FROM account_session
WHERE user_id = $1 AND ended_at IS NULL AND created_at > $2 AND refreshed_at > $3
  AND ($4::bigint IS NULL OR number < $4)
ORDER BY number DESC
LIMIT $5
"""  # noqa: S608 - constants only


class PostgresAccounts:
    """Implements core_api.accounts.store.AccountStore."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def create(
        self, account: Account, password_hash: str, referral_code: str | None, session: Session
    ) -> frozenset[str]:
        """Add both or neither; the fields that are taken."""
        values = (*_account_values(account), password_hash, referral_code)
        while not await self._insert(values, session):
            if taken := await self.taken(account.email, account.username):
                return taken
            # Whoever had the name when we inserted has given it back since: try again.
        return frozenset()

    async def _insert(self, account_values: tuple[object, ...], session: Session) -> bool:
        async with self._pool.acquire() as connection, connection.transaction():
            if await connection.fetchval(INSERT_ACCOUNT, *account_values) is None:
                return False
            await connection.execute(INSERT_SESSION, *_session_values(session))
            return True

    async def taken(self, email: str, username: str) -> frozenset[str]:
        """Which of the two somebody has."""
        rows = await self._pool.fetch(TAKEN, name_key(email), name_key(username))
        return frozenset(field for field in ("email", "username") if any(row[field] for row in rows))

    async def account(self, user_id: UserId) -> Account | None:
        """The account, unless it is deleted."""
        row = await self._pool.fetchrow(ACCOUNT, user_id)
        return None if row is None else account_of(row)

    async def credentials(self, *, email: str | None, username: str | None) -> tuple[Account, str] | None:
        """The account and its password hash."""
        if email is not None:
            row = await self._pool.fetchrow(CREDENTIALS_BY_EMAIL, name_key(email))
        else:
            row = await self._pool.fetchrow(CREDENTIALS_BY_USERNAME, name_key(username or ""))
        return None if row is None else (account_of(row), row["password_hash"])

    async def status(self, user_id: UserId) -> Status | None:
        """Whether the account may be used."""
        status: Status | None = await self._pool.fetchval(STATUS, user_id)
        return status

    async def replace_hash(self, user_id: UserId, old: str, new: str) -> None:
        """Compare and set the password hash."""
        await self._pool.execute(REPLACE_HASH, user_id, old, new)

    async def start_session(self, session: Session) -> bool:
        """Add a session to an account that may be used."""
        return await self._pool.fetchval(INSERT_SESSION, *_session_values(session)) is not None

    async def session(self, session_id: SessionId) -> Session | None:
        """A session, live or ended."""
        row = await self._pool.fetchrow(SESSION, session_id)
        return None if row is None else Session(**row)

    async def rotate(self, session_id: SessionId, generation: int, now: datetime) -> bool:
        """Compare and set the generation."""
        return await self._pool.fetchval(ROTATE, session_id, generation, now) is not None

    async def end_session(self, session_id: SessionId, user_id: UserId, reason: str, now: datetime) -> bool:
        """End a session of this user; the first reason stays."""
        return await self._pool.fetchval(END_SESSION, session_id, user_id, now, reason) is not None

    async def live_sessions(
        self, user_id: UserId, *, created_after: datetime, refreshed_after: datetime, before: int | None, limit: int
    ) -> list[Session]:
        """Sessions that can still be refreshed, newest first."""
        rows = await self._pool.fetch(LIVE_SESSIONS, user_id, created_after, refreshed_after, before, limit)
        return [Session(**row) for row in rows]


def account_of(row: asyncpg.Record) -> Account:
    """The account in a row that has (at least) ACCOUNT_COLUMNS."""
    return Account(
        id=row["id"],
        email=row["email"],
        username=row["username"],
        display_name=row["display_name"],
        bio=row["bio"],
        status=row["status"],
        role=row["role"],
        version=row["version"],
        created_at=row["created_at"],
    )


def _account_values(account: Account) -> tuple[object, ...]:
    return (
        account.id,
        account.email,
        name_key(account.email),
        account.username,
        name_key(account.username),
        account.display_name,
        account.bio,
        account.status,
        account.role,
        account.version,
        account.created_at,
    )


def _session_values(session: Session) -> tuple[object, ...]:
    return (
        session.id,
        session.user_id,
        session.user_agent,
        session.address_prefix,
        session.created_at,
        session.refreshed_at,
        session.refresh_seed,
        session.refresh_generation,
    )
