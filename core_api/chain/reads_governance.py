"""What the governor says: how decisions are taken, and which ones were."""

import asyncio
from typing import get_args

from core_api.chain.errors import ChainUnavailable
from core_api.chain.ledger import Ledger
from core_api.chain.reads import ReadyContracts
from core_api.chain.reads_contract import ContractReader, checksummed, moment, reader
from core_api.chain.schema_reads import GovernanceView, ProposalState, ProposalView

SHOWN = 10
"""Proposals of one answer. Each takes six calls."""
STATES: tuple[ProposalState, ...] = get_args(ProposalState)
"""By the number that the contract has for them."""


class GovernanceReads:
    """The use case of /blockchain/governance."""

    def __init__(self, contracts: ReadyContracts, ledger: Ledger) -> None:
        self._contracts = contracts
        self._ledger = ledger

    async def governance(self) -> GovernanceView:
        """The settings and the last proposals, the newest first. Raises NotDeployed, ChainUnavailable."""
        deployment = await self._contracts.ready()
        governor = reader(self._ledger, deployment, "SparkleGovernor")
        timelock = reader(self._ledger, deployment, "SparkleTimelock")
        delay, period, threshold, count, now, execution_delay = await asyncio.gather(
            *(
                governor.ask(function)
                for function in ("votingDelay", "votingPeriod", "proposalThreshold", "proposalCount", "clock")
            ),
            timelock.ask("getMinDelay"),
        )
        quorum = await governor.ask("quorum", now - 1)  # of the past alone: votes of this second may still change
        newest = range(count - 1, max(count - SHOWN, 0) - 1, -1)
        return GovernanceView(
            chain_id=deployment.identity.chain_id,
            contract=governor.address,
            timelock=timelock.address,
            voting_delay=delay,
            voting_period=period,
            execution_delay=execution_delay,
            proposal_threshold=str(threshold),
            quorum=str(quorum),
            proposal_count=count,
            proposals=[await _proposal(governor, index) for index in newest],
        )


async def _proposal(governor: ContractReader, index: int) -> ProposalView:
    proposal, *_ = await governor.ask_all("proposalDetailsAt", index)
    state, proposer, starts, ends, (against, votes_for, abstained) = await asyncio.gather(
        *(
            governor.ask(function, proposal)
            for function in ("state", "proposalProposer", "proposalSnapshot", "proposalDeadline")
        ),
        governor.ask_all("proposalVotes", proposal),
    )
    if state >= len(STATES):
        raise ChainUnavailable("The contract does not answer as SparkleGovernor does.")
    return ProposalView(
        id=str(proposal),
        proposer=await checksummed(proposer),
        state=STATES[state],
        votes_for=str(votes_for),
        votes_against=str(against),
        votes_abstained=str(abstained),
        voting_starts_at=moment(starts),
        voting_ends_at=moment(ends),
    )
