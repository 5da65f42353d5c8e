"""Taking a measurement again, keeping results, and going on from them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from load_tests.bench.errors import CannotMeasure
from load_tests.bench.transport.meter import Taken, Use
from load_tests.bench.transport.results import Results
from load_tests.bench.transport.sessions import least_disturbed

SETTINGS = {"seed": 1}


def in_turn(*taken: Taken) -> Callable[[], Taken]:
    return iter(taken).__next__


def always() -> bool:
    return True


def test_a_run_in_which_the_server_waited_for_its_core_is_taken_again() -> None:
    taken = in_turn(Taken(1, waited=0.3), Taken(2, waited=0.05), Taken(3, waited=0.0))
    assert least_disturbed(taken, limit=0.1, attempts=5, has_time=always).value == 2


def test_after_the_last_attempt_the_one_with_the_shortest_wait_counts() -> None:
    taken = in_turn(Taken(1, waited=0.5), Taken(2, waited=0.2), Taken(3, waited=0.4))
    assert least_disturbed(taken, limit=0.1, attempts=3, has_time=always).value == 2


def test_without_time_nothing_is_taken_again() -> None:
    taken = in_turn(Taken(1, waited=0.5))
    assert least_disturbed(taken, limit=0.1, attempts=5, has_time=lambda: False).value == 1


def test_what_the_host_took_of_the_cores_counts_as_waiting() -> None:
    use = Use(seconds=1.0, run_ns=900, wait_ns=100, beside_ns={}, stolen=0.25)
    assert use.per(1).waited == pytest.approx(0.35)


def test_a_cost_is_cpu_time_for_each_operation_with_what_worked_beside() -> None:
    use = Use(seconds=2.0, run_ns=900_000_000, wait_ns=100_000_000, beside_ns={"Redis": 20_000_000})
    taken = use.per(1000, missing=3)
    assert (taken.value, taken.beside, taken.missing) == (900.0, {"Redis": 20.0}, 3)
    assert (taken.busy, taken.waited) == (0.45, 0.1)


def test_results_are_read_again_from_their_file(tmp_path: Path) -> None:
    path = tmp_path / "results"
    first = Results(path, SETTINGS)
    first.add(1, "node", {"echo": Taken(12.5, 0.01, 0.9, {"Redis": 1.0}), "room-1": Taken(5.75)})
    first.add(2, "node", {"echo": Taken(13.5)})
    again = Results(path, SETTINGS)
    assert again.values("node", "echo") == {1: 12.5, 2: 13.5}
    assert again.taken("node", "echo")[1] == Taken(12.5, 0.01, 0.9, {"Redis": 1.0})
    assert again.has(1, "node", "room-1")
    assert not again.has(2, "node", "room-1")


def test_results_of_other_settings_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "results"
    Results(path, SETTINGS)
    with pytest.raises(CannotMeasure, match="other settings"):
        Results(path, {"seed": 2})
