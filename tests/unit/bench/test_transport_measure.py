"""In which order servers are measured, what is left out, and what becomes of one that fails."""

import contextlib
import dataclasses
import itertools
import random
from collections.abc import Iterator, Set
from pathlib import Path
from unittest.mock import Mock

import pytest

from load_tests.bench.errors import CannotMeasure
from load_tests.bench.processes import Cores
from load_tests.bench.transport.measure import Runs
from load_tests.bench.transport.meter import Taken
from load_tests.bench.transport.results import Results
from load_tests.bench.transport.servers import Hosts, Server
from load_tests.bench.transport.sessions import Sessions
from load_tests.bench.transport.workloads import LONG, SHORT, Plan, workloads

SERVERS = ("hub", "transport", "stock", "node")


class Measured:
    """Stands in for the measuring itself: every value is 4, and servers named ``fails`` fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, fails: str = "") -> None:
        self.asked: list[tuple[str, Set[str]]] = []

        def taken(_: Runs, name: str, wanted: Set[str]) -> dict[str, Taken]:
            self.asked.append((name, wanted))
            if name == fails:
                raise CannotMeasure(f"{name} is broken")
            return {key: Taken(4.0) for key in wanted}

        monkeypatch.setattr(Runs, "_measure", taken)

    @property
    def order(self) -> list[str]:
        return [name for name, _ in self.asked]


def runs(plan: Plan, *rows: str, results: Results | None = None) -> Runs:
    hosts = Hosts(Cores(0, frozenset({0})), Path("nowhere"), random.Random(1), None)
    chosen = [workload for workload in workloads(plan) if workload.key in rows]
    return Runs(hosts, plan, Path("nothing"), chosen, results or Results(), seed=1)


def test_every_server_takes_its_turn_in_every_run_and_node_is_first(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = Measured(monkeypatch)
    runs(LONG, "echo").run(SERVERS, 3)
    assert measured.order[0] == "node"
    assert [sorted(measured.order[start : start + 4]) for start in (0, 4, 8)] == [sorted(SERVERS)] * 3


def test_what_the_results_have_is_not_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    measured, results = Measured(monkeypatch), Results()
    results.add(1, "stock", {"echo": Taken(40.0)})
    runs(LONG, "echo", "rooms", results=results).run(["stock"], 2)
    assert measured.asked == [("stock", {"rooms"}), ("stock", {"echo", "rooms"})]
    assert results.values("stock", "echo") == {1: 40.0, 2: 4.0}


def test_a_server_that_fails_does_not_keep_the_others_from_being_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    measured, results = Measured(monkeypatch, fails="stock"), Results()
    failing = runs(LONG, "echo", results=results)
    failing.run(SERVERS, 1)
    assert sorted(measured.order) == sorted(SERVERS)
    assert failing.failures == ["run 1: stock is broken"]
    assert (results.values("stock", "echo"), results.values("hub", "echo")) == ({}, {1: 4.0})


def test_the_short_form_measures_of_ours_only_what_has_a_target(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = Measured(monkeypatch)
    runs(SHORT, "echo", "connect").run(("hub", "transport"), 1)
    runs(LONG, "echo", "connect").run(("hub", "transport"), 1)
    both = {"connect", "echo"}
    assert measured.asked == [("hub", {"echo"}), ("transport", {"connect"}), ("hub", both), ("transport", both)]


def test_the_short_form_measures_a_peer_only_for_what_it_is_compared_in(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = Measured(monkeypatch)
    runs(SHORT, "room-1", "across", "kept").run(("hub", "node", "node-redis", "node-streams"), 1)
    assert dict(measured.asked) == {
        "hub": {"room-1", "across", "kept"},
        "node": {"room-1"},
        "node-redis": {"across"},
        "node-streams": {"kept"},
    }


def test_the_row_across_redis_is_measured_on_two_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[str, int]] = []

    @contextlib.contextmanager
    def running(_: Hosts, name: str, *, nodes: int = 1) -> Iterator[Server]:
        started.append((name, nodes))
        yield Server([1] * nodes, [1] * nodes)

    monkeypatch.setattr(Hosts, "running", running)
    monkeypatch.setattr(Sessions, "across", lambda _: {"across": Taken(1.0)})
    monkeypatch.setattr(Sessions, "kept", lambda _: {"kept": Taken(1.0)})
    runs(SHORT, "across", "kept").run(("hub", "node-redis"), 1)
    assert started == [("hub", 2), ("hub", 1), ("node-redis", 2)]


def test_latency_needs_nodes_maximum_even_if_nobody_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = Measured(monkeypatch)
    runs(LONG, "p99").run(("hub", "node"), 1)
    assert measured.asked == [("node", {"p99", "room-1"}), ("hub", {"p99"})]


def test_the_rate_is_half_of_what_node_managed_in_its_first_run() -> None:
    results = Results()
    for run, cost_us in enumerate((5.0, 9.0), 1):
        results.add(run, "node", {"room-1": Taken(cost_us)})
    # 5 µs a delivery are 200,000 deliveries and 200 broadcasts to 1000 a second.
    assert runs(LONG, "p99", results=results)._half_rate("hub", {"room-1": Taken(1.0)}) == 100.0
    assert runs(LONG, "p99")._half_rate("node", {"room-1": Taken(5.0)}) == 100.0
    assert runs(LONG, "p99")._half_rate("hub", {"room-1": Taken(5.0)}) is None


def test_no_run_is_begun_that_would_end_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = Measured(monkeypatch)
    clock = itertools.count(0.0, 50.0)  # each look at it is 50 s later
    monkeypatch.setattr("load_tests.bench.transport.measure.time", Mock(monotonic=lambda: next(clock)))
    runs(dataclasses.replace(LONG, limit_s=100.0), "echo").run(["node"], 3)
    assert measured.order == ["node"]
