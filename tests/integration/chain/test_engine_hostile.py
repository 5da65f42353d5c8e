"""The engine among wallets that cheat, nodes that talk nonsense, chains that come back, and machines that vanish."""

import contextlib
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from core_api.chain.deployment_store_postgres import PostgresDeployments
from core_api.chain.errors import ChainUnavailable
from core_api.chain.ledger import ChainIdentity, Refused, Reverted
from hub.kernel.clock import SystemClock
from hub.kernel.errors import RateLimited
from hub.kernel.ids import new_uuid
from tests.support.chain import CHAIN_ID
from tests.support.chain_line import Killed, Line, killed, node_on
from tests.support.mints import FAST, WALLET, ChainNode, at_work, somebody


def raising(error: BaseException) -> Any:
    """A step for a Line."""

    async def step() -> None:
        raise error

    return step


async def test_a_contract_that_refuses_with_a_nul_fails_its_mint_and_stops_nothing(node: ChainNode, line: Line) -> None:
    line.before["estimate"] = raising(Reverted("execution reverted: a\x00b"))
    queued = await node.mint(somebody())
    await node.engine.work()
    row = await node.row(queued.id)
    assert row.error is not None
    assert (row.state, row.error.message) == ("failed", "execution reverted: a\ufffdb")


async def test_a_mint_that_cannot_go_on_says_so_and_keeps_no_other_waiting(node: ChainNode, line: Line) -> None:
    first, second = [await node.mint(somebody()) for _ in range(2)]
    line.before["estimate"] = raising(TypeError("a node's nonsense"))
    await node.engine.work()
    rows = [await node.row(one.id) for one in (first, second)]
    (stopped,) = [row for row in rows if row.state == "queued"]
    assert stopped.error is not None
    assert stopped.error.code == "internal"
    async with at_work(node):
        assert (await node.ended(stopped)).state == "confirmed"


@pytest.mark.parametrize(
    ("error", "code"), [(ChainUnavailable(), "chain_unavailable"), (TypeError("nonsense"), "internal")]
)
async def test_a_mint_that_waits_for_the_chain_says_so(
    node: ChainNode, line: Line, error: Exception, code: str
) -> None:
    queued = await node.mint(somebody())
    line.before["identity"] = raising(error)
    with pytest.raises(type(error)):
        await node.engine.work()
    row = await node.row(queued.id)
    assert row.error is not None
    assert (row.state, row.error.code) == ("queued", code)


async def test_what_a_vanished_machine_has_locked_is_not_asked_for_without_a_pause(
    node: ChainNode, pool: asyncpg.Pool
) -> None:
    queued = await node.mint(somebody())
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM chain_transaction WHERE id = $1 FOR UPDATE", queued.id)
        assert await node.engine.work() >= FAST.first_pause_s


async def test_a_wallet_that_burns_gas_is_not_paid_for(
    pool: asyncpg.Pool, line: Line, key: Path, contracts: dict[str, str]
) -> None:
    node = node_on(pool, line, key, contracts, most_gas=100_000)
    queued = await node.mint(somebody())
    await node.engine.work()
    row = await node.row(queued.id)
    assert row.error is not None
    assert (row.state, row.error.code, row.nonce, line.calls["send"]) == ("failed", "too_much_gas", None, 0)


async def test_a_nonce_of_before_the_chain_went_and_came_back_holds_up_nobody(
    pool: asyncpg.Pool, line: Line, key: Path, contracts: dict[str, str]
) -> None:
    dying = node_on(pool, line, key, contracts)
    left = await dying.mint(somebody())
    line.before["send"] = killed
    with contextlib.suppress(Killed):
        await dying.engine.work()
    await PostgresDeployments(pool).open(ChainIdentity(CHAIN_ID, "0xanother"), SystemClock().now())
    assert (await dying.row(left.id)).state == "orphaned"

    node = node_on(pool, line, key, contracts)
    after = await node.mint(somebody())
    async with at_work(node):
        row = await node.ended(after, timeout_s=10.0)
    assert row.state == "confirmed"
    assert row.nonce == ((await dying.row(left.id)).nonce or 0) + 1


async def test_one_account_cannot_ask_for_mints_without_end(
    pool: asyncpg.Pool, line: Line, key: Path, contracts: dict[str, str]
) -> None:
    me, node = somebody(), node_on(pool, line, key, contracts, mints_per_minute=2)
    for _ in range(2):
        await node.mint(me, new_uuid())
    with pytest.raises(RateLimited):
        await node.mint(me, new_uuid())
    await node.mint(somebody(), new_uuid())


async def test_a_node_that_refuses_a_read_is_as_good_as_none(node: ChainNode, line: Line) -> None:
    line.before["logs"] = raising(Refused("query returned more than 10000 results"))
    with pytest.raises(ChainUnavailable):
        await node.nfts.of_owner(WALLET)
