"""load_tests.fuzz_collab: its short form, and that it finds what it looks for."""

import time

import pytest

from collab.document import Document
from load_tests.fuzz import collab_targets
from load_tests.fuzz.collab_targets import targets
from load_tests.fuzz.run import Finding, fuzz
from load_tests.fuzz.targets import Target

INPUTS = {"updates": 1_500, "shapes": 3_000, "state vectors": 2_000, "awareness": 2_000}
OUTCOMES = {
    "updates": {"taken", "refused", "gapped"},
    "shapes": {"taken", "refused", "gapped"},
    "state vectors": {"taken", "refused"},
    "awareness": {"taken", "refused"},
}
"""Each has to come about: otherwise the inputs are too wild, or too tame, to say anything."""


def by_name(name: str) -> Target:
    return next(target for target in targets() if target.name == name)


@pytest.fixture(scope="module")
def made() -> dict[str, Target]:
    """Every target. Made by the worker that tests them, and not by each that collects."""
    return {target.name: target for target in targets()}


@pytest.mark.parametrize("name", INPUTS)
def test_no_input_breaks_a_promise_and_every_outcome_comes_about(made: dict[str, Target], name: str) -> None:
    assert made.keys() == INPUTS.keys()
    report = fuzz(made[name], INPUTS[name], seed=1)
    assert report.outcomes.total() == INPUTS[name]
    assert OUTCOMES[name] <= set(report.outcomes)


def test_a_stall_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    give = Document._give

    def slow(document: Document, data: bytes) -> None:
        end = time.thread_time() + collab_targets.LONGEST_S
        while time.thread_time() < end:
            """Yrs takes its time."""
        give(document, data)

    target = by_name("updates")
    monkeypatch.setattr(Document, "_give", slow)
    with pytest.raises(Finding, match="a step takes"):
        fuzz(target, 1_000, seed=1)


def test_content_that_gets_lost_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Document, "_give", lambda _document, _data: None)
    with pytest.raises(Finding, match="nothing pending"):
        fuzz(by_name("updates"), 1_000, seed=1)
