"""A chain as the hub's own code needs it, as a Protocol: few calls, plain types, three kinds of errors."""

from typing import NamedTuple, Protocol

import msgspec


class ChainIdentity(NamedTuple):
    """Which chain it is. A test chain that forgot everything has the same id and another first block."""

    chain_id: int
    genesis: str
    """Hash of the first block, ``0x…``."""


class Call(msgspec.Struct, frozen=True):
    """What a transaction does: run a contract with this data, or (``to`` is ``None``) create one."""

    to: str | None
    data: bytes


class Log(msgspec.Struct, frozen=True):
    """Something that a contract has told."""

    address: str
    topics: tuple[str, ...]
    data: bytes


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a transaction that stands in a block."""

    block_number: int
    block_hash: str
    succeeded: bool
    contract: str | None
    """The contract that it created (EIP-55)."""
    logs: tuple[Log, ...]


class Fees(msgspec.Struct, frozen=True):
    """What to offer for a unit of gas (EIP-1559), in wei."""

    most: int
    tip: int


class Reverted(Exception):
    """The contract refuses: ``data`` is what it gave as reason, often empty; ``message`` what the node made of it."""

    def __init__(self, message: str, data: bytes = b"") -> None:
        super().__init__(message)
        self.message = message
        self.data = data


class Refused(Exception):
    """The node answered with an error that is no revert: too little money, a nonce used up, known already."""


class Ledger(Protocol):
    """One chain, by its node. Every method may raise core_api.chain.errors.ChainUnavailable and Refused.

    Addresses are EIP-55 text, hashes ``0x…`` in lower case.
    """

    async def identity(self) -> ChainIdentity:
        """Which chain it is at this moment; asked of the node each time."""
        ...

    async def head(self) -> int:
        """Number of the last block."""
        ...

    async def nonce(self, address: str, block: int | None = None) -> int:
        """The next nonce of ``address`` after ``block``, by default the last one; what waits does not count."""
        ...

    async def balance(self, address: str) -> int:
        """Wei."""
        ...

    async def call(self, call: Call) -> bytes:
        """What a contract answers, without a transaction. Raises Reverted."""
        ...

    async def estimate(self, call: Call, sender: str) -> int:
        """Gas that ``call`` would take. Raises Reverted: it would fail."""
        ...

    async def fees(self) -> Fees | None:
        """What to offer so that it is mined soon, also if fees double. ``None``: more than the operator allows."""
        ...

    async def send(self, raw: bytes) -> None:
        """Hand in signed bytes. Harmless twice, though a node may then answer Refused."""
        ...

    async def receipt(self, transaction_hash: str) -> Receipt | None:
        """What became of a transaction; ``None`` while it is in no block, or no longer in any."""
        ...

    async def logs(self, address: str, topics: list[str | None]) -> list[Log]:
        """What a contract has told so far, by topics (``None``: any), oldest first."""
        ...

    async def has_code(self, address: str) -> bool:
        """Whether there is a contract."""
        ...

    async def rich_account(self) -> str | None:
        """An account that the node itself signs for, as test chains have them."""
        ...

    async def give(self, giver: str, to: str, wei: int) -> None:
        """Let an account that the node signs for send money."""
        ...


def topic_of_address(address: str) -> str:
    """An indexed address as logs have it."""
    return "0x" + "0" * 24 + address[2:].lower()
