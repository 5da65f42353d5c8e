"""Settings of the chain, with their defaults."""

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from core_api.chain.wallet_settings import WalletSettings

PositiveInt = Annotated[int, Meta(ge=1)]
PositiveFloat = Annotated[float, Meta(gt=0)]
EthereumAddress = Annotated[str, Meta(pattern="^0x[0-9a-fA-F]{40}$", max_length=42)]


class ChainSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an operator can set of the chain. The address of its node is CHAIN_RPC_URL."""

    key_file: Path | None = None
    """Private key of the hub's own account, which pays for mints; made if missing. Default: ``chain-key`` in ``data``.
    Nodes on several machines need the same file."""
    confirmations: PositiveInt = 1
    """Blocks, its own included, after which a transaction counts as final. The embedded chains never take a block
    back; on a public chain take 12 or more, or what its documentation says."""
    first_pause_s: PositiveFloat = 0.1
    """Between two looks at a transaction under way. It doubles with each that shows nothing new …"""
    longest_pause_s: PositiveFloat = 15.0
    """… up to this: about a block of Ethereum. The node is left alone while nothing is under way."""
    lease_s: PositiveFloat = 10.0
    """How long a node has a transaction to itself. One that dies keeps the others waiting so long, at most."""
    idle_s: PositiveFloat = 5.0
    """How often a node looks, in PostgreSQL, for transactions that another one has left behind."""
    batch: PositiveInt = 8
    """Transactions that a node works on at the same time."""
    request_timeout_s: PositiveFloat = 15.0
    """Of one request. The first one starts the embedded chain: 2 s, on a machine with other work up to 10."""
    connections: PositiveInt = 8
    """To the node, of each of ours; further requests wait."""
    most_fee_gwei: PositiveFloat = 200.0
    """Per unit of gas. While the chain costs more, transactions wait."""
    most_gas: PositiveInt = 500_000
    """Offered for a mint, which takes 380 000 with the margin (measured). The rest is for a wallet that is a contract:
    its code runs when it is given the token, on the hub's money."""
    mints_per_minute: PositiveInt = 20
    """Of one account, asked for: each may cost the hub money."""
    reads_per_minute: PositiveInt = 120
    """Of one address, of what the chain's node is asked for: somebody's tokens are up to 400 calls."""
    reads_life_s: PositiveFloat = 2.0
    """How long a node gives everybody the same answer to what takes many calls, and is the same for everybody."""
    royalty_bps: Annotated[int, Meta(ge=0, le=1000)] = 500
    """What a post's author gets of each later sale of its token, in hundredths of a percent."""
    deploy: bool = False
    """Whether the hub puts its contracts on a chain that has none, and takes money from an account that the node signs
    for. For test chains; ``run`` sets it for the embedded one."""
    nft_address: EthereumAddress | None = None
    """SparkleNFT on a chain where the hub does not deploy. The hub's account needs its MINTER_ROLE."""
    token_address: EthereumAddress | None = None
    marketplace_address: EthereumAddress | None = None
    timelock_address: EthereumAddress | None = None
    governor_address: EthereumAddress | None = None
    wallets: WalletSettings = WalletSettings()
