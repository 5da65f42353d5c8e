"""Taking a measurement again, keeping results, and going on from them."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from load_tests.bench.errors import CannotMeasure
from load_tests.bench.processes import Cpu, busy_s, kept_on
from load_tests.bench.transport import meter
from load_tests.bench.transport.meter import Meter, Taken, Use
from load_tests.bench.transport.results import Results
from load_tests.bench.transport.servers import Server
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


class Shared:
    """A core that two nodes share: what each of them ran and waited, and what was used of the core in all."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.nodes = {1: Cpu(0, 0), 2: Cpu(0, 0)}
        self.used_s = 0.0
        monkeypatch.setattr(meter, "cpu_of", lambda pid: self.nodes[pid])
        monkeypatch.setattr(meter, "busy_s", lambda _: self.used_s)
        monkeypatch.setattr(meter, "stolen_s", lambda: 0.0)
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})


def test_the_cost_of_a_cluster_is_that_of_all_its_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    core = Shared(monkeypatch)
    reading = Meter(Server([1, 2], [1, 2]))
    core.nodes = {1: Cpu(300_000_000, 600_000_000), 2: Cpu(600_000_000, 300_000_000)}
    core.used_s = 0.9
    taken = reading.read().per(1000)
    assert taken.value == 900.0
    assert taken.waited == 0.0  # they waited for each other, and for nobody else


def test_what_others_use_of_the_core_of_a_cluster_counts_as_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    core = Shared(monkeypatch)
    reading = Meter(Server([1, 2], [1, 2]))
    core.nodes = {1: Cpu(300_000_000, 0), 2: Cpu(300_000_000, 0)}
    core.used_s = 0.8
    assert reading.read().per(1000).waited == pytest.approx(0.25)


def test_what_is_used_of_a_core_is_counted_whoever_uses_it() -> None:
    core = min(os.sched_getaffinity(0))
    with kept_on({core}):
        before, own_ns = busy_s([core]), time.thread_time_ns()
        while time.thread_time_ns() - own_ns < 300_000_000:
            pass
        assert busy_s([core]) - before >= 0.2  # in ticks of 10 ms


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
