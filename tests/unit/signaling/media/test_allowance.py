"""How often legs may offer."""

import pytest

from signaling.media.embedded import allowance
from signaling.media.embedded.allowance import AT_ONCE, PER_S, Allowance

A, B = ("r", "a"), ("r", "b")


def test_a_leg_makes_so_many_offers_and_then_some_in_a_second_and_others_do_not_wait_for_it() -> None:
    offers = Allowance()
    made = [offers.takes(A, 0.0) for _ in range(AT_ONCE + 20)]
    assert made == [True] * AT_ONCE + [False] * 20
    assert offers.takes(B, 0.0)
    assert [offers.takes(A, 1000.0) for _ in range(3)] == [True] * PER_S + [False]
    assert [offers.takes(A, 1e6) for _ in range(AT_ONCE + 1)] == [True] * AT_ONCE + [False]


def test_who_has_not_offered_for_long_is_forgotten_and_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allowance, "KEPT", 10)
    offers = Allowance()
    for number in range(10):
        offers.takes(("r", str(number)), 0.0)
    for _ in range(AT_ONCE):
        offers.takes(A, 1e6)
    assert set(offers._left) == {A}
    assert not offers.takes(A, 1e6)
