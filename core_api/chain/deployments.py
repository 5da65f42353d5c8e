"""The hub's contracts on the chain that answers now: found, put there where that is allowed, or missed."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable

from core_api.chain import addresses
from core_api.chain.contract_abi import CONTRACTS
from core_api.chain.deployment_plan import STEPS, next_steps
from core_api.chain.deployment_store import Deployment, DeploymentStore
from core_api.chain.errors import ChainUnavailable, NotDeployed
from core_api.chain.ledger import Ledger, Refused
from core_api.chain.schema import Chains, ChainView
from core_api.chain.settings import ChainSettings
from core_api.chain.signer import Signer
from core_api.chain.transaction_store import ChainGone, NewTransaction, TransactionStore
from hub.kernel.clock import Clock
from hub.kernel.ids import new_uuid

log = logging.getLogger(__name__)

MOST_FAILURES = 3
"""Times that one step may fail. Another try after that only costs gas."""
NAMES = {1: "Ethereum", 11155111: "Sepolia", 31337: "Test chain"}
"""What people call chains; any other is called by its number."""


class Deployments:
    """Finds the deployment in use; the first use of a chain makes one, in the hub's own test chain.

    A deployment is a row for a chain (id and first block) and transactions under keys, so any number of nodes may push
    it on at once, and one that dies leaves nothing half done. ``nudge`` is called when there is work for the engine.
    Without ``has_chain`` the operator has set no node's address.
    """

    def __init__(
        self,
        store: DeploymentStore,
        transactions: TransactionStore,
        ledger: Ledger,
        signer: Signer,
        clock: Clock,
        settings: ChainSettings,
        *,
        nudge: Callable[[], None],
        has_chain: bool = True,
    ) -> None:
        self._store = store
        self._transactions = transactions
        self._ledger = ledger
        self._signer = signer
        self._clock = clock
        self._settings = settings
        self._nudge = nudge
        self._has_chain = has_chain
        self._last: Deployment | None = None

    async def current(self) -> Deployment:
        """The deployment of the chain that answers now, ready or on its way.

        If the chain is another one than before, what was on that is orphaned by this. Raises ChainUnavailable, and
        NotDeployed if there are no contracts and the hub may not deploy them, or failed to.
        """
        identity = await self._ledger.identity()
        if self._last is not None and self._last.identity == identity:
            return self._last
        deployment = await self._store.open(identity, self._clock.now())
        if self._settings.nft_address is not None:
            deployment = await self._adopt(deployment, self._settings.nft_address)
        elif deployment.state != "ready":
            if not self._settings.deploy:
                raise NotDeployed("The hub has no contracts on this chain; its operator has to name them.")
            await self.advance(deployment)
        if deployment.state == "ready":
            self._last = deployment  # an answer per chain: what is ready stays so until the first block is another
        return deployment

    async def ready(self) -> Deployment:
        """As :meth:`current`, with its contracts; raises NotDeployed, too, while they are on their way."""
        deployment = await self.current()
        if deployment.state != "ready":
            raise NotDeployed(retry_after=1)
        return deployment

    async def ids(self) -> frozenset[int]:
        """The chains that this hub works with. Raises ChainUnavailable."""
        return frozenset({(await self._ledger.identity()).chain_id})

    async def chains(self) -> Chains:
        """The chain, and the contracts that are ready on it; none for a hub without one. Raises ChainUnavailable."""
        if not self._has_chain:
            return Chains(data=[])
        chain_id, contracts = (await self._ledger.identity()).chain_id, {}
        try:
            contracts = (await self.ready()).contracts
        except NotDeployed as error:
            log.info("chain %d has no contracts now: %s", chain_id, error)
        name = NAMES.get(chain_id, f"Chain {chain_id}")
        return Chains(data=[ChainView(chain_id=chain_id, name=name, contracts=contracts)])

    def forget(self) -> None:
        """Look the deployment up anew: another node has met another chain since."""
        self._last = None

    async def get(self, deployment_id: int) -> Deployment | None:
        """The deployment with this id, in use or not."""
        return await self._store.get(deployment_id)

    async def advance(self, deployment: Deployment) -> None:
        """Queue the steps whose turn it is; after the last one, say that it is ready. Idempotent, and safe in a race.

        Raises NotDeployed if a step goes on failing.
        """
        rows = await self._transactions.of_deployment(deployment.id)
        failures = Counter(row.key for row in rows if row.state == "failed")
        done = {"hub": await self._signer.address()}
        done |= {row.arguments["step"]: row.contract or "" for row in rows if row.state == "confirmed"}
        for step in next_steps(done):
            key = f"deploy:{step.name}"
            if failures[key] >= MOST_FAILURES:
                raise NotDeployed(f"The hub's contracts cannot be deployed: {step.name!r} failed.")
            new = NewTransaction(
                id=new_uuid(),
                deployment_id=deployment.id,
                owner_id=None,
                kind=step.kind,
                key=key,
                arguments={"step": step.name},
            )
            try:
                await self._transactions.add(new, self._clock.now())
            except ChainGone:
                return  # another chain answers by now; whoever asks next finds that one
        if done.keys() >= STEPS.keys():
            await self._store.complete(deployment.id, {name: done[name] for name in CONTRACTS})
            log.info("the hub's contracts are ready on chain %d", deployment.identity.chain_id)
        self._nudge()

    async def _adopt(self, deployment: Deployment, nft: str) -> Deployment:
        """Use the contracts that the operator names."""
        given = {
            "SparkleNFT": nft,
            "SparkleToken": self._settings.token_address,
            "SparkleMarketplace": self._settings.marketplace_address,
            "SparkleTimelock": self._settings.timelock_address,
            "SparkleGovernor": self._settings.governor_address,
        }
        contracts = {name: await _checked(address) for name, address in given.items() if address is not None}
        for name, address in contracts.items():
            try:
                exists = await self._ledger.has_code(address)
            except Refused:
                raise ChainUnavailable from None
            if not exists:
                raise NotDeployed(f"There is no contract at {address}, which is to be {name}.")
        await self._store.complete(deployment.id, contracts)
        return await self._store.open(deployment.identity, self._clock.now())


async def _checked(address: str) -> str:
    return await asyncio.to_thread(lambda: addresses.shown(addresses.parse(address)))
