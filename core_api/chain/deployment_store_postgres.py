"""Deployments in PostgreSQL."""

from collections.abc import Mapping
from datetime import datetime

import asyncpg
import msgspec

from core_api.chain.deployment_store import Deployment
from core_api.chain.ledger import ChainIdentity
from core_api.chain.transaction_store_postgres import COLUMNS, tell, transaction_of

COLUMNS_OF_DEPLOYMENT = "id, chain_id, genesis, state, contracts"
FIND = f"SELECT {COLUMNS_OF_DEPLOYMENT} FROM chain_deployment WHERE chain_id = $1 AND genesis = $2"  # noqa: S608 - constants only
GET = f"SELECT {COLUMNS_OF_DEPLOYMENT} FROM chain_deployment WHERE id = $1"  # noqa: S608 - constants only

# Nodes that meet a new chain at the same time queue up here, whichever rows there are to be locked.
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('chain_deployment', $1))"
OPEN = f"""
INSERT INTO chain_deployment (chain_id, genesis, state, created_at) VALUES ($1, $2, 'deploying', $3)
ON CONFLICT (chain_id, genesis) DO UPDATE
SET state = CASE WHEN chain_deployment.contracts = '{{}}' THEN 'deploying' ELSE 'ready' END
RETURNING {COLUMNS_OF_DEPLOYMENT}
"""  # noqa: S608 - constants only
ORPHAN_DEPLOYMENTS = """
UPDATE chain_deployment SET state = 'orphaned' WHERE chain_id = $1 AND genesis <> $2 AND state <> 'orphaned'
RETURNING id
"""
ORPHAN_TRANSACTIONS = f"""
UPDATE chain_transaction t SET state = 'orphaned', updated_at = $2
FROM chain_deployment d
WHERE d.id = t.deployment_id AND t.deployment_id = ANY ($1::bigint[]) AND t.state NOT IN ('failed', 'orphaned')
RETURNING {COLUMNS}
"""  # noqa: S608 - constants only
COMPLETE = """
WITH completed AS (
    UPDATE chain_deployment SET state = 'ready', contracts = $2 WHERE id = $1 AND state <> 'orphaned' RETURNING id
)
UPDATE chain_transaction SET due_at = now(), attempts = 0
WHERE deployment_id IN (SELECT id FROM completed) AND state = 'queued'
"""


class PostgresDeployments:
    """Implements core_api.chain.deployment_store.DeploymentStore."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def open(self, identity: ChainIdentity, now: datetime) -> Deployment:
        """One read where nothing is new."""
        row = await self._pool.fetchrow(FIND, identity.chain_id, identity.genesis)
        if row is None or row["state"] == "orphaned":
            row = await self._change_chain(identity, now)
        return _deployment(row)

    async def get(self, deployment_id: int) -> Deployment | None:
        """By id."""
        row = await self._pool.fetchrow(GET, deployment_id)
        return None if row is None else _deployment(row)

    async def complete(self, deployment_id: int, contracts: Mapping[str, str]) -> None:
        """Set the addresses and wake what waits for them."""
        await self._pool.execute(COMPLETE, deployment_id, msgspec.json.encode(contracts).decode())

    async def _change_chain(self, identity: ChainIdentity, now: datetime) -> asyncpg.Record:
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(LOCK, identity.chain_id)
            gone = await connection.fetch(ORPHAN_DEPLOYMENTS, identity.chain_id, identity.genesis)
            for row in await connection.fetch(ORPHAN_TRANSACTIONS, [row["id"] for row in gone], now):
                await tell(connection, transaction_of(row))
            return await connection.fetchrow(OPEN, identity.chain_id, identity.genesis, now)


def _deployment(row: asyncpg.Record) -> Deployment:
    return Deployment(
        id=row["id"],
        identity=ChainIdentity(row["chain_id"], row["genesis"]),
        state=row["state"],
        contracts=msgspec.json.decode(row["contracts"], type=dict[str, str]),
    )
