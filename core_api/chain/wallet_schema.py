"""The wire of wallets: /blockchain/wallet/nonce, /blockchain/wallet/connect, /blockchain/wallets."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from core_api.chain.addresses import AddressText
from core_api.chain.schema import ChainNumber
from core_api.storable import Text
from hub.kernel.wire import END, Uuid, Wire

Position = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""In the cursor of wallets: the number of the last row."""
Signature = Annotated[
    str,
    Meta(pattern=rf"^0x[0-9a-fA-F]*{END}", max_length=4098, description="hexadecimal, as personal_sign answers"),
]
"""A key's has 65 bytes; those of contract wallets are longer, 2 KB for 30 owners."""


class WalletToConnect(Wire):
    """Which account of which chain to connect."""

    address: AddressText
    chain_id: ChainNumber


class MessageToSign(Wire):
    """The text for ``personal_sign``: an EIP-4361 message, to be used once and within ten minutes."""

    message: str


class WalletProof(Wire):
    """A signed message: it shows that whoever is signed in here has the wallet's key."""

    address: AddressText
    message: Annotated[Text, Meta(max_length=4096)]
    signature: Signature


class WalletView(Wire):
    """A connected wallet."""

    id: Uuid
    address: AddressText
    """With its checksum (EIP-55)."""
    chain_id: int
    connected_at: datetime
