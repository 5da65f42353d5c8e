"""Mints while nodes are killed, and what is on the chain afterwards."""

import asyncio
import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import msgspec

from core_api.chain.contract_abi import contract
from core_api.chain.ledger import Call
from core_api.chain.metadata import content_hash
from core_api.chain.schema import MintRequest
from core_api.chain.transactions import Transaction
from hub.kernel.ids import new_uuid
from tests.support.mints import ChainNode, chain_node, rpc_ledger, somebody
from tests.support.programs import Program, running
from tests.support.wait import until

UNDER_WAY = "SELECT count(*) FROM chain_transaction WHERE state IN ('queued', 'submitted', 'mined')"


class Report(msgspec.Struct):
    """What came of it."""

    mints: int
    deaths: list[str]
    """The step of each."""
    seconds: float
    tokens: int
    """NFTMinted events on the chain."""
    rows: list[Transaction]
    token_of_post: dict[str, str]
    """As the contract has it."""
    transactions: int
    """Of the hub's account, in blocks."""
    signed: int
    """Rows with a nonce."""


async def mint_under_fire(
    pool: asyncpg.Pool, database_url: str, chain_url: str, key: Path, *, mints: int, deaths: int, seed: int = 1
) -> Report:
    """Ask for so many mints, each twice at once, while two nodes work on them and die so often each."""
    started = time.monotonic()
    posts = [new_uuid() for _ in range(mints)]
    with _workers(database_url, chain_url, key, deaths, seed) as workers:
        async with rpc_ledger(chain_url) as ledger:
            node = chain_node(pool, ledger, key)
            author = somebody()
            for post_id in posts:
                await asyncio.gather(*(node.mints.mint(author, MintRequest(post_id=post_id)) for _ in range(2)))
            await until(lambda: _all_ended(pool), timeout_s=60 + 2 * mints)
            rows = await node.store.of_owner(author.user_id, None, 2 * mints)
            seconds = time.monotonic() - started
            deployment = await node.deployments.ready()
            nft = deployment.contracts["SparkleNFT"]
            events = await ledger.logs(nft, [contract("SparkleNFT").topic("NFTMinted")])
            token_of_post = {post_id: await _token_of(node, nft, post_id) for post_id in posts}
            (sender,) = {row.sender for row in rows if row.sender}
            return Report(
                mints=mints,
                deaths=[line.removeprefix("killed ") for one in workers for line in one.lines if "killed" in line],
                seconds=seconds,
                tokens=len(events),
                rows=rows,
                token_of_post=token_of_post,
                transactions=await ledger.nonce(sender),
                signed=await pool.fetchval("SELECT count(*) FROM chain_transaction WHERE nonce IS NOT NULL"),
            )


@contextlib.contextmanager
def _workers(database_url: str, chain_url: str, key: Path, deaths: int, seed: int) -> Iterator[list[Program]]:
    with contextlib.ExitStack() as stack:
        workers = []
        for number in range(2):
            command = [sys.executable, "-m", "tests.support.mint_worker"]
            named = {
                "--database": database_url,
                "--chain": chain_url,
                "--key": str(key),
                "--deaths": str(deaths),
                "--seed": str(seed + 6 * number),
            }
            command.extend(word for pair in named.items() for word in pair)
            workers.append(stack.enter_context(running(command, uid=None)))
        yield workers


async def _all_ended(pool: asyncpg.Pool) -> bool:
    return not await pool.fetchval(UNDER_WAY)


async def _token_of(node: ChainNode, nft: str, post_id: str) -> str:
    abi = contract("SparkleNFT")
    answer = await node.ledger.call(Call(nft, abi.call("tokenOfContent", content_hash(post_id))))
    return str(abi.result("tokenOfContent", answer)[0])
