"""Transactions in PostgreSQL."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from core_api import outbox
from core_api.chain.schema import Fault
from core_api.chain.transaction_store import ANNOUNCED, ChainGone, NewTransaction
from core_api.chain.transactions import Signed, Transaction, event_of, signed
from hub.kernel.wire import to_wire

COLUMNS = (
    "t.id::text, t.number, t.deployment_id, d.chain_id, t.owner_id::text, t.kind, t.key, t.arguments, t.state,"
    " t.sender, t.nonce, t.raw, t.hash, t.block_number, t.block_hash, t.contract, t.token_id::text, t.error,"
    " t.attempts, t.created_at, t.updated_at"
)
FROM = "FROM chain_transaction t JOIN chain_deployment d ON d.id = t.deployment_id"

# The share lock keeps whoever orphans the deployment waiting until this row is there to be orphaned with the others.
DEPLOYMENT_STATE = "SELECT state FROM chain_deployment WHERE id = $1 FOR SHARE"
INSERT = """
INSERT INTO chain_transaction (id, deployment_id, owner_id, kind, key, arguments, state, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, 'queued', $7, $7)
ON CONFLICT (deployment_id, key) WHERE state NOT IN ('failed', 'orphaned') DO NOTHING
RETURNING true
"""
BY_KEY = f"""
SELECT {COLUMNS} {FROM} WHERE t.deployment_id = $1 AND t.key = $2 AND t.state NOT IN ('failed', 'orphaned')
"""
# By their time and not by their number: many that wait for something, looked at again and again, would otherwise keep
# out the later one that they wait for.
CLAIM = f"""
WITH due AS (
    SELECT id FROM chain_transaction
    WHERE state IN ('queued', 'submitted', 'mined') AND due_at <= now()
    ORDER BY due_at, number
    LIMIT $1
    FOR UPDATE SKIP LOCKED
), leased AS (
    UPDATE chain_transaction SET due_at = now() + make_interval(secs => $2)
    WHERE id IN (SELECT id FROM due)
    RETURNING id
)
SELECT {COLUMNS} {FROM} WHERE t.id IN (SELECT id FROM leased) ORDER BY t.number
"""  # noqa: S608 - constants only
DUE_IN = """
SELECT extract(epoch FROM min(due_at) - now())::float8
FROM chain_transaction WHERE state IN ('queued', 'submitted', 'mined')
"""
RAISE_NONCE = """
INSERT INTO chain_sender (deployment_id, address, next_nonce) VALUES ($1, $2, $3)
ON CONFLICT (deployment_id, address)
DO UPDATE SET next_nonce = greatest(chain_sender.next_nonce, excluded.next_nonce)
"""
LOCK_QUEUED = "SELECT true FROM chain_transaction WHERE id = $1 AND state = 'queued' FOR UPDATE"
TAKE_NONCE = """
UPDATE chain_sender SET next_nonce = next_nonce + 1 WHERE deployment_id = $1 AND address = $2
RETURNING next_nonce - 1
"""
SET = """
UPDATE chain_transaction
SET state = $2, sender = $3, nonce = $4, raw = $5, hash = $6, block_number = $7, block_hash = $8, contract = $9,
    token_id = $10::text::numeric, error = $11, attempts = $12, updated_at = $13,
    due_at = now() + make_interval(secs => $14)
WHERE id = $1 AND state = $15 AND hash IS NOT DISTINCT FROM $16 AND block_hash IS NOT DISTINCT FROM $17
RETURNING true
"""
POSTPONE = """
UPDATE chain_transaction
SET due_at = now() + make_interval(secs => $4), attempts = attempts + 1, error = $5
WHERE id = $1 AND state = $2 AND hash IS NOT DISTINCT FROM $3
"""
WITH_NONCE = f"""
SELECT {COLUMNS} {FROM}
WHERE t.deployment_id = $1 AND t.sender = $2 AND t.nonce = $3 AND t.state <> 'orphaned'
"""
OF_DEPLOYMENT = f"""
SELECT {COLUMNS} {FROM} WHERE t.deployment_id = $1 AND t.owner_id IS NULL ORDER BY t.number
"""
GET = f"SELECT {COLUMNS} {FROM} WHERE t.id = $1"
OF_OWNER = f"""
SELECT {COLUMNS} {FROM}
WHERE t.owner_id = $1 AND ($2::bigint IS NULL OR t.number < $2)
ORDER BY t.number DESC
LIMIT $3
"""
POSTS_OF = """
SELECT token_id::text, arguments ->> 'postId' AS post_id FROM chain_transaction
WHERE deployment_id = $1 AND contract = $2 AND token_id = ANY ($3::text[]::numeric[])
  AND kind = 'mint' AND state = 'confirmed'
"""


class PostgresTransactions:
    """Implements core_api.chain.transaction_store.TransactionStore."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def add(self, new: NewTransaction, now: datetime) -> Transaction:
        """Insert, or give the row that is in the way."""
        while True:  # the row in the way may fail between the two statements, and then is none any more
            async with self._pool.acquire() as connection, connection.transaction():
                if await connection.fetchval(DEPLOYMENT_STATE, new.deployment_id) == "orphaned":
                    raise ChainGone
                arguments = _json(new.arguments)
                inserted = await connection.fetchval(
                    INSERT, new.id, new.deployment_id, new.owner_id, new.kind, new.key, arguments, now
                )
                row = await connection.fetchrow(BY_KEY, new.deployment_id, new.key)
                if row is not None:
                    transaction = transaction_of(row)
                    if inserted:
                        await tell(connection, transaction)
                    return transaction

    async def claim(self, limit: int, lease_s: float) -> list[Transaction]:
        """Lease what is due, leaving out what others are just leasing."""
        return [transaction_of(row) for row in await self._pool.fetch(CLAIM, limit, lease_s)]

    async def due_in_s(self) -> float | None:
        """Seconds until the next is due."""
        seconds: float | None = await self._pool.fetchval(DUE_IN)
        return None if seconds is None else max(0.0, seconds)

    async def raise_nonce(self, deployment_id: int, sender: str, count: int) -> None:
        """Insert the sender, or raise its number."""
        await self._pool.execute(RAISE_NONCE, deployment_id, sender, count)

    async def sign(
        self, transaction: Transaction, sender: str, sign: Callable[[int], Awaitable[Signed]], now: datetime
    ) -> Transaction | None:
        """Lock the row, then the sender; sign; store."""
        async with self._pool.acquire() as connection, connection.transaction():
            if not await connection.fetchval(LOCK_QUEUED, transaction.id):
                return None
            nonce = await connection.fetchval(TAKE_NONCE, transaction.deployment_id, sender)
            if nonce is None:
                raise LookupError(f"the nonce of {sender} was never set")
            after = signed(transaction, sender, nonce, await sign(nonce), now)
            await connection.fetchval(SET, *_values(transaction, after, pause_s=0.0))
            await tell(connection, after)
            return after

    async def save(self, before: Transaction, after: Transaction, pause_s: float) -> bool:
        """Compare what changes between nodes, and set everything."""
        async with self._pool.acquire() as connection, connection.transaction():
            saved = await connection.fetchval(SET, *_values(before, after, pause_s=pause_s))
            if saved and after.state != before.state:
                await tell(connection, after)
            return bool(saved)

    async def postpone(self, transaction: Transaction, pause_s: float, error: Fault | None) -> None:
        """Count the look and set the time of the next."""
        state, hash_ = transaction.state, transaction.hash
        await self._pool.execute(POSTPONE, transaction.id, state, hash_, pause_s, _fault(error))

    async def with_nonce(self, deployment_id: int, sender: str, nonce: int) -> Transaction | None:
        """By deployment, sender and nonce."""
        row = await self._pool.fetchrow(WITH_NONCE, deployment_id, sender, nonce)
        return None if row is None else transaction_of(row)

    async def of_deployment(self, deployment_id: int) -> list[Transaction]:
        """Those without an owner."""
        return [transaction_of(row) for row in await self._pool.fetch(OF_DEPLOYMENT, deployment_id)]

    async def get(self, transaction_id: str) -> Transaction | None:
        """By id."""
        row = await self._pool.fetchrow(GET, transaction_id)
        return None if row is None else transaction_of(row)

    async def of_owner(self, owner_id: str, before: int | None, limit: int) -> list[Transaction]:
        """An owner's, latest first."""
        return [transaction_of(row) for row in await self._pool.fetch(OF_OWNER, owner_id, before, limit)]

    async def posts_of(self, deployment_id: int, contract: str, token_ids: list[str]) -> dict[str, str]:
        """From the confirmed mints."""
        rows = await self._pool.fetch(POSTS_OF, deployment_id, contract, token_ids)
        return {row["token_id"]: row["post_id"] for row in rows}


async def tell(connection: asyncpg.Connection, transaction: Transaction) -> None:
    """Put a change of state into the outbox, in the transaction that makes it. The hub's own are nobody's news."""
    if transaction.owner_id is not None:
        event = to_wire(event_of(transaction))
        await outbox.append(connection, ANNOUNCED, {"ownerId": transaction.owner_id, "transaction": event})


def transaction_of(row: asyncpg.Record) -> Transaction:
    """A transaction out of its COLUMNS."""
    error = None if row["error"] is None else msgspec.json.decode(row["error"], type=Fault)
    return Transaction(**{**row, "arguments": msgspec.json.decode(row["arguments"]), "error": error})


def _values(before: Transaction, after: Transaction, *, pause_s: float) -> tuple[Any, ...]:
    return (
        after.id,
        after.state,
        after.sender,
        after.nonce,
        after.raw,
        after.hash,
        after.block_number,
        after.block_hash,
        after.contract,
        after.token_id,
        _fault(after.error),
        after.attempts,
        after.updated_at,
        pause_s,
        before.state,
        before.hash,
        before.block_hash,
    )


def _fault(error: Fault | None) -> str | None:
    return None if error is None else _json(to_wire(error))


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
