"""The gate of a bench: what fails it is measured again, by itself, as often as there are tries."""

import argparse
from collections.abc import Sequence
from typing import Any, cast

import pytest

from load_tests.bench.transport import command
from load_tests.bench.transport.meter import Taken
from load_tests.bench.transport.results import Results
from load_tests.bench.transport.workloads import SHORT, Workload, workloads

SERVERS = ("hub", "node")
CHOSEN = [workload for workload in workloads(SHORT) if workload.key in ("room-1", "echo")]


class Machine:
    """Measures what it is told to: the hub's cost of each row in each try, where Node's is 100."""

    def __init__(self, **costs: Sequence[float]) -> None:
        self._costs = {key.replace("_", "-"): list(values) for key, values in costs.items()}
        self.measured: list[list[str]] = []

    def runs(self, *given: Any) -> Any:
        chosen, results = cast("Sequence[Workload]", given[3]), cast("Results", given[4])
        return Try(self, chosen, results)

    def measure(self, chosen: Sequence[Workload], results: Results) -> None:
        self.measured.append([workload.key for workload in chosen])
        for workload in chosen:
            for server, value in (("node", 100.0), ("hub", self._costs[workload.key].pop(0))):
                results.add(1, server, {workload.key: Taken(value, 0.0, 1.0, {}, 0)})


class Try:
    failures = ()

    def __init__(self, machine: Machine, chosen: Sequence[Workload], results: Results) -> None:
        self._machine, self._chosen, self._results = machine, chosen, results

    def run(self, _servers: Sequence[str], _runs: int) -> None:
        self._machine.measure(self._chosen, self._results)


def measure(machine: Machine, monkeypatch: pytest.MonkeyPatch, *, gate: bool = True) -> dict[str, float]:
    """The ratios to Node that are reported, by title."""
    monkeypatch.setattr(command, "Runs", machine.runs)
    monkeypatch.setattr(command, "compile_generator", lambda _cache: None)
    arguments = argparse.Namespace(gate=gate, tries=3, runs=1, seed=1, cache=None)
    report, failures = command._measure(arguments, SHORT, cast("Any", None), CHOSEN, SERVERS, Results())
    assert failures == 0
    return {row.name.partition(":")[0].split(",")[0]: row.value for row in report if row.target is not None}


def test_only_what_fails_is_measured_again_and_its_last_value_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(room_1=[50], echo=[200, 150, 50])
    ratios = measure(machine, monkeypatch)
    assert machine.measured == [["room-1", "echo"], ["echo"], ["echo"]]
    assert sorted(ratios.values()) == [2.0, 2.0]


def test_after_the_last_try_what_fails_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(room_1=[50], echo=[200, 200, 200, 50])
    assert sorted(measure(machine, monkeypatch).values()) == [0.5, 2.0]
    assert len(machine.measured) == 3


def test_without_a_gate_nothing_is_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(room_1=[50], echo=[200, 50])
    assert sorted(measure(machine, monkeypatch, gate=False).values()) == [0.5, 2.0]
