"""Governance on the contracts as the hub deploys them: who holds what, and a decision from proposal to effect."""

from collections.abc import Iterator

import pytest
from web3 import HTTPProvider, Web3

from core_api.chain.contract_abi import role
from core_api.chain.deployment_plan import TIMELOCK_DELAY_S
from tests.contracts.governed import NEW_RATE, Hub, deployed
from tests.contracts.testbed import DAY, SPARK, Deployed, Testbed
from tests.support.chain import running_chain

PENDING, ACTIVE, CANCELED, DEFEATED, SUCCEEDED, QUEUED, EXPIRED, EXECUTED = range(8)
AGAINST, FOR, ABSTAIN = range(3)
WEEK = 7 * DAY


@pytest.fixture
def hub_on_anvil() -> Iterator[Hub]:
    with running_chain("anvil") as chain:
        w3 = Web3(HTTPProvider(chain.url))

        def mine_at(timestamp: int) -> None:
            chain.call("evm_setNextBlockTimestamp", timestamp)
            chain.call("evm_mine")

        assert "anvil" in w3.client_version
        yield deployed(Testbed(w3, mine_at))


def decide_three_things_and_see_them_done(hub: Hub) -> None:
    bed = hub.bed
    hub.give_votes(bed.alice, 60_000 * SPARK)
    new_fee = hub.marketplace.data("setFee", 100, bed.treasury)
    new_code = hub.nft.data("upgradeToAndCall", bed.deploy("GreedyNFT").address, b"")
    proposal = hub.propose([hub.rate_change(), (hub.marketplace, new_fee), (hub.nft, new_code)], by=bed.alice)
    assert hub.state(proposal) == PENDING
    bed.pass_time(DAY + 1)
    assert hub.state(proposal) == ACTIVE
    hub.governor.do("castVote", proposal, FOR, by=bed.alice)
    bed.pass_time(WEEK)
    assert hub.state(proposal) == SUCCEEDED
    hub.governor.do("queue(uint256)", proposal, by=bed.bob)
    bed.pass_time(TIMELOCK_DELAY_S)
    assert hub.token.read("rewardRate") != NEW_RATE
    hub.governor.do("execute(uint256)", proposal, by=bed.bob)
    assert hub.state(proposal) == EXECUTED
    assert hub.token.read("rewardRate") == NEW_RATE
    assert hub.marketplace.read("platformFee") == 100
    assert hub.nft.read("royaltyInfo", 1, 50)[1] == 100


def test_those_who_stake_decide_and_the_timelock_carries_it_out(hub: Hub) -> None:
    decide_three_things_and_see_them_done(hub)


def test_the_same_on_anvil(hub_on_anvil: Hub) -> None:
    decide_three_things_and_see_them_done(hub_on_anvil)


def test_after_deployment_the_timelock_rules_and_the_hub_has_only_what_must_be_quick(hub: Hub) -> None:
    def holds(contract: Deployed, name: str, account: str) -> bool:
        return bool(contract.read("hasRole", role(name), account))

    governed = [(contract, "DEFAULT_ADMIN_ROLE") for contract in (hub.token, hub.nft, hub.marketplace, hub.timelock)]
    for contract, name in [*governed, (hub.token, "GOVERNANCE_ROLE"), (hub.token, "MINTER_ROLE")]:
        assert holds(contract, name, hub.timelock.address), (contract.address, name)
        assert not holds(contract, name, hub.bed.admin), (contract.address, name)
    for contract, name in ((hub.nft, "MINTER_ROLE"), (hub.token, "PAUSER_ROLE"), (hub.marketplace, "OPERATOR_ROLE")):
        assert holds(contract, name, hub.bed.admin), (contract.address, name)
    assert holds(hub.timelock, "PROPOSER_ROLE", hub.governor.address)
    assert not holds(hub.timelock, "PROPOSER_ROLE", hub.bed.admin)


def test_without_a_vote_nobody_changes_rate_fee_or_code(hub: Hub) -> None:
    new = hub.bed.deploy("SparkleToken").address
    for contract, function, arguments in (
        (hub.token, "updateRewardRate", (NEW_RATE,)),
        (hub.token, "upgradeToAndCall", (new, b"")),
        (hub.nft, "upgradeToAndCall", (new, b"")),
        (hub.marketplace, "upgradeToAndCall", (new, b"")),
        (hub.marketplace, "setFee", (0, hub.bed.admin)),
    ):
        for somebody in (hub.bed.admin, hub.bed.alice):
            with contract.refuses("AccessControlUnauthorizedAccount"):
                contract.do(function, *arguments, by=somebody)
    target, data = hub.rate_change()
    call = (target.address, 0, data, bytes(32), bytes(32), TIMELOCK_DELAY_S)
    with hub.timelock.refuses("AccessControlUnauthorizedAccount"):
        hub.timelock.do("schedule", *call, by=hub.bed.admin)
    with hub.governor.refuses("GovernorOnlyExecutor"):
        hub.governor.do("setVotingPeriod", 1, by=hub.bed.admin)


def test_what_was_decided_waits_for_the_delay(hub: Hub) -> None:
    hub.give_votes(hub.bed.alice, 60_000 * SPARK)
    proposal = hub.propose([hub.rate_change()], by=hub.bed.alice)
    with hub.governor.refuses("GovernorUnexpectedProposalState"):
        hub.governor.do("castVote", proposal, FOR, by=hub.bed.alice)
    hub.bed.pass_time(DAY + 1)
    hub.governor.do("castVote", proposal, FOR, by=hub.bed.alice)
    with hub.governor.refuses("GovernorUnexpectedProposalState"):
        hub.governor.do("queue(uint256)", proposal, by=hub.bed.alice)
    hub.bed.pass_time(WEEK)
    hub.governor.do("queue(uint256)", proposal, by=hub.bed.alice)
    assert hub.state(proposal) == QUEUED
    hub.bed.pass_time(TIMELOCK_DELAY_S - 60)
    with hub.timelock.refuses("TimelockUnexpectedOperationState"):
        hub.governor.do("execute(uint256)", proposal, by=hub.bed.alice)


@pytest.mark.parametrize(
    ("votes", "stand"),
    [
        pytest.param(30_000 * SPARK, FOR, id="without a quorum"),
        pytest.param(60_000 * SPARK, AGAINST, id="against a majority"),
    ],
)
def test_a_proposal_fails(hub: Hub, votes: int, stand: int) -> None:
    hub.give_votes(hub.bed.alice, votes)
    proposal = hub.propose([hub.rate_change()], by=hub.bed.alice)
    hub.bed.pass_time(DAY + 1)
    hub.governor.do("castVote", proposal, stand, by=hub.bed.alice)
    hub.bed.pass_time(WEEK)
    assert hub.state(proposal) == DEFEATED
    with hub.governor.refuses("GovernorUnexpectedProposalState"):
        hub.governor.do("queue(uint256)", proposal, by=hub.bed.alice)


def test_votes_that_come_after_the_proposal_took_its_count_do_not_count(hub: Hub) -> None:
    hub.give_votes(hub.bed.alice, 60_000 * SPARK)
    proposal = hub.propose([hub.rate_change()], by=hub.bed.alice)
    hub.bed.pass_time(DAY + 1)
    hub.give_votes(hub.bed.bob, 100_000 * SPARK)
    hub.governor.do("castVote", proposal, AGAINST, by=hub.bed.bob)
    assert hub.governor.read("proposalVotes", proposal)[AGAINST] == 0


def test_proposing_takes_votes(hub: Hub) -> None:
    hub.give_votes(hub.bed.alice, 999 * SPARK)
    with hub.governor.refuses("GovernorInsufficientProposerVotes"):
        hub.propose([hub.rate_change()], by=hub.bed.alice)


def test_proposals_are_listed_by_the_contract_and_their_author_may_cancel_them_before_the_vote(hub: Hub) -> None:
    hub.give_votes(hub.bed.alice, 60_000 * SPARK)
    proposal = hub.propose([hub.rate_change()], by=hub.bed.alice)
    assert hub.governor.read("proposalCount") == 1
    details = hub.governor.read("proposalDetailsAt", 0)
    assert (details[0], details[1]) == (proposal, [hub.token.address])
    with hub.governor.refuses("GovernorUnableToCancel"):
        hub.governor.do("cancel(uint256)", proposal, by=hub.bed.bob)
    hub.governor.do("cancel(uint256)", proposal, by=hub.bed.alice)
    assert hub.state(proposal) == CANCELED


def test_a_proposal_that_does_what_governance_may_not_fails_as_a_whole(hub: Hub) -> None:
    hub.give_votes(hub.bed.alice, 60_000 * SPARK)
    too_high = (hub.token, hub.token.data("updateRewardRate", 10**18))
    proposal = hub.propose(
        [(hub.marketplace, hub.marketplace.data("setFee", 0, hub.bed.alice)), too_high], by=hub.bed.alice
    )
    hub.bed.pass_time(DAY + 1)
    hub.governor.do("castVote", proposal, FOR, by=hub.bed.alice)
    hub.bed.pass_time(WEEK)
    hub.governor.do("queue(uint256)", proposal, by=hub.bed.alice)
    hub.bed.pass_time(TIMELOCK_DELAY_S)
    with hub.token.refuses("RewardRateTooHigh"):
        hub.governor.do("execute(uint256)", proposal, by=hub.bed.alice)
    assert hub.marketplace.read("platformFee") == 250
