"""Targets, what is ok, what fails the gate, and ratios."""

import pytest

from load_tests.bench.rows import Row, Target, median_ratio

AT_LEAST_10 = Target(10)
AT_MOST_10 = Target(10, at_most=True)


def row(value: float, target: Target | None) -> Row:
    return Row("a row", "x", value, target)


@pytest.mark.parametrize(
    ("value", "target", "ok"),
    [
        (10, AT_LEAST_10, True),
        (25, AT_LEAST_10, True),
        (9.01, AT_LEAST_10, True),
        (8.99, AT_LEAST_10, False),
        (10, AT_MOST_10, True),
        (2, AT_MOST_10, True),
        (11.1, AT_MOST_10, True),
        (11.2, AT_MOST_10, False),
        (0, AT_MOST_10, True),
    ],
)
def test_a_row_is_ok_within_ten_percent_of_its_target(value: float, target: Target, ok: bool) -> None:
    assert row(value, target).ok is ok


@pytest.mark.parametrize(
    ("value", "target", "passes"),
    [
        (7.51, AT_LEAST_10, True),
        (7.49, AT_LEAST_10, False),
        (13.3, AT_MOST_10, True),
        (13.4, AT_MOST_10, False),
        (-1, None, True),
    ],
)
def test_the_gate_is_three_quarters_of_the_target(value: float, target: Target | None, passes: bool) -> None:
    assert row(value, target).passes_gate is passes


def test_a_row_without_a_target_is_neither_ok_nor_missed() -> None:
    assert row(1, None).ok is None


def test_a_row_is_written_as_the_budgets_say() -> None:
    assert row(8, AT_LEAST_10).to_json() == {"name": "a row", "unit": "x", "value": 8, "target": 10, "ok": False}
    assert row(8, None).to_json() == {"name": "a row", "unit": "x", "value": 8, "target": None, "ok": None}


def test_a_ratio_is_the_median_of_the_ratios_of_each_run() -> None:
    peer, ours = {1: 10.0, 2: 40.0, 3: 12.0}, {1: 5.0, 2: 10.0, 3: 4.0}
    assert median_ratio(peer, ours) == 3.0  # of 2, 4, 3; the medians alone would give 2.4


def test_a_ratio_takes_only_runs_in_which_both_were_measured() -> None:
    assert median_ratio({1: 10.0, 2: 99.0}, {1: 5.0, 3: 1.0}) == 2.0
    assert median_ratio({1: 10.0}, {2: 5.0}) is None
