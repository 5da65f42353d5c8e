"""What the contracts say of SPARK, stakes and the market. Amounts are decimal text: a JSON number holds 53 bits."""

import asyncio
from typing import Protocol

from core_api.chain import addresses
from core_api.chain.deployment_store import Deployment
from core_api.chain.ledger import Ledger
from core_api.chain.reads_contract import checksummed, moment, reader
from core_api.chain.schema_reads import ListingView, MarketView, StakingView, TokenView
from hub.kernel.errors import NotFound

LARGEST = 2**256
NOBODY = "0x" + "0" * 40


class ReadyContracts(Protocol):
    """Where the hub's contracts are. core_api.chain.deployments.Deployments knows."""

    async def ready(self) -> Deployment:
        """The deployment in use. Raises NotDeployed, ChainUnavailable."""
        ...


class ContractReads:
    """The use cases of /blockchain/token, /staking and /market. All raise NotDeployed and ChainUnavailable."""

    def __init__(self, contracts: ReadyContracts, ledger: Ledger) -> None:
        self._contracts = contracts
        self._ledger = ledger

    async def token(self) -> TokenView:
        """SPARK and its supply."""
        deployment = await self._contracts.ready()
        spark = reader(self._ledger, deployment, "SparkleToken")
        name, symbol, decimals, supply, most, staked, paused = await asyncio.gather(
            *(
                spark.ask(function)
                for function in ("name", "symbol", "decimals", "totalSupply", "MAX_SUPPLY", "totalStaked", "paused")
            )
        )
        return TokenView(
            chain_id=deployment.identity.chain_id,
            contract=spark.address,
            name=name,
            symbol=symbol,
            decimals=decimals,
            total_supply=str(supply),
            max_supply=str(most),
            total_staked=str(staked),
            paused=paused,
        )

    async def staking(self, address: str) -> StakingView:
        """The stake of an account; zero for who has none. Raises InvalidPayload for a mistyped address."""
        account = await asyncio.to_thread(lambda: addresses.shown(addresses.parse(address)))
        spark = reader(self._ledger, await self._contracts.ready(), "SparkleToken")
        balance, staked, pending, rate = await asyncio.gather(
            spark.ask("balanceOf", account),
            spark.ask("stakedBalance", account),
            spark.ask("pendingRewards", account),
            spark.ask("rewardRate"),
        )
        return StakingView(
            address=account,
            balance=str(balance),
            staked=str(staked),
            pending_rewards=str(pending),
            reward_rate=str(rate),
        )

    async def market(self) -> MarketView:
        """The marketplace and its fee."""
        deployment = await self._contracts.ready()
        marketplace = reader(self._ledger, deployment, "SparkleMarketplace")
        fee, recipient, paused = await asyncio.gather(
            *(marketplace.ask(function) for function in ("platformFee", "feeRecipient", "paused"))
        )
        return MarketView(
            chain_id=deployment.identity.chain_id,
            contract=marketplace.address,
            fee_bps=fee,
            fee_recipient=await checksummed(recipient),
            paused=paused,
        )

    async def listing(self, token_id: str) -> ListingView:
        """The last listing of a token. Raises NotFound if there is none: never listed, cancelled, or sold since."""
        number = int(token_id)
        if number >= LARGEST:
            raise NotFound
        marketplace = reader(self._ledger, await self._contracts.ready(), "SparkleMarketplace")
        seller, expires_at, _, price = await marketplace.ask("listings", number)
        if seller == NOBODY:
            raise NotFound
        return ListingView(
            token_id=str(number),
            seller=await checksummed(seller),
            price=str(price),
            expires_at=moment(expires_at),
            buyable=await marketplace.ask("isBuyable", number),
        )
