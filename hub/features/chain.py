"""The chain: wallets, mints, and what is read of the contracts."""

import asyncio
from dataclasses import dataclass

from core_api.accounts.access import AccessRule
from core_api.chain.announcements import transaction_sinks
from core_api.chain.blocks_postgres import PostgresBlocks
from core_api.chain.contract_wallets import LedgerContractWallets
from core_api.chain.deployment_store_postgres import PostgresDeployments
from core_api.chain.deployments import Deployments
from core_api.chain.engine import Engine as TransactionEngine
from core_api.chain.ledger_rpc import RpcLedger
from core_api.chain.metadata import MetadataLibrary
from core_api.chain.mints import Mints
from core_api.chain.nfts import NftGallery
from core_api.chain.reads import ContractReads
from core_api.chain.reads_governance import GovernanceReads
from core_api.chain.reads_limit import ReadLimit
from core_api.chain.recipes import DeploymentRecipe, MintRecipe
from core_api.chain.routes import mints_api
from core_api.chain.routes_blocks import blocks_api
from core_api.chain.routes_reads import reads_api
from core_api.chain.routes_wallets import wallets_api
from core_api.chain.rpc import ChainClient
from core_api.chain.signer import Signer
from core_api.chain.transaction_store_postgres import PostgresTransactions
from core_api.chain.wallet_store_postgres import PostgresWallets
from core_api.chain.wallets import Wallets
from core_api.content.schema import PostView
from core_api.content.service import Posts
from hub.features.core import Core, Feature
from hub.kernel.events import Actor
from hub.kernel.limits import Limit


@dataclass(kw_only=True)
class Chain(Feature):
    """The chain, with the use cases that GraphQL offers, too."""

    wallets: Wallets
    mints: Mints
    nfts: NftGallery
    read_limit: Limit
    """Of one address and one kind of read."""


def feature(core: Core, posts: Posts) -> Chain:
    """Wallets, mints of posts, and reads. The chain is not touched before its first use."""
    settings, clock, nudged = core.settings.chain, core.clock, asyncio.Event()
    client = ChainClient(core.settings.chain_rpc_url, settings)
    ledger, signer = RpcLedger(client, settings), Signer(core.settings.chain_key_file)
    store = PostgresTransactions(core.pool)
    deployments = Deployments(
        PostgresDeployments(core.pool),
        store,
        ledger,
        signer,
        clock,
        settings,
        nudge=nudged.set,
        has_chain=core.settings.chain_rpc_url is not None,
    )
    steps, mint = DeploymentRecipe(store, signer), MintRecipe(ledger, royalty_bps=settings.royalty_bps)
    engine = TransactionEngine(
        store,
        deployments,
        ledger,
        signer,
        {"deploy": steps, "configure": steps, "mint": mint},
        clock,
        settings,
        nudged=nudged,
        told=core.outbox.nudge,
    )
    wallets = Wallets(
        PostgresWallets(core.pool),
        deployments,
        core.limiter,
        clock,
        settings.wallets,
        origin=lambda: core.settings.origin,
        contracts=LedgerContractWallets(ledger),
    )
    library = MetadataLibrary(PostgresBlocks(core.pool), origin=lambda: core.settings.origin)
    own_posts = OwnPosts(posts, core.access)
    mints = Mints(own_posts, wallets, library, deployments, store, core.limiter, clock, settings, nudge=nudged.set)
    nfts = NftGallery(deployments, ledger, wallets, store)
    core.outbox.add(transaction_sinks(core.rooms))

    async def start() -> None:
        core.tasks.start(engine.run(), name="transactions")

    limit = ReadLimit(core.limiter, settings)
    reads = reads_api(ContractReads(deployments, ledger), GovernanceReads(deployments, ledger), limit, settings)
    return Chain(
        apis=[mints_api(mints, nfts, deployments, limit), wallets_api(wallets), blocks_api(library), reads],
        starts=[start],
        closes=[client.close],
        wallets=wallets,
        mints=mints,
        nfts=nfts,
        read_limit=limit.limit,
    )


class OwnPosts:
    """Implements core_api.chain.mints.OwnPosts over content: who may change a post is its author."""

    def __init__(self, posts: Posts, access: AccessRule) -> None:
        self._posts = posts
        self._access = access

    async def own(self, actor: Actor, post_id: str) -> PostView:
        """The post, for its author. Raises NotFound, Forbidden."""
        await self._access.check(actor, "manage", "content", post_id)
        return (await self._posts.get(actor, post_id)).view
