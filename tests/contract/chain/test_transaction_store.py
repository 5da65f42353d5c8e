"""What TransactionStore and DeploymentStore promise, on PostgreSQL."""

import asyncio
from datetime import timedelta

import asyncpg
import msgspec
import pytest

from core_api.chain.deployment_store import Deployment, DeploymentStore
from core_api.chain.deployment_store_postgres import PostgresDeployments
from core_api.chain.ledger import ChainIdentity
from core_api.chain.schema import Fault
from core_api.chain.transaction_store import ChainGone, NewTransaction, TransactionStore
from core_api.chain.transaction_store_postgres import PostgresTransactions
from core_api.chain.transactions import Sighting, Signed, Transaction, View, observed, refused
from hub.kernel.clock import from_ms
from hub.kernel.ids import UserId, new_uuid

NOW = from_ms(1_800_000_000_123)
LATER = NOW + timedelta(seconds=1)
FIRST, SECOND = ChainIdentity(31337, "0x" + "a" * 64), ChainIdentity(31337, "0x" + "b" * 64)
SENDER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
NFT = "0xBec92E43ED8f0Cbf3229F4d42286820D4e0a4dD6"


@pytest.fixture
def store(pool: asyncpg.Pool) -> TransactionStore:
    return PostgresTransactions(pool)


@pytest.fixture
def deployments(pool: asyncpg.Pool) -> DeploymentStore:
    return PostgresDeployments(pool)


@pytest.fixture
async def deployment(deployments: DeploymentStore) -> Deployment:
    return await deployments.open(FIRST, NOW)


def mint_of(deployment: Deployment, key: str = "mint:1", owner: str | None = None) -> NewTransaction:
    return NewTransaction(
        id=new_uuid(),
        deployment_id=deployment.id,
        owner_id=UserId(owner or new_uuid()),
        kind="mint",
        key=key,
        arguments={"postId": new_uuid()},
    )


async def signature(nonce: int) -> Signed:
    return Signed(b"signed with %d" % nonce, f"0x{nonce:064x}")


async def states_told(pool: asyncpg.Pool) -> list[str]:
    rows = await pool.fetch("SELECT payload -> 'transaction' ->> 'state' AS state FROM outbox ORDER BY id")
    return [row["state"] for row in rows]


async def submitted(store: TransactionStore, deployment: Deployment, key: str = "mint:1") -> Transaction:
    queued = await store.add(mint_of(deployment, key), NOW)
    await store.raise_nonce(deployment.id, SENDER, 0)
    transaction = await store.sign(queued, SENDER, signature, NOW)
    assert transaction is not None
    return transaction


def confirmed(transaction: Transaction, token_id: str = "7") -> Transaction:
    sighting = Sighting(block_number=1, block_hash="0x1", succeeded=True, contract=NFT, token_id=token_id)
    view = View(head=1, settled_nonce=1, sighting=sighting)
    return observed(transaction, view, confirmations=1, now=LATER)


async def test_of_many_who_queue_under_one_key_at_once_one_is_added(
    store: TransactionStore, deployment: Deployment, pool: asyncpg.Pool
) -> None:
    added = await asyncio.gather(*(store.add(mint_of(deployment), NOW) for _ in range(8)))
    assert len({transaction.id for transaction in added}) == 1
    assert await states_told(pool) == ["queued"]


async def test_a_key_is_free_again_after_a_failure_and_not_after_a_success(
    store: TransactionStore, deployment: Deployment
) -> None:
    first = await store.add(mint_of(deployment), NOW)
    assert await store.save(first, refused(first, Fault(code="reverted", message="no"), LATER), 0)
    second = await store.add(mint_of(deployment), NOW)
    assert second.id != first.id
    await store.raise_nonce(deployment.id, SENDER, 0)
    signed = await store.sign(second, SENDER, signature, NOW)
    assert signed is not None
    assert await store.save(signed, confirmed(signed), 0)
    assert (await store.add(mint_of(deployment), NOW)).id == second.id


async def test_what_is_claimed_is_left_to_the_first_until_its_lease_runs_out(
    store: TransactionStore, deployment: Deployment
) -> None:
    for number in range(6):
        await store.add(mint_of(deployment, f"mint:{number}"), NOW)
    shares = await asyncio.gather(*(store.claim(2, 60) for _ in range(4)))
    claimed = [transaction.key for share in shares for transaction in share]
    assert len(claimed) == len(set(claimed)) == 6
    assert await store.claim(10, 0) == []
    due_in_s = await store.due_in_s()
    assert due_in_s is not None
    assert 50 < due_in_s <= 60


async def test_claims_come_again_at_once_with_a_lease_of_nothing_and_in_order(
    store: TransactionStore, deployment: Deployment
) -> None:
    assert await store.due_in_s() is None
    for number in range(3):
        await store.add(mint_of(deployment, f"mint:{number}"), NOW)
    for _ in range(2):
        assert [transaction.key for transaction in await store.claim(10, 0)] == ["mint:0", "mint:1", "mint:2"]


async def test_those_who_wait_do_not_keep_out_a_later_one_that_they_wait_for(
    store: TransactionStore, deployment: Deployment
) -> None:
    for number in range(4):
        await store.add(mint_of(deployment, f"mint:{number}"), NOW)
    await store.add(mint_of(deployment, "deploy:last"), NOW)
    for _ in range(2):
        for transaction in await store.claim(3, 60):
            await store.postpone(transaction, 0, None)
        claimed = {transaction.key for transaction in await store.claim(2, 60)}
        if "deploy:last" in claimed:
            return
    raise AssertionError("the last one never had its turn")


async def test_what_waits_for_the_contracts_is_due_once_they_are_there(
    store: TransactionStore, deployments: DeploymentStore, deployment: Deployment
) -> None:
    queued = await store.add(mint_of(deployment), NOW)
    await store.postpone(queued, 600, None)
    await deployments.complete(deployment.id, {"SparkleNFT": NFT})
    assert [transaction.id for transaction in await store.claim(5, 60)] == [queued.id]


async def test_nonces_are_given_without_gaps_to_many_at_once(store: TransactionStore, deployment: Deployment) -> None:
    await store.raise_nonce(deployment.id, SENDER, 5)
    rows = [await store.add(mint_of(deployment, f"mint:{number}"), NOW) for number in range(6)]
    signed = await asyncio.gather(*(store.sign(row, SENDER, signature, NOW) for row in rows))
    assert sorted(row.nonce for row in signed if row is not None and row.nonce is not None) == list(range(5, 11))


async def test_of_two_who_sign_the_same_transaction_one_does_and_no_nonce_is_lost(
    store: TransactionStore, deployment: Deployment
) -> None:
    await store.raise_nonce(deployment.id, SENDER, 0)
    queued = await store.add(mint_of(deployment), NOW)
    both = await asyncio.gather(*(store.sign(queued, SENDER, signature, NOW) for _ in range(2)))
    assert [row.nonce for row in both if row is not None] == [0]
    other = await store.sign(await store.add(mint_of(deployment, "mint:2"), NOW), SENDER, signature, NOW)
    assert other is not None
    assert other.nonce == 1


async def test_a_signature_that_fails_takes_no_nonce_and_leaves_it_queued(
    store: TransactionStore, deployment: Deployment, pool: asyncpg.Pool
) -> None:
    async def broken(nonce: int) -> Signed:
        raise OSError("the key file is gone")

    await store.raise_nonce(deployment.id, SENDER, 0)
    queued = await store.add(mint_of(deployment), NOW)
    with pytest.raises(OSError, match="gone"):
        await store.sign(queued, SENDER, broken, NOW)
    assert await store.get(queued.id) == queued
    assert await pool.fetchval("SELECT next_nonce FROM chain_sender") == 0
    assert await states_told(pool) == ["queued"]


async def test_raising_a_nonce_never_lowers_it(
    store: TransactionStore, deployment: Deployment, pool: asyncpg.Pool
) -> None:
    for count in (3, 9, 4):
        await store.raise_nonce(deployment.id, SENDER, count)
    assert await pool.fetchval("SELECT next_nonce FROM chain_sender") == 9


async def test_what_is_signed_is_found_by_its_nonce_with_the_very_bytes(
    store: TransactionStore, deployment: Deployment
) -> None:
    transaction = await submitted(store, deployment)
    found = await store.with_nonce(deployment.id, SENDER, 0)
    assert found == transaction
    assert found.raw == b"signed with 0"
    assert await store.with_nonce(deployment.id, SENDER, 1) is None


async def test_of_two_changes_one_is_taken_and_each_new_state_is_told_once(
    store: TransactionStore, deployment: Deployment, pool: asyncpg.Pool
) -> None:
    transaction = await submitted(store, deployment)
    after = confirmed(transaction)
    saved = await asyncio.gather(*(store.save(transaction, after, 0) for _ in range(4)))
    assert sorted(saved) == [False, False, False, True]
    assert await states_told(pool) == ["queued", "submitted", "confirmed"]
    assert await store.get(transaction.id) == msgspec.structs.replace(after, number=transaction.number)


async def test_what_waits_says_why_and_what_has_changed_meanwhile_does_not_wait(
    store: TransactionStore, deployment: Deployment
) -> None:
    transaction = await submitted(store, deployment)
    fault = Fault(code="refused", message="insufficient funds")
    await store.postpone(transaction, 30, fault)
    waiting = await store.get(transaction.id)
    assert waiting is not None
    assert (waiting.error, waiting.attempts) == (fault, 1)
    await store.save(waiting, confirmed(waiting), 0)
    await store.postpone(transaction, 30, fault)
    row = await store.get(transaction.id)
    assert row is not None
    assert row.error is None


async def test_an_owners_list_is_theirs_and_a_token_has_its_post(
    store: TransactionStore, deployment: Deployment
) -> None:
    mine = [await store.add(mint_of(deployment, f"mint:{number}", new_uuid()), NOW) for number in range(2)]
    owner = mine[0].owner_id or ""
    assert [row.id for row in await store.of_owner(owner, None, 10)] == [mine[0].id]
    assert await store.of_owner(owner, mine[0].number, 10) == []
    await store.raise_nonce(deployment.id, SENDER, 0)
    signed = await store.sign(mine[0], SENDER, signature, NOW)
    assert signed is not None
    huge = str(2**256 - 1)
    await store.save(signed, confirmed(signed, huge), 0)
    assert await store.posts_of(deployment.id, NFT, [huge, "1"]) == {huge: mine[0].arguments["postId"]}


async def test_many_nodes_that_meet_a_chain_at_once_have_one_deployment(deployments: DeploymentStore) -> None:
    opened = await asyncio.gather(*(deployments.open(FIRST, NOW) for _ in range(6)))
    assert len({deployment.id for deployment in opened}) == 1
    assert {deployment.state for deployment in opened} == {"deploying"}


async def test_a_new_first_block_orphans_what_was_on_the_old_chain_and_tells_the_owners(
    store: TransactionStore, deployments: DeploymentStore, deployment: Deployment, pool: asyncpg.Pool
) -> None:
    done = await submitted(store, deployment)
    await store.save(done, confirmed(done), 0)
    waiting = await store.add(mint_of(deployment, "mint:2"), NOW)
    failed = await store.add(mint_of(deployment, "mint:3"), NOW)
    await store.save(failed, refused(failed, Fault(code="reverted", message="no"), LATER), 0)
    await pool.execute("DELETE FROM outbox")

    opened = await asyncio.gather(*(deployments.open(SECOND, LATER) for _ in range(4)))

    assert {one.id for one in opened} != {deployment.id}
    states = [row.state for key in (done, waiting, failed) if (row := await store.get(key.id)) is not None]
    assert states == ["orphaned", "orphaned", "failed"]
    assert await states_told(pool) == ["orphaned", "orphaned"]
    with pytest.raises(ChainGone):
        await store.add(mint_of(deployment, "mint:4"), NOW)


async def test_a_chain_that_comes_back_has_its_contracts_again(
    store: TransactionStore, deployments: DeploymentStore, deployment: Deployment
) -> None:
    await deployments.complete(deployment.id, {"SparkleNFT": NFT})
    await deployments.open(SECOND, NOW)
    await deployments.complete(deployment.id, {"SparkleNFT": SENDER})
    again = await deployments.open(FIRST, LATER)
    assert (again.id, again.state, again.contracts) == (deployment.id, "ready", {"SparkleNFT": NFT})
    assert (await store.add(mint_of(again), LATER)).state == "queued"


async def test_a_chain_of_another_id_orphans_nothing(deployments: DeploymentStore, deployment: Deployment) -> None:
    await deployments.open(ChainIdentity(1, SECOND.genesis), NOW)
    still = await deployments.get(deployment.id)
    assert still is not None
    assert still.state == "deploying"
