"""hub.gate.limits against the exact algorithm: whatever the nodes and the reports between them do."""

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.kernel.limits import Limit
from tests.support.clock import FrozenClock
from tests.support.limits import Exact, ModelLedger, Node

LIMITS = st.builds(Limit, per_minute=st.sampled_from([6, 60, 600, 6000]), burst=st.integers(1, 60))
ANSWERED_S = 0.06
"""Within so much a report that is due is answered here: waiting for the one before it is a half of that."""
STEP_S = ANSWERED_S / 6


@settings(max_examples=200, deadline=None)
@given(
    limit=LIMITS,
    acts=st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 20), st.booleans()), max_size=60),
)
def test_one_node_lets_through_exactly_what_the_algorithm_does(limit: Limit, acts: list[tuple[int, int, bool]]) -> None:
    clock, exact = FrozenClock(), Exact(limit)
    node = Node(clock, ModelLedger(clock), limit)
    for pause_ms, count, reports in acts:
        clock.advance(pause_ms / 1000)
        now = clock.now_ms() / 1000
        for _ in range(count):
            wait = node.wait()
            assert (wait == 0) == exact.allows(now)
            if wait == 0:
                exact.take(now)
        if reports:
            node.report()


@settings(max_examples=200, deadline=None)
@given(data=st.data(), limit=LIMITS, number=st.integers(2, 4))
def test_many_nodes_exceed_the_limit_by_no_more_than_is_promised(
    data: st.DataObject, limit: Limit, number: int
) -> None:
    clock, exact = FrozenClock(), Exact(limit)
    ledger = ModelLedger(clock)
    nodes = [Node(clock, ledger, limit) for _ in range(number)]
    unseen = 1.1 * limit.burst + 1 + ANSWERED_S / limit.interval_s
    most = (limit.burst + number * unseen) * limit.interval_s
    acts = st.tuples(st.sampled_from(nodes), st.integers(1, 80), st.integers(0, 80))
    for node, count, steps in data.draw(st.lists(acts, max_size=40)):
        for _ in range(count):
            if node.wait() == 0:
                exact.take(clock.now_ms() / 1000)
        # The debt of an exact count is what was let through in any time before beyond the rate.
        assert exact.debt(clock.now_ms() / 1000) <= most + 1e-3
        for _ in range(steps):
            clock.advance(STEP_S)
            for one in nodes:
                one.step()


@settings(max_examples=200, deadline=None)
@given(data=st.data(), limit=LIMITS, number=st.integers(2, 4))
def test_many_nodes_refuse_nobody_who_has_more_than_a_tenth_left_for_each(
    data: st.DataObject, limit: Limit, number: int
) -> None:
    clock, exact = FrozenClock(), Exact(limit)
    ledger = ModelLedger(clock)
    nodes = [Node(clock, ledger, limit) for _ in range(number)]
    missing = number * (max(limit.burst // 10, 1) * limit.interval_s + ANSWERED_S)
    acts = st.tuples(st.sampled_from(nodes), st.integers(1, 80), st.integers(0, 80))
    for node, count, steps in data.draw(st.lists(acts, max_size=40)):
        for _ in range(count):
            if node.wait() == 0:
                exact.take(clock.now_ms() / 1000)
            else:
                assert exact.debt(clock.now_ms() / 1000) + missing >= (limit.burst - 1) * limit.interval_s
        for _ in range(steps):
            clock.advance(STEP_S)
            for one in nodes:
                one.step()


def test_who_presses_on_all_nodes_at_once_has_a_burst_on_each_and_then_the_rate() -> None:
    clock, limit = FrozenClock(), Limit(per_minute=600, burst=100)
    ledger = ModelLedger(clock)
    nodes = [Node(clock, ledger, limit) for _ in range(3)]
    passed: list[int] = []
    for _ in range(round(120 / STEP_S)):
        passed.append(sum(node.wait() == 0 for node in nodes for _ in range(150 if not passed else 5)))
        clock.advance(STEP_S)
        for node in nodes:
            node.step()
    assert passed[0] == 300
    # One burst and ten a second for two minutes, and what three nodes have not reported: a tenth of the burst.
    assert 1300 <= sum(passed) <= 1300 + 3 * 10


def test_a_node_that_hears_of_a_spent_allowance_refuses_until_it_comes_back() -> None:
    clock, limit = FrozenClock(), Limit(per_minute=60, burst=20)
    ledger = ModelLedger(clock)
    one, other = Node(clock, ledger, limit), Node(clock, ledger, limit)
    assert [one.wait() for _ in range(20)] == [0] * 20
    one.report()
    assert other.wait() == other.wait() == 0  # a tenth, before it asks
    other.report()
    assert other.wait() == 3.0
    clock.advance(3)
    assert other.wait() == 0


def test_without_redis_each_node_limits_by_itself() -> None:
    clock, limit = FrozenClock(), Limit(per_minute=60, burst=20)
    ledger = ModelLedger(clock)
    ledger.is_away = True
    nodes = [Node(clock, ledger, limit) for _ in range(2)]
    for node in nodes:
        assert [node.wait() > 0 for _ in range(25)] == [False] * 20 + [True] * 5
        node.report()
        assert node.wait() > 0
