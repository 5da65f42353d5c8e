"""hub.cluster.operations: what is named of a broadcast is bounded, and what is counted is right."""

import pytest

from hub.cluster import operations
from hub.cluster.operations import bounded
from hub.kernel.operations import Acknowledged


def answers(count: int, text: str = "yes") -> list[Acknowledged]:
    return [Acknowledged(connection_id=str(number), node_id="one", answer=[text]) for number in range(count)]


def test_what_fits_is_named_whole() -> None:
    outcome = bounded(answers(3), ["x"], answered=3, members=4, missing_nodes=["two"])
    assert (len(outcome.answers), outcome.silent, outcome.truncated) == (3, ["x"], False)
    assert outcome.missing_nodes == ["two"]


@pytest.mark.parametrize(
    ("answered", "silent"), [(4, 0), (0, 4)], ids=["more answers than are named", "more silent ones than are named"]
)
def test_of_too_many_some_are_named_all_are_counted_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch, answered: int, silent: int
) -> None:
    monkeypatch.setattr(operations, "MAX_LISTED", 3)
    outcome = bounded(answers(answered), ["x"] * silent, answered=answered, members=4)
    assert len(outcome.answers) + len(outcome.silent) == 3
    assert (outcome.answered, outcome.members, outcome.truncated) == (answered, 4, True)


def test_answers_that_are_long_together_are_cut_where_they_would_be_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "MAX_ANSWERS_BYTES", 1000)
    outcome = bounded(answers(10, "a" * 300), [], answered=10, members=10)
    assert (len(outcome.answers), outcome.truncated) == (2, True)


def test_what_a_node_has_cut_already_stays_said() -> None:
    outcome = bounded(answers(2), ["x"], answered=5, members=9)
    assert outcome.truncated
