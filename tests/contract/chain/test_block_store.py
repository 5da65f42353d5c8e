"""core_api.chain.blocks_postgres on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from core_api.chain.blocks import CorruptBlock
from core_api.chain.blocks_postgres import PostgresBlocks
from core_api.chain.cid import DAG_PB, Cid
from core_api.chain.unixfs import Block, add
from hub.storage.postgres import create_pool


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await create_pool(database_url, size=8)
    yield pool
    await pool.close()


@pytest.fixture
def store(pool: asyncpg.Pool) -> PostgresBlocks:
    return PostgresBlocks(pool)


async def test_blocks_come_back_under_every_name_of_theirs(store: PostgresBlocks) -> None:
    blocks = add(bytes(range(256)) * 3, 0, chunk_bytes=200)
    await store.put(blocks)
    for block in blocks:
        assert await store.get(block.cid) == block.data
        assert await store.get(Cid(block.cid.digest, DAG_PB, 1)) == block.data
    assert await store.get(Cid.of(b"absent")) is None


async def test_putting_again_changes_nothing_whoever_does_so_at_once(store: PostgresBlocks, pool: asyncpg.Pool) -> None:
    blocks = [*add(bytes(5000), chunk_bytes=1000), *add(bytes(range(200)), chunk_bytes=10)]
    names = {block.cid.digest for block in blocks}
    assert len(names) < len(blocks)  # a file that repeats itself
    await asyncio.gather(*(store.put(blocks if number % 2 else blocks[::-1]) for number in range(8)))
    assert await pool.fetchval("SELECT count(*) FROM chain_block") == len(names)


async def test_nothing_to_put_is_put(store: PostgresBlocks) -> None:
    await store.put([])


async def test_a_damaged_block_is_never_given_out(store: PostgresBlocks, pool: asyncpg.Pool) -> None:
    block = Block(Cid.of(b"true"), b"true")
    await store.put([block])
    await pool.execute("UPDATE chain_block SET data = 'false'")
    with pytest.raises(CorruptBlock):
        await store.get(block.cid)
