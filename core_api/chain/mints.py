"""Minting a post: asked for once or often, there is one token; and what its author sees of the work."""

from collections.abc import Callable
from typing import Protocol

from core_api.chain.deployments import Deployments
from core_api.chain.errors import WalletRequired
from core_api.chain.metadata import PostFacts, content_hash
from core_api.chain.schema import MintRequest, Number, Queued, TransactionView
from core_api.chain.settings import ChainSettings
from core_api.chain.transaction_store import ChainGone, NewTransaction, TransactionStore
from core_api.chain.transactions import Transaction
from hub.kernel.clock import Clock
from hub.kernel.errors import Conflict, NotFound, Unavailable
from hub.kernel.events import Actor
from hub.kernel.ids import UserId, new_uuid
from hub.kernel.limits import Limit
from hub.kernel.pages import Page, PageQuery, decode_cursor, page
from hub.kernel.ports import RateLimiter


class PostToMint(PostFacts, Protocol):
    """A post, and whether everybody may read it. The view of a post on the wire is one."""

    @property
    def status(self) -> str:
        """``DRAFT`` or ``PUBLISHED``."""
        ...


class OwnPosts(Protocol):
    """One's own posts. Implemented over core_api.content."""

    async def own(self, actor: Actor, post_id: str) -> PostToMint:
        """The post, if ``actor`` is its author. Raises NotFound, Forbidden."""
        ...


class OwnWallets(Protocol):
    """Who has which wallet."""

    async def wallet_of(self, user_id: UserId, chain_id: int) -> str | None:
        """The address (EIP-55) that somebody's tokens go to on a chain."""
        ...


class MetadataPublisher(Protocol):
    """Keeps what a token says of itself."""

    async def publish_metadata(self, post: PostFacts) -> object:
        """Store the document, durably, and give its CID, which ``str`` writes."""
        ...


class Mints:
    """The use cases of /blockchain/nft/mint and /blockchain/transactions. ``nudge`` is called when one is queued."""

    def __init__(
        self,
        posts: OwnPosts,
        wallets: OwnWallets,
        metadata: MetadataPublisher,
        deployments: Deployments,
        store: TransactionStore,
        limiter: RateLimiter,
        clock: Clock,
        settings: ChainSettings,
        *,
        nudge: Callable[[], None],
    ) -> None:
        self._posts = posts
        self._wallets = wallets
        self._metadata = metadata
        self._deployments = deployments
        self._store = store
        self._limiter = limiter
        self._clock = clock
        self._settings = settings
        self.limit = Limit.a_minute(settings.mints_per_minute)
        """What one person may mint. REST has it, and it is kept here together with GraphQL."""
        self._nudge = nudge

    async def mint(self, actor: Actor, request: MintRequest) -> Queued:
        """Queue the mint of one's published post for one's wallet. A repeat gives the mint that there is.

        After one that failed, or whose chain is gone, a repeat tries again. Raises NotFound, Forbidden (somebody
        else's), Conflict (a draft), RateLimited, WalletRequired, NotDeployed, ChainUnavailable.
        """
        post = await self._posts.own(actor, request.post_id)
        if post.status != "PUBLISHED":
            raise Conflict("A draft is not minted: publish it first.")
        key = f"chain:mint:{actor.user_id}"
        await self._limiter.take(key, per_minute=self.limit.per_minute, burst=self.limit.burst)
        deployment = await self._deployments.current()
        owner = await self._wallets.wallet_of(actor.user_id, deployment.identity.chain_id)
        if owner is None:
            raise WalletRequired
        cid = await self._metadata.publish_metadata(post)
        contract = self._settings.nft_address or "hub"
        new = NewTransaction(
            id=new_uuid(),
            deployment_id=deployment.id,
            owner_id=actor.user_id,
            kind="mint",
            key=f"mint:{contract.lower()}:{post.id}",  # with another contract of the operator's it is another matter
            arguments={
                "postId": post.id,
                "contentHash": content_hash(post.id).hex(),
                "to": owner,
                "uri": f"ipfs://{cid}",
            },
        )
        try:
            transaction = await self._store.add(new, self._clock.now())
        except ChainGone:
            self._deployments.forget()
            raise Unavailable("The chain has changed just now. Try again.") from None
        self._nudge()
        return Queued(transaction_id=transaction.id, state=transaction.state)

    async def transaction(self, actor: Actor, transaction_id: str) -> TransactionView:
        """One's own transaction. Raises NotFound."""
        transaction = await self._store.get(transaction_id)
        if transaction is None or transaction.owner_id != actor.user_id:
            raise NotFound
        return _view(transaction)

    async def transactions(self, actor: Actor, query: PageQuery) -> Page[TransactionView]:
        """One's own transactions, the latest first."""
        before = None if query.cursor is None else decode_cursor(query.cursor, tuple[Number])[0]
        rows = await self._store.of_owner(actor.user_id, before, query.limit + 1)
        return page(rows, query.limit, _view, lambda transaction: (transaction.number,))


def _view(transaction: Transaction) -> TransactionView:
    return TransactionView(
        id=transaction.id,
        kind=transaction.kind,
        state=transaction.state,
        chain_id=transaction.chain_id,
        post_id=transaction.arguments.get("postId"),
        hash=transaction.hash,
        block_number=transaction.block_number,
        contract=transaction.contract,
        token_id=transaction.token_id,
        error=transaction.error,
        created_at=transaction.created_at,
        updated_at=transaction.updated_at,
    )
