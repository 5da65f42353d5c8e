"""A complete deployment: the contracts as the hub puts them on a chain, in the hands of their governor."""

from dataclasses import dataclass

from core_api.chain.contract_abi import CONTRACTS
from core_api.chain.deployment_plan import next_steps
from tests.contracts.testbed import Deployed, Testbed

NEW_RATE = 10**9


@dataclass(frozen=True)
class Hub:
    """A complete deployment. The account that deployed it is ``bed.admin``."""

    bed: Testbed
    token: Deployed
    nft: Deployed
    marketplace: Deployed
    timelock: Deployed
    governor: Deployed

    def give_votes(self, account: str, amount: int) -> None:
        """SPARK that votes, staked."""
        self.token.do("transfer", account, amount, by=self.bed.admin)
        self.token.do("stake", amount, by=account)
        self.token.do("delegate", account, by=account)
        self.bed.pass_time(1)

    def propose(self, actions: list[tuple[Deployed, str]], *, by: str) -> int:
        targets, calls = [contract.address for contract, _ in actions], [data for _, data in actions]
        proposed = self.governor.do("propose", targets, [0] * len(calls), calls, "why", by=by)
        return int(proposed.event("ProposalCreated")["proposalId"])

    def rate_change(self) -> tuple[Deployed, str]:
        return self.token, self.token.data("updateRewardRate", NEW_RATE)

    def state(self, proposal: int) -> int:
        return int(self.governor.read("state", proposal))


def deployed(bed: Testbed) -> Hub:
    done = {"hub": bed.admin}
    while steps := next_steps(done):
        for step in steps:
            call = step.make(done)
            done[step.name] = bed.send(call.to, call.data)
    return Hub(bed, *(bed.at(name, done[name]) for name in CONTRACTS))
