"""Settings of connecting wallets, with their defaults."""

from typing import Annotated

import msgspec
from msgspec import Meta

Positive = Annotated[int, Meta(ge=1)]


class WalletSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator may choose."""

    message_life_s: Positive = 600
    """How long a message may be signed: time to find the hardware wallet, and no more."""
    per_minute: Positive = 20
    """Messages of one account, each a row until it runs out; and as many signatures to check."""
