"""Gaps in the hub's nonces: a chain takes them in order, so one that is missing holds up all that come after it."""

import logging

from core_api.chain.ledger import Call, Ledger, Refused
from core_api.chain.signer import Signer
from core_api.chain.transaction_store import TransactionStore
from core_api.chain.transactions import Transaction

log = logging.getLogger(__name__)

TRANSFER_GAS = 21_000
"""What a transfer of money to an account costs, by the protocol."""


class Gaps:
    """Finds the nonce that the chain waits for, and sends what has it."""

    def __init__(self, store: TransactionStore, ledger: Ledger, signer: Signer) -> None:
        self._store = store
        self._ledger = ledger
        self._signer = signer

    async def fill(self, waiting: Transaction) -> None:
        """Send what has to be in a block before ``waiting``, which is signed. Raises ChainUnavailable, Refused.

        Mostly that is another transaction: its node died, or a reorganisation has dropped it. Nonces are given out in
        the order of the commits, so a lower one without a transaction is nobody's any more. It was an orphaned one's,
        and its chain came back; or somebody else used it in a block that was taken back.
        """
        sender = waiting.sender or ""
        nonce = await self._ledger.nonce(sender)
        if waiting.nonce is None or nonce >= waiting.nonce:
            return
        missing = await self._store.with_nonce(waiting.deployment_id, sender, nonce)
        raw = await self._nothing(sender, nonce, waiting.chain_id) if missing is None else missing.raw
        if raw is None:
            return
        try:
            await self._ledger.send(raw)
        except Refused as error:
            log.info("what has nonce %d of %s is refused by the node: %s", nonce, sender, error)

    async def _nothing(self, sender: str, nonce: int, chain_id: int) -> bytes | None:
        """A transfer of no money to ourselves; ``None`` while the chain is too dear.

        If another node sends one as well, or the nonce was used after all, the chain takes one of them.
        """
        fees = await self._ledger.fees()
        if fees is None:
            return None
        log.warning("nonce %d of %s is nobody's: it is used up for nothing", nonce, sender)
        call = Call(sender, b"")
        return (await self._signer.sign(call, chain_id=chain_id, nonce=nonce, gas=TRANSFER_GAS, fees=fees)).raw
