"""Two people who connect wallets: the service on a real PostgreSQL, signatures by eth-account."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_account.signers.local import LocalAccount

from core_api.chain.errors import ChainUnavailable
from core_api.chain.wallet_schema import WalletProof, WalletToConnect, WalletView
from core_api.chain.wallet_settings import WalletSettings
from core_api.chain.wallet_store_postgres import PostgresWallets
from core_api.chain.wallets import ContractWallets, Wallets
from hub.kernel.errors import HubError
from hub.kernel.events import Actor
from hub.kernel.ids import SessionId, UserId, new_uuid
from hub.kernel.pages import PageQuery
from hub.storage.postgres import create_pool
from tests.support.accounts import CountingLimiter
from tests.support.clock import FrozenClock

CHAIN, OTHER_CHAIN = 31_337, 10
ORIGIN = "http://127.0.0.1:8080"
KEY, OTHER_KEY = (Account.from_key(bytes([number]) * 32) for number in (1, 2))
CHECKSUMMED = KEY.address
MISTYPED = KEY.address.replace("1a642f", "1A642f")


class Chains:
    """Implements core_api.chain.wallets.ChainIds."""

    def __init__(self) -> None:
        self.known: frozenset[int] | None = frozenset({CHAIN, OTHER_CHAIN})

    async def ids(self) -> frozenset[int]:
        if self.known is None:
            raise ChainUnavailable
        return self.known


class World:
    """One node, two people."""

    def __init__(self, pool: asyncpg.Pool, *, origin: str = ORIGIN, contracts: ContractWallets | None = None) -> None:
        self.pool = pool
        self.clock = FrozenClock()
        self.chains = Chains()
        self.ada, self.bob = (Actor(UserId(new_uuid()), SessionId(new_uuid())) for _ in range(2))
        self.limiter = CountingLimiter()
        self.wallets = Wallets(
            PostgresWallets(pool),
            self.chains,
            self.limiter,
            self.clock,
            WalletSettings(),
            origin=lambda: origin,
            contracts=contracts,
        )

    async def message(self, actor: Actor | None = None, address: str = CHECKSUMMED, chain_id: int = CHAIN) -> str:
        wanted = WalletToConnect(address=address, chain_id=chain_id)
        return (await self.wallets.message(actor or self.ada, wanted)).message

    async def connect(
        self, message: str, signature: str | None = None, *, actor: Actor | None = None, address: str = CHECKSUMMED
    ) -> WalletView:
        proof = WalletProof(address=address, message=message, signature=signature or sign(message))
        return await self.wallets.connect(actor or self.ada, proof)

    async def refuses(self, error: type[HubError], connecting: Any) -> HubError:
        """``connecting`` is refused with exactly this error, and nothing is stored."""
        before = await self.stored()
        with pytest.raises(error) as refused:
            await connecting
        assert type(refused.value) is error
        assert await self.stored() == before
        return refused.value

    async def stored(self) -> list[Any]:
        return [await self.pool.fetch(f"SELECT * FROM {table} ORDER BY 1") for table in ("wallet", "wallet_message")]

    async def list(self, actor: Actor) -> list[WalletView]:
        return (await self.wallets.list(actor, PageQuery())).data


def sign(message: str, key: LocalAccount = KEY) -> str:
    return "0x" + bytes(key.sign_message(encode_defunct(text=message)).signature).hex()


@asynccontextmanager
async def wallet_world(database_url: str) -> AsyncIterator[World]:
    pool = await create_pool(database_url, size=8)
    yield World(pool)
    await pool.close()
