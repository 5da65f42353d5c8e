"""The wire of mints and transactions: /blockchain/nft*, /blockchain/transactions, /blockchain/chains."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from hub.kernel.wire import END, ServerEvent, Uuid, Wire

State = Literal["queued", "submitted", "mined", "confirmed", "failed", "orphaned"]
"""``submitted``: signed, and being sent. ``orphaned``: the chain it was on is gone, as a restarted test chain is."""
Kind = Literal["deploy", "configure", "mint"]
Address = Annotated[
    str, Meta(pattern=rf"^0x[0-9a-fA-F]{{40}}{END}", description="Ethereum address, 20 bytes in hexadecimal")
]
TokenId = Annotated[str, Meta(pattern=rf"^(0|[1-9][0-9]{{0,77}}){END}", description="decimal; it may have 256 bits")]
ChainNumber = Annotated[int, Meta(ge=1, le=2**53 - 1, description="EIP-155 chain id")]
Number = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""In the cursor of transactions: the number of the last row."""


class MintRequest(Wire):
    """Which of one's published posts to mint."""

    post_id: Uuid


class Queued(Wire):
    """A transaction that the hub has taken on. It goes on by itself, also if the client leaves."""

    transaction_id: Uuid
    state: State


class Fault(Wire):
    """Why a transaction failed, or why it waits. ``code`` is the contract's error where it gave one."""

    code: str
    message: str


class TransactionView(Wire):
    """A transaction as its owner sees it. ``error`` beside a state other than ``failed`` says what it waits for."""

    id: Uuid
    kind: Kind
    state: State
    chain_id: int
    post_id: str | None
    hash: str | None
    """Of what was signed. ``null`` before that, and for a mint that found its token there already."""
    block_number: int | None
    contract: str | None
    token_id: str | None
    error: Fault | None
    created_at: datetime
    updated_at: datetime


class ChainTransaction(ServerEvent):
    """One's transaction has come to another state.

    In the order of the states, at least once each: after a node died, the last ones may come again.
    """

    event = "chain:transaction"
    transaction_id: Uuid
    kind: Kind
    state: State
    hash: str | None = None
    token_id: str | None = None
    error: Fault | None = None


class ChainView(Wire):
    """A chain that the hub works with, and its contracts there: name → address. Empty while they are deployed."""

    chain_id: int
    name: str
    contracts: dict[str, str]


class Chains(Wire):
    """The chains of this hub: none, or one."""

    data: list[ChainView]


class NftQuery(Wire):
    """Whose tokens: an account's address, or the id of somebody whose wallets are meant."""

    owner: Annotated[
        str, Meta(pattern=rf"^(0x[0-9a-fA-F]{{40}}|[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}){END}")
    ]


class NftView(Wire):
    """A token as the chain has it now."""

    chain_id: int
    contract: str
    token_id: str
    owner: str
    creator: str
    token_uri: str
    locked: bool
    post_id: str | None
    """The post it was minted of, where this hub minted it."""


class Nfts(Wire):
    """Somebody's tokens, by id, the newest 100."""

    data: list[NftView]
