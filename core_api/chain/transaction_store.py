"""What is kept of transactions, as a Protocol. Pauses and leases run by the database's clock, which nodes share."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol

import msgspec

from core_api.chain.schema import Fault, Kind
from core_api.chain.transactions import Signed, Transaction
from hub.kernel.ids import UserId

ANNOUNCED = "chain.transaction"
"""Topic of the outbox: ``{ownerId, transaction}``, the second as the event shows it."""


class NewTransaction(msgspec.Struct, frozen=True, kw_only=True):
    """Something to do. Of those of a deployment with one ``key``, at most one is neither failed nor orphaned."""

    id: str
    deployment_id: int
    owner_id: UserId | None
    kind: Kind
    key: str
    arguments: dict[str, str]


class ChainGone(Exception):
    """The deployment is orphaned: the chain was another one when it was looked up."""


class TransactionStore(Protocol):
    """Transactions, and the next nonce of each sender.

    A method is one database transaction. Each change of a state is told to the outbox in it, for those with an owner.
    """

    async def add(self, new: NewTransaction, now: datetime) -> Transaction:
        """Queue it, or give the one that has its key and may still succeed, or has. Of several at once, one is added.

        Raises ChainGone.
        """
        ...

    async def claim(self, limit: int, lease_s: float) -> list[Transaction]:
        """Unfinished transactions that are due, the longest due first; nobody else gets them for ``lease_s``.

        The lease only saves work. Two who have the same transaction send the same bytes, and of two changes
        :meth:`save` takes one.
        """
        ...

    async def due_in_s(self) -> float | None:
        """Seconds until an unfinished transaction is due, at least 0. ``None``: there is none."""
        ...

    async def raise_nonce(self, deployment_id: int, sender: str, count: int) -> None:
        """Let the sender's next nonce be at least ``count``, which the chain has used up to."""
        ...

    async def sign(
        self, transaction: Transaction, sender: str, sign: Callable[[int], Awaitable[Signed]], now: datetime
    ) -> Transaction | None:
        """Take the sender's next nonce, sign with it and keep the bytes, all or nothing. ``None`` if no longer queued.

        The sender's row is locked meanwhile, so that nonces are used in the order of the commits and none is left out.
        """
        ...

    async def save(self, before: Transaction, after: Transaction, pause_s: float) -> bool:
        """Put ``after`` in the place of ``before``, due in ``pause_s``. False if another node has changed it."""
        ...

    async def postpone(self, transaction: Transaction, pause_s: float, error: Fault | None) -> None:
        """Look again in ``pause_s``, if it has not changed; ``error`` says what it waits for."""
        ...

    async def with_nonce(self, deployment_id: int, sender: str, nonce: int) -> Transaction | None:
        """The one that was signed with this nonce."""
        ...

    async def of_deployment(self, deployment_id: int) -> list[Transaction]:
        """The hub's own transactions, the oldest first."""
        ...

    async def get(self, transaction_id: str) -> Transaction | None:
        """The transaction with this id."""
        ...

    async def of_owner(self, owner_id: str, before: int | None, limit: int) -> list[Transaction]:
        """Somebody's, numbers below ``before``, the latest first."""
        ...

    async def posts_of(self, deployment_id: int, contract: str, token_ids: list[str]) -> dict[str, str]:
        """Token id → post, of confirmed mints."""
        ...
