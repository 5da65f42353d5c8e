"""Wallets in PostgreSQL."""

from datetime import datetime

import asyncpg

from core_api.chain.wallet_store import IssuedMessage, Refusal, Wallet
from hub.kernel.ids import UserId

COLUMNS = "id::text, number, user_id::text, chain_id, address, connected_at"

ISSUE = """
INSERT INTO wallet_message (nonce, user_id, chain_id, address, text, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
"""
# A few at each new message, so no task has to run for it. Two of these at once must not wait for each other's rows.
SWEEP = """
DELETE FROM wallet_message WHERE nonce IN (
    SELECT nonce FROM wallet_message WHERE expires_at <= $1 ORDER BY expires_at LIMIT 20 FOR UPDATE SKIP LOCKED
)
"""
ISSUED = """
SELECT nonce, user_id::text, chain_id, address, text, expires_at FROM wallet_message
WHERE nonce = $1 AND user_id = $2 AND expires_at > $3
"""
SPEND = "DELETE FROM wallet_message WHERE nonce = $1 AND user_id = $2 AND expires_at > $3 RETURNING true"
# An address that is held becomes the last connected one, and RETURNING says whose it is; if it is somebody else's, the
# transaction is taken back. The update also waits for a rival that has not committed yet.
CONNECT = f"""
INSERT INTO wallet (id, user_id, chain_id, address, connected_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (chain_id, address) WHERE disconnected_at IS NULL
DO UPDATE SET number = DEFAULT, connected_at = excluded.connected_at
RETURNING {COLUMNS}
"""  # noqa: S608 - constants only
DISCONNECT = """
UPDATE wallet SET disconnected_at = $3 WHERE id = $1 AND user_id = $2 AND disconnected_at IS NULL RETURNING true
"""
WALLETS = f"""
SELECT {COLUMNS} FROM wallet
WHERE user_id = $1 AND disconnected_at IS NULL AND ($2::bigint IS NULL OR number < $2)
ORDER BY number DESC
LIMIT $3
"""  # noqa: S608 - constants only
LATEST = f"""
SELECT {COLUMNS} FROM wallet
WHERE user_id = $1 AND chain_id = $2 AND disconnected_at IS NULL
ORDER BY number DESC
LIMIT 1
"""  # noqa: S608 - constants only


class _Refused(Exception):
    """Takes the transaction back."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal


class PostgresWallets:
    """Implements core_api.chain.wallet_store.WalletStore."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def issue(self, message: IssuedMessage, now: datetime) -> None:
        """Keep a message, and sweep."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(SWEEP, now)
            await connection.execute(
                ISSUE,
                message.nonce,
                message.user_id,
                message.chain_id,
                message.address,
                message.text,
                message.expires_at,
            )

    async def issued(self, nonce: str, user_id: UserId, now: datetime) -> IssuedMessage | None:
        """A message that may still be used."""
        row = await self._pool.fetchrow(ISSUED, nonce, user_id, now)
        return None if row is None else IssuedMessage(**row)

    async def connect(self, wallet_id: str, message: IssuedMessage, now: datetime) -> Wallet | Refusal:
        """Spend the message and add the wallet."""
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                if not await connection.fetchval(SPEND, message.nonce, message.user_id, now):
                    raise _Refused(Refusal.MESSAGE_SPENT)
                wallet = Wallet(
                    **await connection.fetchrow(
                        CONNECT, wallet_id, message.user_id, message.chain_id, message.address, now
                    )
                )
                if wallet.user_id != message.user_id:
                    raise _Refused(Refusal.TAKEN)
                return wallet
        except _Refused as refused:
            return refused.refusal

    async def disconnect(self, wallet_id: str, user_id: UserId, now: datetime) -> bool:
        """Mark a wallet as disconnected."""
        return bool(await self._pool.fetchval(DISCONNECT, wallet_id, user_id, now))

    async def wallets(self, user_id: UserId, before: int | None, limit: int) -> list[Wallet]:
        """Connected wallets, the last first."""
        return [Wallet(**row) for row in await self._pool.fetch(WALLETS, user_id, before, limit)]

    async def latest(self, user_id: UserId, chain_id: int) -> Wallet | None:
        """The wallet connected last."""
        row = await self._pool.fetchrow(LATEST, user_id, chain_id)
        return None if row is None else Wallet(**row)
