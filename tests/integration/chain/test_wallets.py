"""Connecting wallets: whose they are, once, and until when."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from core_api.chain.errors import ChainUnavailable, NonceUsed, SignatureInvalid, WrongChain
from core_api.chain.routes_wallets import wallets_api
from core_api.chain.wallet_settings import WalletSettings
from core_api.chain.wallets import Wallets
from hub.kernel.errors import Conflict, InvalidPayload, NotFound, RateLimited
from hub.kernel.pages import PageQuery
from tests.support.wallets import CHAIN, CHECKSUMMED, MISTYPED, OTHER_CHAIN, OTHER_KEY, World, sign, wallet_world


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with wallet_world(database_url) as world:
        yield world


async def test_who_signs_the_message_gets_the_wallet(world: World) -> None:
    message = await world.message(address=CHECKSUMMED.lower())
    wallet = await world.connect(message, address=CHECKSUMMED.lower())
    assert (wallet.address, wallet.chain_id, wallet.connected_at) == (CHECKSUMMED, CHAIN, world.clock.now())
    assert await world.list(world.ada) == [wallet]
    assert await world.list(world.bob) == []
    assert await world.wallets.wallet_of(world.ada.user_id, CHAIN) == CHECKSUMMED
    assert await world.wallets.wallet_of(world.ada.user_id, OTHER_CHAIN) is None


async def test_a_signature_counts_once(world: World) -> None:
    message = await world.message()
    await world.connect(message)
    await world.refuses(NonceUsed, world.connect(message))
    await world.refuses(NonceUsed, world.connect(message, actor=world.bob))


async def test_of_a_signature_sent_twice_at_once_one_counts(world: World) -> None:
    message = await world.message()
    answers = await asyncio.gather(*(world.connect(message) for _ in range(4)), return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["NonceUsed"] * 3 + ["WalletView"]
    assert len(await world.list(world.ada)) == 1


async def test_a_message_runs_out_after_ten_minutes(world: World) -> None:
    late, message = await world.message(), await world.message()
    world.clock.advance(599.9)
    await world.connect(message)
    world.clock.advance(0.1)
    await world.refuses(NonceUsed, world.connect(late))


async def test_a_message_is_for_whom_it_was_issued_to(world: World) -> None:
    message = await world.message(world.ada)
    await world.refuses(NonceUsed, world.connect(message, actor=world.bob))
    assert (await world.connect(message)).address == CHECKSUMMED


async def test_no_message_is_issued_for_another_chain_or_a_mistyped_address(world: World) -> None:
    await world.refuses(WrongChain, world.message(chain_id=1))
    await world.refuses(InvalidPayload, world.message(address=MISTYPED))
    world.chains.known = None
    await world.refuses(ChainUnavailable, world.message())


async def test_a_wallet_has_one_owner_until_it_is_disconnected(world: World) -> None:
    wallet = await world.connect(await world.message())
    message = await world.message(world.bob)
    await world.refuses(Conflict, world.connect(message, actor=world.bob))
    await world.refuses(NotFound, world.wallets.disconnect(world.bob, wallet.id))
    await world.wallets.disconnect(world.ada, wallet.id)
    await world.refuses(NotFound, world.wallets.disconnect(world.ada, wallet.id))
    moved = await world.connect(message, actor=world.bob)
    assert await world.list(world.ada) == []
    assert await world.list(world.bob) == [moved]


async def test_tokens_go_to_a_wallet_that_is_connected_again(world: World) -> None:
    wallet = await world.connect(await world.message())
    message = await world.message(address=OTHER_KEY.address)
    other = await world.connect(message, sign(message, OTHER_KEY), address=OTHER_KEY.address)
    world.clock.advance(5)
    again = await world.connect(await world.message())
    assert again.id == wallet.id
    assert await world.list(world.ada) == [again, other]
    assert await world.wallets.wallet_of(world.ada.user_id, CHAIN) == CHECKSUMMED


async def test_tokens_go_to_the_wallet_connected_last(world: World) -> None:
    await world.connect(await world.message())
    message = await world.message(address=OTHER_KEY.address)
    await world.connect(message, sign(message, OTHER_KEY), address=OTHER_KEY.address)
    elsewhere = await world.message(chain_id=OTHER_CHAIN)
    await world.connect(elsewhere)
    assert await world.wallets.wallet_of(world.ada.user_id, CHAIN) == OTHER_KEY.address
    first = await world.wallets.list(world.ada, PageQuery(limit=2))
    rest = await world.wallets.list(world.ada, PageQuery(limit=2, cursor=first.page_info.next_cursor))
    shown = [(wallet.address, wallet.chain_id) for wallet in first.data + rest.data]
    assert shown == [(CHECKSUMMED, OTHER_CHAIN), (OTHER_KEY.address, CHAIN), (CHECKSUMMED, CHAIN)]


async def test_messages_and_attempts_are_limited(world: World) -> None:
    message = await world.message()
    for _ in range(20):
        with pytest.raises(SignatureInvalid):
            await world.connect(message, "0x00")
    await world.refuses(RateLimited, world.connect(message))
    for _ in range(19):
        await world.message()
    await world.refuses(RateLimited, world.message())


def test_the_routes_are_those_of_the_contract() -> None:
    unused: Any = None
    wallets = Wallets(unused, unused, unused, unused, WalletSettings(), origin=unused)
    assert {f"{endpoint.method} {endpoint.path} {endpoint.status}" for endpoint in wallets_api(wallets).endpoints} == {
        "POST /blockchain/wallet/nonce 201",
        "POST /blockchain/wallet/connect 201",
        "GET /blockchain/wallets 200",
        "DELETE /blockchain/wallets/{walletId} 204",
    }
