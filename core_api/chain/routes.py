"""The REST side of mints: /blockchain/nft/mint, /blockchain/transactions, /blockchain/nfts, /blockchain/chains."""

from core_api.chain.deployments import Deployments
from core_api.chain.mints import Mints
from core_api.chain.nfts import NftGallery
from core_api.chain.reads_limit import ReadLimit
from core_api.chain.schema import (
    Address,
    ChainNumber,
    Chains,
    MintRequest,
    NftQuery,
    Nfts,
    NftView,
    Queued,
    TokenId,
    TransactionView,
)
from hub.kernel.events import Actor
from hub.kernel.http import Client, Reply, RestApi
from hub.kernel.pages import Page, PageQuery
from hub.kernel.wire import Uuid


def mints_api(mints: Mints, nfts: NftGallery, deployments: Deployments, reads: ReadLimit) -> RestApi:
    """What is on the chain is everybody's to read; transactions are their owners'."""
    api = RestApi("chain")

    async def list_chains() -> Chains:
        """List the chains that the hub works with, and its contracts there."""
        return await deployments.chains()

    async def mint_post(body: MintRequest, actor: Actor) -> Reply[Queued]:
        """Mint one's own published post, for one's wallet. A repeat gives the mint that there is."""
        queued = await mints.mint(actor, body)
        return Reply(queued, location=f"/blockchain/transactions/{queued.transaction_id}")

    async def get_transaction(transaction_id: Uuid, actor: Actor) -> TransactionView:
        """Get one of one's transactions."""
        return await mints.transaction(actor, transaction_id)

    async def list_transactions(query: PageQuery, actor: Actor) -> Page[TransactionView]:
        """List one's transactions, the latest first."""
        return await mints.transactions(actor, query)

    async def get_nft(chain_id: ChainNumber, contract: Address, token_id: TokenId, client: Client) -> NftView:
        """Get a token of the hub's contract, as the chain has it."""
        await reads.take(client)
        return await nfts.get(chain_id, contract, token_id)

    async def list_nfts(query: NftQuery, client: Client) -> Nfts:
        """List the tokens of an address, or of somebody's wallet."""
        await reads.take(client)
        return await nfts.of_owner(query.owner)

    api.get("/blockchain/chains", list_chains)
    api.post("/blockchain/nft/mint", mint_post, status=202, limit=mints.limit)
    api.get("/blockchain/transactions", list_transactions)
    api.get("/blockchain/transactions/{transactionId}", get_transaction)
    api.get("/blockchain/nfts", list_nfts, limit=reads.limit)
    api.get("/blockchain/nfts/{chainId}/{contract}/{tokenId}", get_nft, limit=reads.limit)
    return api
