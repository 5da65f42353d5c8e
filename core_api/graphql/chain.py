"""Wallets, mints and tokens."""

from datetime import datetime
from typing import Self

import strawberry

from core_api.chain.schema import NftView, Queued
from core_api.chain.wallet_schema import WalletView
from core_api.graphql.vocabulary import BigInt


@strawberry.type
class Wallet:
    """A wallet whose key the viewer has shown to have."""

    id: strawberry.ID
    address: str = strawberry.field(description="With its checksum (EIP-55).")
    chain_id: BigInt
    connected_at: datetime

    @classmethod
    def of(cls, view: WalletView) -> Self:
        """From the wire of REST."""
        return cls(
            id=strawberry.ID(view.id),
            address=view.address,
            chain_id=BigInt(view.chain_id),
            connected_at=view.connected_at,
        )


@strawberry.type
class Mint:
    """A mint that goes on by itself.

    Where it stands say `chain:transaction` on the socket and `GET /api/v1/blockchain/transactions/{id}`.
    """

    transaction_id: strawberry.ID
    state: str

    @classmethod
    def of(cls, queued: Queued) -> Self:
        """From the wire of REST."""
        return cls(transaction_id=strawberry.ID(queued.transaction_id), state=queued.state)


@strawberry.type
class NFT:
    """A token, as the chain has it now."""

    chain_id: BigInt
    contract: str
    token_id: str = strawberry.field(description="Decimal; it may have 256 bits.")
    owner: str
    creator: str
    token_uri: str
    locked: bool
    post_id: strawberry.ID | None = strawberry.field(description="The post it was minted of, where this hub did.")

    @classmethod
    def of(cls, view: NftView) -> Self:
        """From the wire of REST."""
        return cls(
            chain_id=BigInt(view.chain_id),
            contract=view.contract,
            token_id=view.token_id,
            owner=view.owner,
            creator=view.creator,
            token_uri=view.token_uri,
            locked=view.locked,
            post_id=None if view.post_id is None else strawberry.ID(view.post_id),
        )
