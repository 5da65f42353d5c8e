"""hub.gate.limits on one node: whose allowance is taken, what is remembered and for how long."""

import pytest

from hub.gate import limits as subject
from hub.gate.limit_metrics import METRICS
from hub.gate.limit_rules import UnknownName, changed, rules
from hub.kernel.limits import UNKNOWN, Declared, Limit
from tests.support.clock import FrozenClock
from tests.support.limits import ADA, EVENT, ModelLedger, Node

LIMIT = Limit(per_minute=60, burst=10)
SIGN_UP = "POST /auth/signup"


class Bench:
    def __init__(self, limit: Limit = LIMIT, **more: int) -> None:
        self.clock = FrozenClock()
        self.ledger = ModelLedger(self.clock)
        self.node = Node(self.clock, self.ledger, limit, **more)
        self.limits = self.node.limits

    def passed(self, count: int, user_id: str | None = ADA, source: str | None = None, name: str = EVENT) -> int:
        return sum(self.limits.wait(name, user_id, source) == 0 for _ in range(count))


def test_each_user_and_each_event_has_an_allowance_of_its_own() -> None:
    bench = Bench()
    assert bench.passed(15) == 10
    assert bench.passed(15, "bob") == 10


def test_who_waits_as_long_as_told_is_let_through_and_not_before() -> None:
    bench = Bench()
    bench.passed(10)
    bench.clock.advance(0.3)
    assert bench.limits.wait(EVENT, ADA, None) == 0.7
    bench.clock.advance(0.699)
    assert bench.limits.wait(EVENT, ADA, None) > 0
    bench.clock.advance(0.001)
    assert bench.passed(2) == 1


def test_an_address_has_the_allowance_of_so_many_users() -> None:
    bench = Bench(address_users=3)
    assert sum(bench.passed(10, f"user{number}", "192.0.2.1") for number in range(5)) == 30
    assert bench.passed(10, "ada", "192.0.2.2") == 10


def test_what_a_user_is_refused_costs_the_address_nothing() -> None:
    bench = Bench(address_users=2)
    bench.passed(1000, "flood", "192.0.2.1")
    assert bench.passed(10, "neighbour", "192.0.2.1") == 10


def test_what_an_address_is_refused_costs_the_user_nothing() -> None:
    bench = Bench(address_users=1)
    bench.passed(10, "neighbour", "192.0.2.1")
    assert bench.passed(100, ADA, "192.0.2.1") == 0
    assert bench.passed(10, ADA, "192.0.2.2") == 10


def test_a_limit_for_strangers_is_of_one_address_and_of_no_user() -> None:
    bench = Bench(address_users=50)
    assert bench.passed(15, None, "192.0.2.1", SIGN_UP) == 10
    assert bench.passed(15, ADA, None, SIGN_UP) == 15


def test_uncapped_addresses_and_sockets_without_one_have_no_limit_of_addresses() -> None:
    bench = Bench(address_users=1)
    assert bench.limits.source("127.0.0.1") is None
    assert bench.limits.source("") is None
    assert bench.limits.source("192.0.2.1") == "192.0.2.1"
    assert bench.limits.source("2001:db8::1") == bench.limits.source("2001:db8::2") == "2001:db8::/64"


def test_several_of_several_names_are_all_taken_or_nothing_is() -> None:
    bench = Bench(address_users=1)
    assert bench.limits.wait_for_all({EVENT: 7, SIGN_UP: 2}, ADA, "192.0.2.1") == 0
    assert bench.limits.wait_for_all({SIGN_UP: 8, EVENT: 4}, ADA, "192.0.2.1") == 1  # one comes back in a second
    assert bench.passed(15, ADA, "192.0.2.1") == 3
    assert bench.passed(15, None, "192.0.2.1", SIGN_UP) == 8


def test_who_waits_as_long_as_told_for_several_has_them() -> None:
    bench = Bench()
    bench.passed(10)
    assert bench.limits.wait_for_all({EVENT: 4}, ADA, None) == 4
    bench.clock.advance(3.9)
    assert bench.limits.wait_for_all({EVENT: 4}, ADA, None) > 0
    bench.clock.advance(0.1)
    assert bench.limits.wait_for_all({EVENT: 4}, ADA, None) == 0
    assert bench.passed(1) == 0


def test_events_that_do_not_exist_share_one_allowance() -> None:
    bench = Bench()
    names = [f"no:such{number}" for number in range(UNKNOWN.burst * 2)]
    assert sum(bench.limits.wait(name, ADA, None) == 0 for name in names) == UNKNOWN.burst
    assert len(bench.limits) == 1


def test_the_usual_event_is_reported_once_in_a_tenth_of_the_burst() -> None:
    clock, limit = FrozenClock(), Limit(per_minute=3600, burst=600)
    ledger = ModelLedger(clock)
    node = Node(clock, ledger, limit)
    for _ in range(1200):  # an editor, for a minute
        clock.advance(0.05)
        assert node.wait() == 0
        node.report()
    assert ledger.reports == 20


def test_idle_allowances_are_forgotten_once_they_are_whole_and_their_last_use_is_reported() -> None:
    bench = Bench(Limit(per_minute=60, burst=100))
    for number in range(100):
        bench.passed(1, f"user{number}")
    bench.passed(9)
    bench.clock.advance(65)
    bench.node.forget()
    assert (len(bench.limits), bench.ledger.reports) == (1, 100)  # nine were taken of hers: it takes longer
    bench.clock.advance(5)
    bench.node.forget()
    assert (len(bench.limits), bench.ledger.reports) == (0, 101)


def test_beyond_the_most_that_is_kept_new_keys_are_let_through_uncounted(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    assert bench.passed(15) == 10
    monkeypatch.setattr(subject, "MOST_KEPT", METRICS.allowances)
    uncounted = METRICS.uncounted
    assert bench.passed(15, "bob") == 15
    assert bench.passed(5) == 0
    assert METRICS.uncounted == uncounted + 15
    assert len(bench.limits) == 1


def test_what_is_refused_is_counted_by_event_and_by_whose_limit_it_was() -> None:
    METRICS.refused.clear()
    bench = Bench(address_users=1)
    bench.passed(12, ADA, "192.0.2.1")
    bench.passed(3, "bob", "192.0.2.1")
    bench.passed(31, ADA, None, "no:such")
    assert METRICS.refused == {(EVENT, "address"): 5, ("(unknown)", "user"): 1}


def test_changes_replace_what_is_declared_and_the_star_is_for_the_rest() -> None:
    declared = {"a": Declared(LIMIT), "b": Declared(LIMIT), "c": Declared(LIMIT)}
    made = rules(changed(declared, {"a": Limit(1, 2), "b": None, "*": Limit(3, 4)}), address_users=2)
    allowances = {
        name: (rule.users and rule.users.limit, rule.addresses and rule.addresses.limit) for name, rule in made.items()
    }
    some = (Limit(3, 4), Limit(6, 8))
    assert allowances == {"a": (Limit(1, 2), Limit(2, 4)), "b": (None, None), "c": some, "(unknown)": some}


def test_a_change_of_what_nobody_declares_is_named() -> None:
    with pytest.raises(UnknownName, match="'room:sned'"):
        changed({"room:send": Declared(LIMIT)}, {"room:sned": None})


@pytest.mark.parametrize(("per_minute", "burst"), [(0, 1), (-5, 1), (1, 0), (60_000_001, 1), (1, 60_000_001)])
def test_what_is_no_allowance_cannot_be_declared(per_minute: int, burst: int) -> None:
    with pytest.raises(ValueError, match="is not between 1 and"):
        Limit(per_minute=per_minute, burst=burst)
