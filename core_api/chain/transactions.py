"""Transactions and their rules: which state follows from what the chain shows. No I/O."""

from datetime import datetime
from typing import Final

import msgspec

from core_api.chain.schema import ChainTransaction, Fault, Kind, State
from hub.kernel.ids import UserId

NEXT: Final[dict[State, frozenset[State]]] = {
    "queued": frozenset({"submitted", "confirmed", "failed", "orphaned"}),
    "submitted": frozenset({"queued", "mined", "confirmed", "failed", "orphaned"}),
    "mined": frozenset({"queued", "submitted", "confirmed", "failed", "orphaned"}),
    "confirmed": frozenset({"orphaned"}),
    "failed": frozenset(),
    "orphaned": frozenset(),
}
"""The states that may follow each state."""
UNFINISHED: Final[frozenset[State]] = frozenset({"queued", "submitted", "mined"})
MOST_TEXT = 200
"""Characters of what a node says that are kept."""
REVERTED = Fault(code="reverted", message="The contract refused it when it was mined.")


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to be done on a chain, once.

    ``nonce``, ``raw`` and ``hash`` are set together, when it is signed, and stay: who sends it sends the same bytes.
    """

    id: str
    number: int
    deployment_id: int
    chain_id: int
    owner_id: UserId | None
    """``None``: the hub's own, of a deployment."""
    kind: Kind
    key: str
    arguments: dict[str, str]
    state: State
    sender: str | None = None
    nonce: int | None = None
    raw: bytes | None = None
    hash: str | None = None
    block_number: int | None = None
    block_hash: str | None = None
    contract: str | None = None
    """What it created, or the contract of its token."""
    token_id: str | None = None
    error: Fault | None = None
    attempts: int = 0
    """Looks since its last change of state; the pause between two grows with it."""
    created_at: datetime
    updated_at: datetime


class Signed(msgspec.Struct, frozen=True):
    """Bytes to send, and the hash that they will be found under."""

    raw: bytes
    hash: str


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction as it stands in a block."""

    block_number: int
    block_hash: str
    succeeded: bool
    contract: str | None = None
    token_id: str | None = None


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What the chain shows of a signed transaction. ``settled_nonce`` must be read before ``sighting``.

    In the other order a transaction that is mined between the two reads would look as if another had its nonce.
    """

    head: int
    """Number of the last block."""
    settled_nonce: int
    """The sender's next nonce as of the last block that counts as final."""
    sighting: Sighting | None


def observed(transaction: Transaction, view: View, *, confirmations: int, now: datetime) -> Transaction:
    """The transaction after a look at the chain; the same object if nothing has changed.

    A result counts once its block has ``confirmations`` blocks, itself included: until then a block that is replaced
    takes it back. A transaction whose nonce was settled by another one can never be mined, so it is queued anew.
    """
    sighting = view.sighting
    if sighting is None:
        if transaction.nonce is not None and view.settled_nonce > transaction.nonce:
            return _moved(transaction, "queued", now, sender=None, nonce=None, raw=None, hash=None)
        return transaction if transaction.state == "submitted" else _moved(transaction, "submitted", now)
    seen = {
        "block_number": sighting.block_number,
        "block_hash": sighting.block_hash,
        "contract": sighting.contract,
        "token_id": sighting.token_id,
    }
    if view.head - sighting.block_number + 1 < confirmations:
        same = transaction.state == "mined" and transaction.block_hash == sighting.block_hash
        return transaction if same else _moved(transaction, "mined", now, **seen)
    if sighting.succeeded:
        return _moved(transaction, "confirmed", now, **seen)
    return _moved(transaction, "failed", now, **seen, error=REVERTED)


def signed(transaction: Transaction, sender: str, nonce: int, bytes_: Signed, now: datetime) -> Transaction:
    """The transaction with its bytes."""
    return _moved(transaction, "submitted", now, sender=sender, nonce=nonce, raw=bytes_.raw, hash=bytes_.hash)


def refused(transaction: Transaction, fault: Fault, now: datetime) -> Transaction:
    """A queued transaction that the contract would refuse. Nothing was sent, and no nonce was taken."""
    return _moved(transaction, "failed", now, error=fault)


def found_done(transaction: Transaction, contract: str, token_id: str, now: datetime) -> Transaction:
    """A queued mint whose token is there already: an earlier transaction of the same post made it."""
    return _moved(transaction, "confirmed", now, contract=contract, token_id=token_id)


def pause_s(attempts: int, *, first_s: float, longest_s: float) -> float:
    """Seconds until the next look, after so many looks without a change."""
    doublings = min(attempts, 16)  # a float that goes on doubling outgrows what PostgreSQL takes as an interval
    return min(longest_s, first_s * 2.0**doublings)


def fault(code: str, said: str) -> Fault:
    """A fault with what a node or a contract said of it. Anybody can write a contract that says a NUL, which
    PostgreSQL does not store."""
    shown = (character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in said[:MOST_TEXT])
    return Fault(code=code, message="".join(shown))


def event_of(transaction: Transaction) -> ChainTransaction:
    """What its owner is told."""
    return ChainTransaction(
        transaction_id=transaction.id,
        kind=transaction.kind,
        state=transaction.state,
        hash=transaction.hash,
        token_id=transaction.token_id,
        error=transaction.error,
    )


def _moved(transaction: Transaction, state: State, now: datetime, **fields: object) -> Transaction:
    if state not in NEXT[transaction.state] and state != transaction.state:
        raise ValueError(f"a {transaction.state} transaction does not become {state}")
    blank = {"block_number": None, "block_hash": None, "contract": None, "token_id": None, "error": None}
    return msgspec.structs.replace(transaction, **(blank | fields), state=state, attempts=0, updated_at=now)
