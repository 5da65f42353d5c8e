"""The REST side of what contracts say: /blockchain/token, /staking, /market, /governance."""

from core_api.chain.reads import ContractReads
from core_api.chain.reads_governance import GovernanceReads
from core_api.chain.reads_limit import ReadLimit, Shared
from core_api.chain.schema import TokenId
from core_api.chain.schema_reads import (
    GovernanceView,
    ListingView,
    MarketView,
    StakingQuery,
    StakingView,
    TokenView,
)
from core_api.chain.settings import ChainSettings
from hub.kernel.http import Client, RestApi


def reads_api(
    contracts: ContractReads, governance: GovernanceReads, reads: ReadLimit, settings: ChainSettings
) -> RestApi:
    """What is on the chain is everybody's to read, here as there. To change it one asks one's wallet, not the hub."""
    api = RestApi("chain")
    token = Shared(contracts.token, life_s=settings.reads_life_s)
    market = Shared(contracts.market, life_s=settings.reads_life_s)
    decisions = Shared(governance.governance, life_s=settings.reads_life_s)

    async def get_token() -> TokenView:
        """Get the token SPARK and its supply."""
        return await token.get()

    async def get_staking(query: StakingQuery, client: Client) -> StakingView:
        """Get what an account has staked and earned."""
        await reads.take(client)
        return await contracts.staking(query.address)

    async def get_market() -> MarketView:
        """Get the marketplace and its fee."""
        return await market.get()

    async def get_listing(token_id: TokenId, client: Client) -> ListingView:
        """Get the listing of a token in the marketplace."""
        await reads.take(client)
        return await contracts.listing(token_id)

    async def get_governance() -> GovernanceView:
        """Get how decisions are taken, and the last proposals."""
        return await decisions.get()

    api.get("/blockchain/token", get_token, limit=reads.limit)
    api.get("/blockchain/staking", get_staking, limit=reads.limit)
    api.get("/blockchain/market", get_market, limit=reads.limit)
    api.get("/blockchain/market/listings/{tokenId}", get_listing, limit=reads.limit)
    api.get("/blockchain/governance", get_governance, limit=reads.limit)
    return api
