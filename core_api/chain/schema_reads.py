"""The wire of what contracts say: /blockchain/token, /staking, /market and /governance."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from core_api.chain.schema import Address
from hub.kernel.wire import Wire

Amount = Annotated[str, Meta(description="decimal, in the smallest unit: 1 SPARK is 10^18. Has up to 256 bits")]
BasisPoints = Annotated[int, Meta(description="hundredths of a percent")]
Seconds = Annotated[int, Meta(description="seconds")]
ProposalState = Literal["pending", "active", "canceled", "defeated", "succeeded", "queued", "expired", "executed"]


class TokenView(Wire):
    """SPARK: what pays, earns and votes."""

    chain_id: int
    contract: str
    name: str
    symbol: str
    decimals: int
    total_supply: Amount
    max_supply: Amount
    total_staked: Amount
    paused: bool


class StakingQuery(Wire):
    """Whose stake."""

    address: Address


class StakingView(Wire):
    """What an account has staked and earned. Staked SPARK is part of the balance, and cannot be spent."""

    address: str
    balance: Amount
    staked: Amount
    pending_rewards: Amount
    reward_rate: Annotated[str, Meta(description="what a staked unit earns in a second, in units of 10^-18")]


class MarketView(Wire):
    """The marketplace and what it takes of a sale."""

    chain_id: int
    contract: str
    fee_bps: BasisPoints
    fee_recipient: str
    paused: bool


class ListingView(Wire):
    """The last listing of a token.

    ``buyable`` is whether a purchase would go through now: it would not after the expiry, or once the token has left
    the seller or is locked, or while trade is paused. ``expiresAt`` is ``null`` for never.
    """

    token_id: str
    seller: str
    price: Amount
    expires_at: datetime | None
    buyable: bool


class ProposalView(Wire):
    """What is or was voted on. What it would do, and why, is in the event that proposed it."""

    id: Annotated[str, Meta(description="decimal; has 256 bits")]
    proposer: str
    state: ProposalState
    votes_for: Amount
    votes_against: Amount
    votes_abstained: Amount
    voting_starts_at: datetime | None
    voting_ends_at: datetime | None


class GovernanceView(Wire):
    """How decisions are taken, and the last ten, the newest first."""

    chain_id: int
    contract: str
    timelock: str
    voting_delay: Seconds
    voting_period: Seconds
    execution_delay: Seconds
    proposal_threshold: Annotated[Amount, Meta(description="votes that proposing takes")]
    quorum: Annotated[Amount, Meta(description="votes, for or abstained, that a decision takes now")]
    proposal_count: int
    proposals: list[ProposalView]
