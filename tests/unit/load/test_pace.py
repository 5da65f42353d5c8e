"""Actions are due at times that a slow hub does not move."""

from itertools import pairwise
from random import Random
from statistics import mean

import pytest

from load_tests.measures.pace import Pace


def dues(pace: Pace, nows: list[float]) -> list[float]:
    result = []
    for now in nows:
        pace.wait_s(now)
        result.append(pace.due_s)
    return result


def test_lateness_does_not_change_when_later_actions_are_due() -> None:
    punctual, late = Pace(1.0, 0.0, Random(5)), Pace(1.0, 0.0, Random(5))
    assert dues(punctual, [0.0] * 50) == dues(late, [30.0] * 50)


def test_one_who_is_late_does_not_wait_and_one_who_is_early_waits_until_it_is_due() -> None:
    pace = Pace(1.0, 100.0, Random(5))
    assert pace.wait_s(100.0) == pytest.approx(pace.due_s - 100.0)
    assert pace.wait_s(1000.0) == 0
    assert pace.due_s < 200


def test_the_mean_is_as_asked_and_the_gaps_differ() -> None:
    times = dues(Pace(2.0, 0.0, Random(5)), [0.0] * 5000)
    gaps = [after - before for before, after in pairwise(times)]
    assert mean(gaps) == pytest.approx(2.0, rel=0.05)
    assert min(gaps) < 0.1
    assert max(gaps) > 8


def test_a_pause_on_purpose_is_no_lateness() -> None:
    plain, pausing = Pace(1.0, 0.0, Random(5)), Pace(1.0, 0.0, Random(5))
    pausing.pause(3.0)
    assert dues(pausing, [0.0]) == [pytest.approx(dues(plain, [0.0])[0] + 3.0)]
