"""Whoever is owed a message either gets it, or it is told once that they did not."""

from hypothesis import given
from hypothesis import strategies as st

from load_tests.measures.deliveries import Deliveries

WITHIN_S = 10.0
ADA, BOB, CLEO = 1, 2, 3


def expecting(*receivers: int, key: str = "m", now_s: float = 0.0, may_be_lost: bool = False) -> Deliveries:
    deliveries = Deliveries(WITHIN_S)
    deliveries.expect(key, "room:message", receivers, due_s=now_s - 1, now_s=now_s, may_be_lost=may_be_lost)
    return deliveries


def test_a_receipt_gives_when_it_was_due_and_only_the_first_counts() -> None:
    deliveries = expecting(ADA, BOB)
    assert deliveries.received("m", ADA) == -1
    assert deliveries.received("m", ADA) is None
    assert deliveries.received("m", BOB) == -1
    assert deliveries.take_overdue(100) == []


def test_what_was_not_expected_is_no_delivery() -> None:
    deliveries = expecting(ADA)
    assert deliveries.received("m", BOB) is None
    assert deliveries.received("other", ADA) is None


def test_what_does_not_come_in_time_is_told_once_for_each_who_missed_it() -> None:
    deliveries = expecting(ADA, BOB, CLEO)
    deliveries.received("m", BOB)
    assert deliveries.take_overdue(WITHIN_S - 0.1) == []
    assert deliveries.take_overdue(WITHIN_S) == ["room:message"] * 2
    assert deliveries.take_overdue(WITHIN_S) == []
    assert deliveries.received("m", ADA) is None


def test_what_may_be_lost_is_not_missed_and_not_waited_for() -> None:
    deliveries = expecting(ADA, BOB, may_be_lost=True)
    assert deliveries.waiting(ADA) == 0
    assert deliveries.received("m", ADA) == -1
    assert deliveries.take_overdue(WITHIN_S) == []
    assert deliveries.received("m", BOB) is None


def test_what_is_withdrawn_and_what_is_owed_to_somebody_who_left_is_not_missed() -> None:
    deliveries = expecting(ADA, BOB)
    deliveries.expect("n", "room:message", [ADA], due_s=0, now_s=0)
    deliveries.forget(ADA)
    assert deliveries.waiting(ADA) == 0
    assert deliveries.waiting(BOB) == 1
    deliveries.withdraw("m")
    assert deliveries.take_overdue(WITHIN_S) == []


def test_a_key_sent_again_takes_the_place_of_the_one_before() -> None:
    deliveries = expecting(ADA, BOB)
    deliveries.expect("m", "room:message", [BOB], due_s=4, now_s=5)
    assert deliveries.waiting(ADA) == 0
    assert deliveries.waiting(BOB) == 1
    assert deliveries.take_overdue(WITHIN_S) == []
    assert deliveries.received("m", BOB) == 4


moves = st.tuples(st.sampled_from(["expect", "receive", "withdraw", "forget"]), st.integers(0, 4))


@given(st.lists(moves, max_size=40))
def test_after_any_history_everybody_waits_for_exactly_what_will_be_missed(history: list[tuple[str, int]]) -> None:
    deliveries = Deliveries(WITHIN_S)
    for now_s, (what, number) in enumerate(history):
        match what:
            case "expect":
                receivers = [ADA, BOB][: number % 3]
                deliveries.expect(number, "e", receivers, due_s=now_s, now_s=now_s, may_be_lost=number == 4)
            case "receive":
                deliveries.received(number, ADA)
            case "withdraw":
                deliveries.withdraw(number)
            case _:
                deliveries.forget(BOB)
    waiting = deliveries.waiting(ADA) + deliveries.waiting(BOB)
    assert len(deliveries.take_overdue(1000)) == waiting
    assert deliveries.waiting(ADA) == deliveries.waiting(BOB) == 0
