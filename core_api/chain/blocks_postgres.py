"""Blocks in PostgreSQL, so that every node serves them and a backup has them."""

from collections.abc import Sequence

import asyncpg

from core_api.chain.blocks import CorruptBlock
from core_api.chain.cid import Cid
from core_api.chain.unixfs import Block

PUT = "INSERT INTO chain_block (digest, data) SELECT * FROM unnest($1::bytea[], $2::bytea[]) ON CONFLICT DO NOTHING"
GET = "SELECT data FROM chain_block WHERE digest = $1"


class PostgresBlocks:
    """Implements core_api.chain.blocks.BlockStore."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def put(self, blocks: Sequence[Block]) -> None:
        """Store blocks in one statement."""
        # In one order for everybody: two that store the same blocks must not wait for each other in a circle.
        data_of = dict(sorted((block.cid.digest, block.data) for block in blocks))
        await self._pool.execute(PUT, list(data_of), list(data_of.values()))

    async def get(self, cid: Cid) -> bytes | None:
        """Read a block, and hash it."""
        data: bytes | None = await self._pool.fetchval(GET, cid.digest)
        if data is not None and not cid.names(data):
            raise CorruptBlock(f"the block {cid} in PostgreSQL is not what its name says")
        return data
