"""core_api.chain.wallet_store_postgres on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from core_api.chain.wallet_store import IssuedMessage, Refusal, Wallet
from core_api.chain.wallet_store_postgres import PostgresWallets
from hub.kernel.ids import UserId, new_uuid
from hub.storage.postgres import create_pool
from tests.support.accounts import until_a_query_waits
from tests.support.clock import FrozenClock

ADA, BOB = (UserId(new_uuid()) for _ in range(2))
NOW = FrozenClock().now()
MINUTE = timedelta(minutes=1)
ADDRESS = b"\xab" * 20


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await create_pool(database_url, size=8)
    yield pool
    await pool.close()


@pytest.fixture
def store(pool: asyncpg.Pool) -> PostgresWallets:
    return PostgresWallets(pool)


async def issue(
    store: PostgresWallets, user_id: UserId = ADA, address: bytes = ADDRESS, chain_id: int = 1
) -> IssuedMessage:
    message = IssuedMessage(new_uuid(), user_id, chain_id, address, "text", NOW + MINUTE)
    await store.issue(message, NOW)
    return message


async def connect(
    store: PostgresWallets, user_id: UserId = ADA, address: bytes = ADDRESS, chain_id: int = 1
) -> Wallet | Refusal:
    return await store.connect(new_uuid(), await issue(store, user_id, address, chain_id), NOW)


async def connected(
    store: PostgresWallets, user_id: UserId = ADA, address: bytes = ADDRESS, chain_id: int = 1
) -> Wallet:
    wallet = await connect(store, user_id, address, chain_id)
    assert isinstance(wallet, Wallet)
    return wallet


async def test_a_message_is_its_owners_until_it_runs_out(store: PostgresWallets) -> None:
    message = await issue(store)
    assert await store.issued(message.nonce, ADA, NOW) == message
    assert await store.issued(message.nonce, BOB, NOW) is None
    assert await store.issued(message.nonce, ADA, NOW + MINUTE) is None
    assert await store.issued(new_uuid(), ADA, NOW) is None


async def test_of_many_at_once_with_one_message_one_gets_a_wallet(store: PostgresWallets) -> None:
    message = await issue(store)
    answers = await asyncio.gather(*(store.connect(new_uuid(), message, NOW) for _ in range(8)))
    assert answers.count(Refusal.MESSAGE_SPENT) == 7
    assert len(await store.wallets(ADA, None, 10)) == 1
    assert await store.issued(message.nonce, ADA, NOW) is None


async def test_of_many_people_at_once_with_one_address_one_gets_it(store: PostgresWallets) -> None:
    messages = [await issue(store, UserId(new_uuid())) for _ in range(8)]
    answers = await asyncio.gather(*(store.connect(new_uuid(), message, NOW) for message in messages))
    assert answers.count(Refusal.TAKEN) == 7
    (wallet,) = (answer for answer in answers if isinstance(answer, Wallet))
    assert await store.wallets(wallet.user_id, None, 10) == [wallet]


async def test_a_message_that_has_run_out_or_is_somebody_elses_connects_nothing(store: PostgresWallets) -> None:
    message = await issue(store)
    stolen = IssuedMessage(message.nonce, BOB, 1, ADDRESS, "text", NOW + MINUTE)
    assert await store.connect(new_uuid(), message, NOW + MINUTE) is Refusal.MESSAGE_SPENT
    assert await store.connect(new_uuid(), stolen, NOW) is Refusal.MESSAGE_SPENT
    assert await store.wallets(ADA, None, 10) == await store.wallets(BOB, None, 10) == []


async def test_where_the_wallet_is_taken_the_message_is_not_used_up(store: PostgresWallets) -> None:
    held = await connected(store)
    message = await issue(store, BOB)
    assert await store.connect(new_uuid(), message, NOW) is Refusal.TAKEN
    assert await store.issued(message.nonce, BOB, NOW) == message
    assert await store.wallets(ADA, None, 10) == [held]
    assert await store.wallets(BOB, None, 10) == []


async def test_who_connects_a_wallet_again_keeps_it_and_it_is_the_last(store: PostgresWallets) -> None:
    wallet, other = await connected(store), await connected(store, address=b"\xcd" * 20)
    message = await issue(store)
    again = await store.connect(new_uuid(), message, NOW + MINUTE / 2)
    assert isinstance(again, Wallet)
    assert (again.id, again.connected_at) == (wallet.id, NOW + MINUTE / 2)
    assert await store.wallets(ADA, None, 10) == [again, other]
    assert await store.latest(ADA, 1) == again


async def test_a_disconnected_wallet_is_free_for_anybody(store: PostgresWallets, pool: asyncpg.Pool) -> None:
    wallet = await connected(store)
    assert await store.disconnect(wallet.id, BOB, NOW) is False
    outcomes = await asyncio.gather(*(store.disconnect(wallet.id, ADA, NOW) for _ in range(4)))
    assert sorted(outcomes) == [False, False, False, True]
    assert await store.wallets(ADA, None, 10) == []
    moved = await connected(store, BOB)
    assert (moved.user_id, moved.address, moved.id == wallet.id) == (BOB, ADDRESS, False)
    assert await pool.fetchval("SELECT count(*) FROM wallet") == 2  # whose it was is still known


async def test_who_connects_while_the_other_disconnects_gets_the_wallet(
    store: PostgresWallets, pool: asyncpg.Pool
) -> None:
    wallet, message = await connected(store), await issue(store, BOB)
    async with pool.acquire() as connection, asyncio.TaskGroup() as tasks, connection.transaction():
        await connection.execute("UPDATE wallet SET disconnected_at = $2 WHERE id = $1", wallet.id, NOW)
        waiting = tasks.create_task(store.connect(new_uuid(), message, NOW))
        await until_a_query_waits(pool)
    moved = waiting.result()
    assert isinstance(moved, Wallet)
    assert moved.user_id == BOB


async def test_an_address_on_another_chain_is_another_wallet(store: PostgresWallets) -> None:
    one = await connected(store)
    other = await connected(store, BOB, chain_id=2**53 - 1)
    assert (one.user_id, other.user_id) == (ADA, BOB)


async def test_the_last_connected_wallet_comes_first(store: PostgresWallets) -> None:
    wallets = [await connected(store, address=bytes([number]) * 20, chain_id=1 + number % 2) for number in range(4)]
    wallets.reverse()
    pages, before = [], None
    while found := await store.wallets(ADA, before, 1):
        pages += found
        before = found[-1].number
    assert pages == wallets
    assert await store.latest(ADA, 2) == wallets[0]
    assert await store.latest(ADA, 1) == wallets[1]
    await store.disconnect(wallets[0].id, ADA, NOW)
    assert await store.latest(ADA, 2) == wallets[2]
    assert await store.latest(BOB, 1) is None
    assert await store.latest(ADA, 3) is None


async def test_messages_that_have_run_out_are_swept_by_later_ones(store: PostgresWallets, pool: asyncpg.Pool) -> None:
    for _ in range(30):
        await issue(store)
    later = NOW + 2 * MINUTE
    message = IssuedMessage(new_uuid(), ADA, 1, ADDRESS, "text", later + MINUTE)
    other = IssuedMessage(new_uuid(), ADA, 1, ADDRESS, "text", later + MINUTE)
    await asyncio.gather(store.issue(message, later), store.issue(other, later))
    left = {row["nonce"] for row in await pool.fetch("SELECT nonce FROM wallet_message WHERE expires_at > $1", later)}
    assert left == {message.nonce, other.nonce}
    await store.issue(IssuedMessage(new_uuid(), ADA, 1, ADDRESS, "text", later + MINUTE), later)
    assert await pool.fetchval("SELECT count(*) FROM wallet_message WHERE expires_at <= $1", later) == 0
