"""Transactions that wait for their turn: of each sender in the order of nonces, without gaps."""

from collections.abc import Callable, Iterator
from typing import Any

from hub.embedded.chain_json import REFUSED, RpcError

_MOST = 4096  # in all; geth keeps 5120 that can be executed
_MOST_AHEAD = 64  # of one sender, behind a gap or not, as in geth
_BUMP_PERCENT = 10  # by which a replacement must raise both of its fees, as in geth; anvil is content with less

Transaction = Any
"""A signed one, of py-evm, which has no types."""


class Pool:
    """What was sent and is not in a block yet."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, dict[int, Transaction]] = {}

    def add(self, transaction: Transaction, next_nonce: int) -> None:
        """Take `transaction`, whose sender's next nonce in a block would be `next_nonce`.

        One with the same nonce replaces the first if it pays a tenth more. Refusals are worded as in geth, because
        clients compare them.
        """
        own = self._waiting.setdefault(transaction.sender, {})
        before = own.get(transaction.nonce)
        if before is not None and before.hash == transaction.hash:
            raise RpcError(REFUSED, "already known")
        if transaction.nonce < next_nonce:
            raise RpcError(REFUSED, f"nonce too low: next nonce {next_nonce}, tx nonce {transaction.nonce}")
        if transaction.nonce > next_nonce + _MOST_AHEAD:
            raise RpcError(REFUSED, f"nonce too high: next nonce {next_nonce}, tx nonce {transaction.nonce}")
        if before is not None and not _pays_more(transaction, before):
            raise RpcError(REFUSED, "replacement transaction underpriced")
        if before is None and sum(map(len, self._waiting.values())) >= _MOST:
            raise RpcError(REFUSED, "txpool is full")
        own[transaction.nonce] = transaction

    def ready(self, next_nonce_of: Callable[[bytes], int]) -> Iterator[Transaction]:
        """Take out, one by one, what may go into a block now; what a block has meanwhile is dropped.

        `next_nonce_of` gives an address's next nonce in a block; it is asked again after each transaction.
        """
        for sender in list(self._waiting):
            own = self._waiting[sender]
            while (transaction := own.pop(next_nonce_of(sender), None)) is not None:
                yield transaction
            for nonce in [nonce for nonce in own if nonce < next_nonce_of(sender)]:
                del own[nonce]
            if not own:
                del self._waiting[sender]

    def next_nonce(self, sender: bytes, next_nonce: int) -> int:
        """The next nonce of `sender` when everything that can be executed has been."""
        own = self._waiting.get(sender, {})
        while next_nonce in own:
            next_nonce += 1
        return next_nonce

    def find(self, transaction_hash: bytes) -> Transaction | None:
        """The waiting transaction with this hash."""
        return next(
            (one for own in self._waiting.values() for one in own.values() if one.hash == transaction_hash), None
        )

    def clear(self) -> None:
        """Forget everything."""
        self._waiting.clear()


def _pays_more(new: Transaction, old: Transaction) -> bool:
    return all(
        100 * getattr(new, fee) >= (100 + _BUMP_PERCENT) * getattr(old, fee)
        for fee in ("max_fee_per_gas", "max_priority_fee_per_gas")
    )
