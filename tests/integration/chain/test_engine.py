"""The engine on a real chain and a real PostgreSQL, with faults between it and the node."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from core_api.chain.contract_abi import contract
from core_api.chain.errors import ChainUnavailable, NotDeployed
from core_api.chain.ledger import Call, Fees, Ledger
from core_api.chain.ledger_rpc import RpcLedger
from core_api.chain.rpc import ChainClient
from core_api.chain.signer import Signer
from core_api.chain.transactions import Transaction
from hub.kernel.ids import new_uuid
from tests.support.chain import ChainProcess, running_chain
from tests.support.chain_line import EMPTY, Killed, Line, killed, node_on, tokens_of, unavailable
from tests.support.mints import FAST, WALLET, ChainNode, at_work, chain_node, rpc_ledger, somebody
from tests.support.wait import until


async def test_a_mint_waits_while_the_node_is_away_and_is_done_when_it_is_back(node: ChainNode, line: Line) -> None:
    queued = await node.mint(somebody())
    line.cut = True
    async with at_work(node):
        await until(lambda: line.calls["identity"] > 4)
        assert (await node.row(queued.id)).state == "queued"
        line.cut = False
        assert (await node.ended(queued)).state == "confirmed"


async def test_an_answer_that_is_lost_after_the_bytes_arrived_does_not_mint_twice(
    node: ChainNode, line: Line, contracts: dict[str, str]
) -> None:
    before = await tokens_of(line, contracts["SparkleNFT"])
    line.after["send"] = unavailable
    async with at_work(node):
        row = await node.ended(await node.mint(somebody()))
    assert row.state == "confirmed"
    assert await tokens_of(line, contracts["SparkleNFT"]) == before + 1


async def test_bytes_that_never_arrived_are_sent_again_as_they_were(node: ChainNode, line: Line) -> None:
    stored: list[Transaction] = []

    async def note() -> None:
        stored.append(await node.row(queued.id))
        raise ChainUnavailable

    line.before["send"] = note
    queued = await node.mint(somebody())
    async with at_work(node):
        row = await node.ended(queued)
    assert stored[0].state == "submitted", "the bytes are to be stored before they are sent"
    assert (row.state, row.raw, row.nonce) == ("confirmed", stored[0].raw, stored[0].nonce)


async def test_what_the_contract_would_refuse_fails_by_name_without_a_nonce_and_may_be_tried_again(
    node: ChainNode, contracts: dict[str, str]
) -> None:
    me, post_id = somebody(), new_uuid()
    node.wallets.address = contracts["SparkleMarketplace"]  # a contract that takes no tokens
    async with at_work(node):
        failed = await node.ended(await node.mint(me, post_id))
        assert failed.error is not None
        assert (failed.state, failed.error.code, failed.nonce) == ("failed", "ERC721InvalidReceiver", None)
        node.wallets.address = EMPTY
        again = await node.ended(await node.mint(me, post_id))
    assert again.id != failed.id
    assert again.state == "confirmed"


async def test_a_token_that_is_there_already_is_found_instead_of_minted(
    pool: asyncpg.Pool, line: Line, key: Path, contracts: dict[str, str]
) -> None:
    me, post_id = somebody(), new_uuid()
    node = node_on(pool, line, key, contracts)
    async with at_work(node):
        first = await node.ended(await node.mint(me, post_id))
    await pool.execute("TRUNCATE chain_transaction, chain_sender, chain_deployment")  # as from an old backup
    amnesiac = node_on(pool, line, key, contracts)
    async with at_work(amnesiac):
        second = await amnesiac.ended(await amnesiac.mint(me, post_id))
    assert (second.state, second.token_id, second.hash) == ("confirmed", first.token_id, None)


async def test_a_block_that_is_taken_back_is_mined_anew_from_the_same_bytes(
    pool: asyncpg.Pool, line: Line, key: Path, contracts: dict[str, str], chain: ChainProcess
) -> None:
    node = node_on(pool, line, key, contracts, confirmations=3)
    queued = await node.mint(somebody())
    saved = chain.call("evm_snapshot")
    async with at_work(node):
        mined = await row_when(node, queued, lambda row: row.state == "mined")
        chain.call("evm_revert", saved)
        chain.call("anvil_mine", "0x1")  # so that the next block is another one than before
        again = await row_when(node, queued, lambda row: row.state == "mined" and row.block_hash != mined.block_hash)
        assert (again.raw, again.nonce) == (mined.raw, mined.nonce)
        chain.call("anvil_mine", "0x2")
        row = await node.ended(queued)
    assert (row.state, row.hash) == ("confirmed", mined.hash)


async def test_a_result_waits_for_its_confirmations(
    pool: asyncpg.Pool, line: Line, key: Path, contracts: dict[str, str], chain: ChainProcess
) -> None:
    node = node_on(pool, line, key, contracts, confirmations=3)
    async with at_work(node):
        queued = await node.mint(somebody())
        mined = await row_when(node, queued, lambda row: row.state == "mined")
        looks = line.calls["receipt"]
        await until(lambda: line.calls["receipt"] > looks + 2)
        assert (await node.row(queued.id)).state == "mined"
        chain.call("anvil_mine", "0x2")
        row = await node.ended(queued)
    assert (row.state, row.token_id, mined.token_id) == ("confirmed", mined.token_id, mined.token_id)


async def test_a_nonce_that_somebody_else_used_is_replaced_by_another(
    node: ChainNode, line: Line, key: Path, chain: ChainProcess
) -> None:
    signer = Signer(key)

    async def use_it() -> None:
        sender = await signer.address()
        fees = await line.ledger.fees() or Fees(0, 0)
        nonce = await line.ledger.nonce(sender)
        foreign = await signer.sign(Call(EMPTY, b""), chain_id=31_337, nonce=nonce, gas=21_000, fees=fees)
        await line.ledger.send(foreign.raw)

    line.before["send"] = use_it
    async with at_work(node):
        row = await node.ended(await node.mint(somebody()))
    assert row.state == "confirmed"


async def test_what_a_dead_node_signed_and_did_not_send_holds_up_nobody(
    pool: asyncpg.Pool, line: Line, key: Path, contracts: dict[str, str]
) -> None:
    dying = node_on(pool, line, key, contracts, lease_s=600.0)
    first = await dying.mint(somebody())
    line.before["send"] = killed
    with contextlib.suppress(Killed):
        await dying.engine.work()
    left = await dying.row(first.id)
    assert left.state == "submitted"

    node = node_on(pool, line, key, contracts)
    async with at_work(node):
        assert (await node.ended(await node.mint(somebody()))).state == "confirmed"
    assert await line.ledger.receipt(left.hash or "") is not None


async def test_a_chain_that_is_too_dear_is_waited_for(
    pool: asyncpg.Pool, line: Line, key: Path, contracts: dict[str, str], chain: ChainProcess
) -> None:
    client = ChainClient(chain.url, FAST)
    poor = Line(RpcLedger(client, msgspec.structs.replace(FAST, most_fee_gwei=0.000001)))
    node = node_on(pool, poor, key, contracts)
    queued = await node.mint(somebody())
    async with at_work(node):
        row = await row_when(node, queued, lambda row: row.error is not None)
    await client.close()
    assert row.error is not None
    assert (row.state, row.error.code, row.nonce) == ("queued", "fees_too_high", None)


async def test_nothing_queued_means_nothing_asked_of_the_chain(pool: asyncpg.Pool, tmp_path: Path) -> None:
    calls: Counter[str] = Counter()
    settings = msgspec.structs.replace(FAST, idle_s=0.01)
    nobody: Any = object()
    idle = chain_node(pool, nobody, tmp_path / "key", settings, around=_counting(calls))
    async with at_work(idle):
        await until(lambda: calls["claim"] > 5)
    assert calls.keys() == {"claim", "due_in_s"}
    assert not await asyncio.to_thread((tmp_path / "key").exists), "nobody needs a key"


async def test_each_state_is_told_to_the_owner_in_turn(node: ChainNode) -> None:
    me = somebody()
    async with at_work(node):
        row = await node.ended(await node.mint(me))
    (sink,) = node.sinks.values()
    for event in await node.pool.fetch("SELECT payload FROM outbox WHERE topic = 'chain.transaction' ORDER BY id"):
        await sink(msgspec.json.decode(event["payload"]))
    told = [msgspec.to_builtins(event) for rooms, event in node.rooms.emitted if rooms == [f"user:{me.user_id}"]]
    assert [event["state"] for event in told] == ["queued", "submitted", "confirmed"]
    assert told[-1]["tokenId"] == row.token_id
    assert told[-1]["transactionId"] == row.id
    assert len(node.rooms.emitted) == 3


async def test_a_token_is_shown_with_whoever_has_it_now(
    node: ChainNode, contracts: dict[str, str], chain: ChainProcess
) -> None:
    nft = contracts["SparkleNFT"]
    async with at_work(node):
        minted = await node.ended(await node.mint(somebody()))
    token_id = minted.token_id or ""
    assert token_id in [token.token_id for token in (await node.nfts.of_owner(WALLET)).data]
    data = contract("SparkleNFT").call("transferFrom", WALLET, EMPTY, int(token_id))
    chain.call("eth_sendTransaction", {"from": WALLET, "to": nft, "data": "0x" + data.hex()})
    assert token_id not in [token.token_id for token in (await node.nfts.of_owner(WALLET)).data]
    token = await node.nfts.get(31_337, nft, token_id)
    assert (token.owner, token.creator, token.post_id) == (EMPTY, WALLET, minted.arguments["postId"])
    assert token in (await node.nfts.of_owner(EMPTY)).data


async def test_without_contracts_and_without_leave_to_deploy_there_is_nothing_to_mint_with(
    pool: asyncpg.Pool, line: Line, key: Path, contracts: dict[str, str]
) -> None:
    ledger: Ledger = line
    node = chain_node(pool, ledger, key, msgspec.structs.replace(FAST, deploy=False))
    with pytest.raises(NotDeployed, match="operator"):
        await node.mint(somebody())
    assert (await node.deployments.chains()).data[0].contracts == {}
    nowhere = chain_node(pool, ledger, key, msgspec.structs.replace(FAST, nft_address=EMPTY))
    with pytest.raises(NotDeployed, match="no contract at"):
        await nowhere.mint(somebody())


async def test_a_chain_that_forgot_everything_gets_contracts_anew_and_the_old_rows_are_orphaned(
    pool: asyncpg.Pool, tmp_path: Path, chain: ChainProcess
) -> None:
    me, post_id, key = somebody(), new_uuid(), tmp_path / "key"
    async with rpc_ledger(chain.url) as ledger:
        node = chain_node(pool, ledger, key)
        async with at_work(node):
            old = await node.ended(await node.mint(me, post_id))
    with running_chain() as forgetful:
        async with rpc_ledger(forgetful.url) as ledger:
            node = chain_node(pool, ledger, key)
            async with at_work(node):
                new = await node.mint(me, post_id)
                assert (await node.mints.transaction(me, old.id)).state == "orphaned"
                assert new.id != old.id
                assert (await node.ended(new)).state == "confirmed"
    states = await pool.fetch("SELECT state FROM chain_deployment ORDER BY id")
    assert [row["state"] for row in states] == ["orphaned", "ready"]


async def row_when(node: ChainNode, transaction: Transaction, condition: Callable[[Transaction], bool]) -> Transaction:
    """Wait until the row is so, and give it."""

    async def met() -> Transaction | None:
        row = await node.row(transaction.id)
        return row if condition(row) else None

    row = await until(met)
    assert row is not None
    return row


def _counting(looks: Counter[str]) -> Any:
    class Counting:
        def __init__(self, part: Any) -> None:
            self._part = part

        def __getattr__(self, name: str) -> Any:
            looks[name] += 1
            return getattr(self._part, name)

    return Counting
