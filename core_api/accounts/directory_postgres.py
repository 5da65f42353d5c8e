"""The directory in PostgreSQL."""

from collections.abc import Iterable, Sequence

import asyncpg

from core_api.accounts.model import Account, name_key
from core_api.accounts.store_postgres import ACCOUNT_COLUMNS, account_of
from hub.kernel.ids import UserId

_VISIBLE = f"""
SELECT {ACCOUNT_COLUMNS} FROM account_user u
WHERE deleted_at IS NULL
  AND NOT EXISTS (SELECT FROM account_block b WHERE b.blocker_id = u.id AND b.blocked_id = $2::uuid)
"""  # noqa: S608 - constants only
BY_IDS = _VISIBLE + "  AND id = ANY($1::uuid[])"
BY_NAME = _VISIBLE + "  AND username_key = $1"


class PostgresDirectory:
    """Implements core_api.accounts.directory.DirectoryStore."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def visible(self, user_ids: Iterable[UserId], viewer_id: UserId | None) -> Sequence[Account]:
        """Those of these that ``viewer_id`` may see."""
        return [account_of(row) for row in await self._pool.fetch(BY_IDS, list(user_ids), viewer_id)]

    async def named(self, username: str, viewer_id: UserId | None) -> Account | None:
        """The one with this name."""
        row = await self._pool.fetchrow(BY_NAME, name_key(username), viewer_id)
        return None if row is None else account_of(row)
