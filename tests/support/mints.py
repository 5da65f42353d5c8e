"""A node's side of the chain without the rest of the node: engine, deployments and mints on a real database."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg

from core_api.chain.announcements import transaction_sinks
from core_api.chain.deployment_store_postgres import PostgresDeployments
from core_api.chain.deployments import Deployments
from core_api.chain.engine import Engine
from core_api.chain.ledger import Ledger
from core_api.chain.ledger_rpc import RpcLedger
from core_api.chain.metadata import PostFacts
from core_api.chain.mints import Mints
from core_api.chain.nfts import NftGallery
from core_api.chain.recipes import DeploymentRecipe, MintRecipe
from core_api.chain.rpc import ChainClient
from core_api.chain.schema import MintRequest
from core_api.chain.settings import ChainSettings
from core_api.chain.signer import Signer
from core_api.chain.transaction_store import TransactionStore
from core_api.chain.transaction_store_postgres import PostgresTransactions
from core_api.chain.transactions import Transaction
from core_api.content.schema import Content, PostView, Status
from core_api.outbox import Sink
from hub.kernel.clock import SystemClock
from hub.kernel.errors import NotFound
from hub.kernel.events import Actor
from hub.kernel.ids import SessionId, UserId, new_uuid
from hub.kernel.tasks import Tasks
from tests.support.accounts import CountingLimiter
from tests.support.rooms import RecordedRooms
from tests.support.wait import until

FAST = ChainSettings(
    deploy=True, first_pause_s=0.02, longest_pause_s=0.3, lease_s=1.0, idle_s=0.2, mints_per_minute=10_000
)
"""Everything at once, and a dead node's work is taken over after a second."""
WALLET = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
"""The second account of test chains."""


class EverybodysPosts:
    """Implements core_api.chain.mints.OwnPosts: every id is a published post of whoever asks, but for `drafts`."""

    def __init__(self) -> None:
        self.status: Status = "PUBLISHED"
        self.foreign: set[str] = set()

    async def own(self, actor: Actor, post_id: str) -> PostView:
        if post_id in self.foreign:
            raise NotFound
        now = datetime(2026, 1, 1, tzinfo=UTC)
        return PostView(
            id=post_id,
            slug=f"post-{post_id[:8]}",
            title="A title",
            content=Content(blocks=[]),
            excerpt=None,
            cover_image=None,
            tags=[],
            category=None,
            status=self.status,
            author=None,
            view_count=0,
            reading_time=1,
            sentiment=None,
            published_at=now,
            created_at=now,
            updated_at=now,
        )


class OneWallet:
    """Implements core_api.chain.mints.OwnWallets: everybody has the same."""

    def __init__(self) -> None:
        self.address: str | None = WALLET

    async def wallet_of(self, user_id: UserId, chain_id: int) -> str | None:
        return self.address


class Unkept:
    """Implements core_api.chain.mints.MetadataPublisher and keeps nothing."""

    async def publish_metadata(self, post: PostFacts) -> str:
        return hashlib.sha256(post.id.encode()).hexdigest()


@dataclass
class ChainNode:
    """What a node has of the chain."""

    store: TransactionStore
    ledger: Ledger
    deployments: Deployments
    engine: Engine
    mints: Mints
    nfts: NftGallery
    posts: EverybodysPosts
    wallets: OneWallet
    rooms: RecordedRooms
    sinks: dict[str, Sink]
    pool: asyncpg.Pool

    async def mint(self, actor: Actor, post_id: str | None = None) -> Transaction:
        """Ask for a mint, and give its row."""
        queued = await self.mints.mint(actor, MintRequest(post_id=post_id or new_uuid()))
        return await self.row(queued.transaction_id)

    async def row(self, transaction_id: str) -> Transaction:
        """A transaction as it is now."""
        transaction = await self.store.get(transaction_id)
        assert transaction is not None
        return transaction

    async def ended(self, transaction: Transaction, timeout_s: float = 30.0) -> Transaction:
        """Wait until a transaction is confirmed, failed or orphaned."""

        async def end() -> Transaction | None:
            row = await self.row(transaction.id)
            return row if row.state in {"confirmed", "failed", "orphaned"} else None

        row = await until(end, timeout_s)
        assert row is not None
        return row


def somebody() -> Actor:
    """A person nobody knows of."""
    return Actor(UserId(new_uuid()), SessionId(new_uuid()))


def chain_node(
    pool: asyncpg.Pool,
    ledger: Ledger,
    key_file: Path,
    settings: ChainSettings = FAST,
    *,
    around: Callable[[Any], Any] = lambda part: part,
) -> ChainNode:
    """Compose it as the hub does, with something `around` each part that reads or writes. Nothing runs."""
    clock, rooms = SystemClock(), RecordedRooms()
    signer: Signer = around(Signer(key_file))
    store: TransactionStore = around(PostgresTransactions(pool))
    ledger = around(ledger)
    nudged = asyncio.Event()
    deployments = Deployments(
        around(PostgresDeployments(pool)), store, ledger, signer, clock, settings, nudge=nudged.set
    )
    steps = DeploymentRecipe(store, signer)
    mint = MintRecipe(ledger, royalty_bps=settings.royalty_bps)
    engine = Engine(
        store,
        deployments,
        ledger,
        signer,
        {"deploy": steps, "configure": steps, "mint": mint},
        clock,
        settings,
        nudged=nudged,
        told=lambda: None,
    )
    posts, wallets, limiter = EverybodysPosts(), OneWallet(), CountingLimiter()
    mints = Mints(posts, wallets, Unkept(), deployments, store, limiter, clock, settings, nudge=nudged.set)
    nfts = NftGallery(deployments, ledger, wallets, store)
    return ChainNode(
        store, ledger, deployments, engine, mints, nfts, posts, wallets, rooms, transaction_sinks(rooms), pool
    )


@contextlib.asynccontextmanager
async def rpc_ledger(url: str, settings: ChainSettings = FAST) -> AsyncIterator[RpcLedger]:
    """A ledger on a real node."""
    client = ChainClient(url, settings)
    try:
        yield RpcLedger(client, settings)
    finally:
        await client.close()


@contextlib.asynccontextmanager
async def at_work(*nodes: ChainNode) -> AsyncIterator[None]:
    """Let their engines run."""
    tasks = Tasks()
    try:
        for node in nodes:
            tasks.start(node.engine.run(), name="engine")
        yield
    finally:
        await tasks.close()
