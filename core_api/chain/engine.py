"""Carries out the transactions that are queued: on every node, through crashes of any of them, each exactly once.

What makes it so: the signed bytes and their nonce are stored in one database transaction before anything is sent, and
from then on nobody ever signs that transaction again unless its nonce was settled by another. So a node that dies
leaves either a queued row, which any node signs, or signed bytes, which any node sends: the same ones.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import NamedTuple

from core_api.chain.contract_abi import load_all, name_of_error
from core_api.chain.deployment_store import Deployment
from core_api.chain.deployments import Deployments
from core_api.chain.errors import ChainUnavailable
from core_api.chain.gaps import Gaps
from core_api.chain.ledger import Call, Fees, Ledger, Refused, Reverted
from core_api.chain.recipes import Recipe, Token
from core_api.chain.schema import Fault, Kind
from core_api.chain.settings import ChainSettings
from core_api.chain.signer import Signer
from core_api.chain.transaction_store import TransactionStore
from core_api.chain.transactions import (
    Sighting,
    Signed,
    Transaction,
    View,
    fault,
    found_done,
    observed,
    pause_s,
    refused,
)
from hub.kernel.clock import Clock
from hub.kernel.errors import HubError

log = logging.getLogger(__name__)

GAS_MARGIN = 1.25
"""What others do between estimate and block may make a call dearer. What is not used is not paid."""
LEAST_BALANCE_WEI, GIFT_WEI = 10**18, 100 * 10**18
"""On a test chain, when the hub's account is given money, and how much: for some 100 000 mints."""
AWAY = Fault(code="chain_unavailable", message="The chain does not answer just now. It waits.")
ELSEWHERE = Fault(code="chain_unavailable", message="It belongs to another chain than the one that answers now.")
COSTLY = Fault(
    code="too_much_gas", message="Taking the token costs the wallet's contract more gas than the hub pays for."
)
INTERNAL = Fault(code="internal", message="The hub cannot go on with it just now. It tries again.")
DEAR = Fault(code="fees_too_high", message="The chain asks for more than the operator allows. It waits.")


class Prepared(NamedTuple):
    """What is to be signed, but for the nonce."""

    call: Call
    sender: str
    gas: int
    fees: Fees


class Engine:
    """The loop behind queued transactions.

    ``nudged`` is set by whoever queues one, so that it looks at once. ``told`` is called when a change was committed
    that the outbox tells of.
    """

    def __init__(
        self,
        store: TransactionStore,
        deployments: Deployments,
        ledger: Ledger,
        signer: Signer,
        recipes: Mapping[Kind, Recipe],
        clock: Clock,
        settings: ChainSettings,
        *,
        nudged: asyncio.Event,
        told: Callable[[], None],
    ) -> None:
        self._store = store
        self._deployments = deployments
        self._ledger = ledger
        self._signer = signer
        self._recipes = recipes
        self._clock = clock
        self._settings = settings
        self._told = told
        self._nudged = nudged
        self._gaps = Gaps(store, ledger, signer)
        self._ready_senders: set[int] = set()
        """Deployments whose chain knows our account: it has money, and its next nonce is the one we know."""

    async def run(self) -> None:
        """Work for ever, through outages of PostgreSQL and of the chain.

        While nothing is queued, this is one short query every ``idle_s``, and the chain is left alone.
        """
        failures = 0
        while True:
            self._nudged.clear()  # before looking: a nudge that comes meanwhile makes for one more look
            try:
                wait_s = await self.work()
                failures = 0
            except Exception as error:  # whatever fails here, the transactions must still be carried out
                level = logging.WARNING if isinstance(error, HubError | OSError | Refused) else logging.ERROR
                log.log(level, "transactions wait: %r", error, exc_info=None if level < logging.ERROR else error)
                await asyncio.sleep(self._pause_s(failures))
                failures += 1
                continue
            await self._wait(wait_s)

    async def work(self) -> float:
        """Do what is due, and give the seconds until more is. Raises ChainUnavailable, and outages of PostgreSQL."""
        due = await self._store.claim(self._settings.batch, self._settings.lease_s)
        if due:
            await asyncio.to_thread(load_all)
            try:
                current = await self._deployments.current()
            except Exception as error:  # no chain, no contracts on it, no key: all of them wait for that
                for one in due:
                    await self._postpone(one, _waits_for(error))
                raise
            results = await asyncio.gather(*(self._try(one, current) for one in due), return_exceptions=True)
            for result in results:
                if isinstance(result, BaseException):
                    raise result
        wait_s = await self._store.due_in_s()
        if wait_s is None:
            return self._settings.idle_s
        # What is due and was not to be had is locked by a node that signs it, or died doing so: it is not to be asked
        # for without a pause, which may be long if that machine is gone and PostgreSQL has not noticed.
        least_s = 0.0 if due else self._settings.first_pause_s
        return min(max(wait_s, least_s), self._settings.idle_s)

    async def _try(self, transaction: Transaction, current: Deployment) -> None:
        """Carry on. One that cannot waits by itself, says why, and keeps no other waiting."""
        try:
            await self._carry_on(transaction, current)
        except Exception as error:  # also what a node answers that nobody thought of
            await self._postpone(transaction, _waits_for(error))
            if not isinstance(error, HubError | Refused):
                log.exception("transaction %s (%s) cannot go on", transaction.id, transaction.key)

    async def _carry_on(self, transaction: Transaction, current: Deployment) -> None:
        if transaction.deployment_id != current.id:  # orphaned a moment ago, or the operator has changed the chain
            await self._store.postpone(transaction, self._settings.longest_pause_s, ELSEWHERE)
            return
        if transaction.state == "queued":
            ready = await self._sign(transaction, current)
            if ready is None:
                return
            self._told()
            await self._send(ready)
            transaction = ready
        await self._follow(transaction, current)

    async def _sign(self, transaction: Transaction, deployment: Deployment) -> Transaction | None:
        """The transaction with its bytes, stored; ``None`` if it came to its end without any, or has to wait."""
        try:
            ready = await self._prepared(transaction, deployment)
        except Reverted as error:
            name = await asyncio.to_thread(name_of_error, error.data)
            await self._fail(transaction, fault(name or "reverted", error.message))
            return None
        except Refused as error:
            self._ready_senders.discard(deployment.id)  # too little money, perhaps
            await self._postpone(transaction, _waits_for(error))
            return None
        if ready is None:
            return None

        async def sign(nonce: int) -> Signed:
            return await self._signer.sign(
                ready.call, chain_id=transaction.chain_id, nonce=nonce, gas=ready.gas, fees=ready.fees
            )

        return await self._store.sign(transaction, ready.sender, sign, self._clock.now())

    async def _prepared(self, transaction: Transaction, deployment: Deployment) -> Prepared | None:
        """What to sign, tried out on the chain as it is now; ``None`` as above. Raises Reverted, Refused."""
        wanted = await self._recipes[transaction.kind].prepare(transaction, deployment)
        if wanted is None:
            await self._postpone(transaction, None)
            return None
        if isinstance(wanted, Token):
            await self._save(transaction, found_done(transaction, *wanted, self._clock.now()))
            return None
        sender = await self._sender(deployment)
        gas = round(await self._ledger.estimate(wanted, sender) * GAS_MARGIN)
        if transaction.owner_id is not None and gas > self._settings.most_gas:
            await self._fail(transaction, COSTLY)
            return None
        fees = await self._ledger.fees()
        if fees is None:
            await self._postpone(transaction, DEAR)
            return None
        return Prepared(wanted, sender, gas, fees)

    async def _sender(self, deployment: Deployment) -> str:
        """The hub's account, known to the chain and to the table of nonces."""
        sender = await self._signer.address()
        if deployment.id not in self._ready_senders:
            if self._settings.deploy and await self._ledger.balance(sender) < LEAST_BALANCE_WEI:
                giver = await self._ledger.rich_account()
                if giver is not None:
                    await self._ledger.give(giver, sender, GIFT_WEI)
            await self._store.raise_nonce(deployment.id, sender, await self._ledger.nonce(sender))
            self._ready_senders.add(deployment.id)
        return sender

    async def _follow(self, before: Transaction, deployment: Deployment) -> None:
        """Look where a signed transaction is, and send it again where it is nowhere."""
        after = await self._look(before, deployment)
        if after is before:
            waits_for = None
            if before.state == "submitted":
                waits_for = await self._send(before)
                await self._gaps.fill(before)
            await self._postpone(before, waits_for)
            return
        if after.state == "queued" and before.sender is not None:
            log.warning("nonce %s of %s was used by somebody else", before.nonce, before.sender)
            await self._store.raise_nonce(deployment.id, before.sender, await self._ledger.nonce(before.sender))
        await self._save(before, after)
        if after.state == "confirmed" and after.owner_id is None:
            await self._deployments.advance(deployment)

    async def _look(self, transaction: Transaction, deployment: Deployment) -> Transaction:
        head = await self._ledger.head()
        settled = max(0, head - self._settings.confirmations + 1)
        settled_nonce = await self._ledger.nonce(transaction.sender or "", settled)
        receipt = await self._ledger.receipt(transaction.hash or "")
        sighting = None
        if receipt is not None:
            token = await self._recipes[transaction.kind].result(receipt, deployment)
            sighting = Sighting(
                block_number=receipt.block_number,
                block_hash=receipt.block_hash,
                succeeded=receipt.succeeded,
                contract=receipt.contract if token is None else token.contract,
                token_id=None if token is None else token.token_id,
            )
        view = View(head=head, settled_nonce=settled_nonce, sighting=sighting)
        return observed(transaction, view, confirmations=self._settings.confirmations, now=self._clock.now())

    async def _send(self, transaction: Transaction) -> Fault | None:
        """Hand the bytes in. Being refused decides nothing: whether it is in a block is seen by its receipt."""
        try:
            await self._ledger.send(transaction.raw or b"")
        except Refused as error:
            log.info("transaction %s is refused by the node: %s", transaction.id, error)
            return _waits_for(error)
        return None

    async def _fail(self, transaction: Transaction, why: Fault) -> None:
        """End a transaction that was not signed yet."""
        await self._save(transaction, refused(transaction, why, self._clock.now()))

    async def _postpone(self, transaction: Transaction, waits_for: Fault | None) -> None:
        await self._store.postpone(transaction, self._pause_s(transaction.attempts), waits_for)

    async def _save(self, before: Transaction, after: Transaction) -> None:
        if await self._store.save(before, after, self._settings.first_pause_s):
            self._told()
            if after.error is not None:
                log.warning("transaction %s (%s) %s: %s", after.id, after.key, after.state, after.error.message)

    def _pause_s(self, attempts: int) -> float:
        return pause_s(attempts, first_s=self._settings.first_pause_s, longest_s=self._settings.longest_pause_s)

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._nudged.wait()
        except TimeoutError:
            pass  # time to look again


def _waits_for(error: Exception) -> Fault:
    """What the owner is told of an error that may be over at the next look."""
    if isinstance(error, Refused):
        return fault("refused", str(error))
    if isinstance(error, ChainUnavailable):
        return AWAY
    return fault(error.code, error.message) if isinstance(error, HubError) else INTERNAL
