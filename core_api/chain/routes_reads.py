"""The REST side of what contracts say: /blockchain/token, /staking, /market, /governance."""

from core_api.chain.reads import ContractReads
from core_api.chain.reads_governance import GovernanceReads
from core_api.chain.schema import TokenId
from core_api.chain.schema_reads import (
    GovernanceView,
    ListingView,
    MarketView,
    StakingQuery,
    StakingView,
    TokenView,
)
from hub.kernel.http import RestApi


def reads_api(contracts: ContractReads, governance: GovernanceReads) -> RestApi:
    """What is on the chain is everybody's to read, here as there. To change it one asks one's wallet, not the hub."""
    api = RestApi("chain")

    async def get_token() -> TokenView:
        """Get the token SPARK and its supply."""
        return await contracts.token()

    async def get_staking(query: StakingQuery) -> StakingView:
        """Get what an account has staked and earned."""
        return await contracts.staking(query.address)

    async def get_market() -> MarketView:
        """Get the marketplace and its fee."""
        return await contracts.market()

    async def get_listing(token_id: TokenId) -> ListingView:
        """Get the listing of a token in the marketplace."""
        return await contracts.listing(token_id)

    async def get_governance() -> GovernanceView:
        """Get how decisions are taken, and the last proposals."""
        return await governance.governance()

    api.get("/blockchain/token", get_token)
    api.get("/blockchain/staking", get_staking)
    api.get("/blockchain/market", get_market)
    api.get("/blockchain/market/listings/{tokenId}", get_listing)
    api.get("/blockchain/governance", get_governance)
    return api
