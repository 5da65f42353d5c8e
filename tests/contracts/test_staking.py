"""Staking: what is earned, and that nobody's principal can be trapped."""

import pytest

from tests.contracts.testbed import DAY, SPARK, YEAR, Deployed, Testbed

MAX_SUPPLY = 1_000_000_000 * SPARK
RATE = 10**18 // YEAR // 20
SECOND = 2
"""Blocks may come a second or two later than asked for: what that earns is allowed for."""


@pytest.fixture
def staked(bed: Testbed, token: Deployed) -> Deployed:
    """Alice has 1000 SPARK, all of it staked."""
    token.do("transfer", bed.alice, 1000 * SPARK, by=bed.admin)
    token.do("stake", 1000 * SPARK, by=bed.alice)
    return token


def earned(amount: int, seconds: int, rate: int = RATE) -> int:
    return amount * seconds * rate // SPARK


def about(amount: int, of: int = 1000 * SPARK) -> object:
    return pytest.approx(amount, abs=earned(of, SECOND, rate=10**18 // YEAR))


def test_staking_is_announced_and_counted(bed: Testbed, token: Deployed) -> None:
    token.do("transfer", bed.alice, 10, by=bed.admin)
    assert token.do("stake", 4, by=bed.alice).event("Staked") == {"user": bed.alice, "amount": 4}
    token.do("stake", 5, by=bed.alice)
    token.do("stake", 6, by=bed.admin)
    assert token.read("stakedBalance", bed.alice) == 9
    assert token.read("totalStaked") == 15
    assert token.do("unstake", 2, by=bed.alice).event("Unstaked") == {"user": bed.alice, "amount": 2}
    assert token.read("totalStaked") == 13


def test_nothing_and_more_than_one_has_are_refused(bed: Testbed, staked: Deployed) -> None:
    with staked.refuses("ZeroAmount"):
        staked.do("stake", 0, by=bed.alice)
    with staked.refuses("ZeroAmount"):
        staked.do("unstake", 0, by=bed.alice)
    with staked.refuses("StakedTokens"):
        staked.do("stake", 1, by=bed.alice)
    with staked.refuses("InsufficientStake"):
        staked.do("unstake", 1000 * SPARK + 1, by=bed.alice)
    with staked.refuses("InsufficientStake"):
        staked.do("unstake", 1, by=bed.bob)


def test_what_is_staked_stays_with_its_owner_and_cannot_be_spent(bed: Testbed, staked: Deployed) -> None:
    assert staked.read("balanceOf", bed.alice) == 1000 * SPARK
    with staked.refuses("StakedTokens"):
        staked.do("transfer", bed.bob, 1, by=bed.alice)
    staked.do("approve", bed.bob, 1, by=bed.alice)
    with staked.refuses("StakedTokens"):
        staked.do("transferFrom", bed.alice, bed.bob, 1, by=bed.bob)
    staked.do("unstake", 1, by=bed.alice)
    staked.do("transfer", bed.bob, 1, by=bed.alice)


def test_a_year_earns_five_percent_and_not_thousands_a_day(bed: Testbed, staked: Deployed) -> None:
    bed.pass_time(YEAR)
    assert staked.read("pendingRewards", bed.alice) == about(50 * SPARK)


def test_rewards_can_be_claimed(bed: Testbed, staked: Deployed) -> None:
    bed.pass_time(30 * DAY)
    claimed = staked.do("claimRewards", by=bed.alice).event("RewardsClaimed")["amount"]
    assert claimed == about(earned(1000 * SPARK, 30 * DAY))
    assert staked.read("balanceOf", bed.alice) == 1000 * SPARK + claimed
    assert staked.read("pendingRewards", bed.alice) == 0


def test_unstaking_keeps_what_was_earned_until_then_and_earns_no_more(bed: Testbed, staked: Deployed) -> None:
    bed.pass_time(DAY)
    staked.do("unstake", 1000 * SPARK, by=bed.alice)
    pending = staked.read("pendingRewards", bed.alice)
    assert pending == about(earned(1000 * SPARK, DAY))
    bed.pass_time(DAY)
    assert staked.read("pendingRewards", bed.alice) == pending


def test_a_later_stake_earns_nothing_for_the_time_before_it(bed: Testbed, staked: Deployed) -> None:
    bed.pass_time(YEAR)
    staked.do("stake", 1000 * SPARK, by=bed.admin)
    assert staked.read("pendingRewards", bed.admin) <= earned(1000 * SPARK, SECOND)
    staked.do("transfer", bed.alice, 9000 * SPARK, by=bed.admin)
    staked.do("stake", 9000 * SPARK, by=bed.alice)
    assert staked.read("pendingRewards", bed.alice) == about(50 * SPARK, of=10_000 * SPARK)


def test_a_new_rate_does_not_reach_back(bed: Testbed, staked: Deployed) -> None:
    bed.pass_time(YEAR)
    changed = staked.do("updateRewardRate", 20 * RATE, by=bed.admin)
    assert changed.event("RewardRateUpdated") == {"oldRate": RATE, "newRate": 20 * RATE}
    assert staked.read("pendingRewards", bed.alice) == about(50 * SPARK)
    bed.pass_time(YEAR)
    assert staked.read("pendingRewards", bed.alice) == about(1050 * SPARK)


def test_the_rate_is_bounded_and_governance_alone_sets_it(bed: Testbed, token: Deployed) -> None:
    highest = token.read("MAX_REWARD_RATE")
    token.do("updateRewardRate", highest, by=bed.admin)
    with token.refuses("RewardRateTooHigh"):
        token.do("updateRewardRate", highest + 1, by=bed.admin)
    with token.refuses("AccessControlUnauthorizedAccount"):
        token.do("updateRewardRate", 0, by=bed.alice)


def test_principal_comes_back_during_a_pause(bed: Testbed, staked: Deployed) -> None:
    bed.pass_time(DAY)
    staked.do("pause", by=bed.admin)
    staked.do("unstake", 1000 * SPARK, by=bed.alice)
    assert staked.read("stakedBalance", bed.alice) == 0
    staked.do("unpause", by=bed.admin)
    staked.do("transfer", bed.bob, 1000 * SPARK, by=bed.alice)
    assert staked.do("claimRewards", by=bed.alice).event("RewardsClaimed")["amount"] > 0


def test_principal_comes_back_when_all_tokens_are_minted_and_unpaid_rewards_stay_owed(
    bed: Testbed, staked: Deployed
) -> None:
    room = 10
    staked.do("mint", bed.bob, MAX_SUPPLY - staked.read("totalSupply") - room, by=bed.admin)
    bed.pass_time(YEAR)
    owed = staked.read("pendingRewards", bed.alice)
    assert staked.do("claimRewards", by=bed.alice).event("RewardsClaimed")["amount"] == room
    assert staked.read("totalSupply") == MAX_SUPPLY
    assert staked.read("pendingRewards", bed.alice) >= owed - room
    staked.do("unstake", 1000 * SPARK, by=bed.alice)
    staked.do("transfer", bed.bob, 1000 * SPARK, by=bed.alice)


def test_staked_tokens_keep_their_votes(bed: Testbed, token: Deployed) -> None:
    token.do("transfer", bed.alice, 100, by=bed.admin)
    token.do("delegate", bed.alice, by=bed.alice)
    token.do("stake", 100, by=bed.alice)
    assert token.read("getVotes", bed.alice) == 100
    token.do("delegate", bed.bob, by=bed.alice)
    assert token.read("getVotes", bed.bob) == 100
    token.do("unstake", 100, by=bed.alice)
    assert token.read("getVotes", bed.bob) == 100
