"""What wallets keep, as a Protocol. Ids are UUID strings; times come from the caller."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

from hub.kernel.ids import UserId


@dataclass(frozen=True, slots=True)
class Wallet:
    """A connected wallet. ``number`` is its place in the order of connecting."""

    id: str
    number: int
    user_id: UserId
    chain_id: int
    address: bytes
    connected_at: datetime


@dataclass(frozen=True, slots=True)
class IssuedMessage:
    """A message that somebody was given to sign, to connect this address on this chain."""

    nonce: str
    user_id: UserId
    chain_id: int
    address: bytes
    text: str
    expires_at: datetime


class Refusal(Enum):
    """Why a wallet was not connected."""

    MESSAGE_SPENT = "the message was used, or has run out"
    TAKEN = "the wallet is connected to another account"


class WalletStore(Protocol):
    """Wallets, and messages waiting for their signature. A method is one transaction, and durable when it returns."""

    async def issue(self, message: IssuedMessage, now: datetime) -> None:
        """Keep a message until it is used or runs out. Some of those that have run out are removed on the way."""
        ...

    async def issued(self, nonce: str, user_id: UserId, now: datetime) -> IssuedMessage | None:
        """The message with this nonce, if it was issued to this person, is not used and has not run out."""
        ...

    async def connect(self, wallet_id: str, message: IssuedMessage, now: datetime) -> Wallet | Refusal:
        """Use the message up and add its wallet: both, or neither where the answer is a Refusal.

        Of several at once with one message, exactly one gets a wallet; of several people with one address, too. Who
        has the wallet already keeps it under its id, and it is now the one connected last.
        """
        ...

    async def disconnect(self, wallet_id: str, user_id: UserId, now: datetime) -> bool:
        """Let go of a wallet of this person; the address is free for anybody. False if they have no such wallet."""
        ...

    async def wallets(self, user_id: UserId, before: int | None, limit: int) -> list[Wallet]:
        """Connected wallets with numbers below ``before``, the last connected first."""
        ...

    async def latest(self, user_id: UserId, chain_id: int) -> Wallet | None:
        """The wallet that this person connected last on a chain, of those that are connected."""
        ...
