"""Numbered messages of one sender come in order, each once; anything else has a name."""

import pytest

from load_tests.measures.faults import Disordered, Repeated
from load_tests.measures.order import Order


def faults(*numbers: int) -> list[type[Exception] | None]:
    order = Order()
    found = [order.check("ada", number) for number in numbers]
    return [None if fault is None else type(fault) for fault in found]


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ((1, 2, 3), [None, None, None]),
        ((7, 8), [None, None]),  # joined late
        ((1, 4, 5), [None, None, None]),  # missing is not disordered
        ((1, 3, 2), [None, None, Disordered]),
        ((1, 5, 3, 2, 4), [None, None, Disordered, Disordered, Disordered]),
        ((2, 1, 3), [None, Disordered, None]),
        ((5, 2, 3), [None, Disordered, Disordered]),
        ((1, 1), [None, Repeated]),
        ((1, 2, 3, 2), [None, None, None, Repeated]),
        ((1, 3, 2, 2), [None, None, Disordered, Repeated]),
        ((2, 1, 1), [None, Disordered, Repeated]),
    ],
)
def test_the_fault_of_each_message(numbers: tuple[int, ...], expected: list[type[Exception] | None]) -> None:
    assert faults(*numbers) == expected


def test_senders_are_apart() -> None:
    order = Order()
    assert [order.check(sender, number) for sender, number in (("a", 2), ("b", 1), ("a", 3), ("b", 2))] == [None] * 4
