"""From measured values to the rows of ``bench transport``."""

from load_tests.bench.rows import Row, Target
from load_tests.bench.transport.comparison import rows
from load_tests.bench.transport.meter import Taken
from load_tests.bench.transport.results import Results
from load_tests.bench.transport.servers import OURS, PEERS
from load_tests.bench.transport.workloads import SHORT, Workload, workloads

BY_KEY = {workload.key: workload for workload in workloads(SHORT)}


def measured(**values: list[Taken]) -> Results:
    """Results of one row, called ``row`` in the workload of each test: server → a value a run."""
    results = Results()
    for server, taken in values.items():
        for run, one in enumerate(taken, 1):
            results.add(run, server, {"room-1": one, "memory": one, "connect": one})
    return results


def values(*costs: float) -> list[Taken]:
    return [Taken(cost) for cost in costs]


def found(results: Results, workload: Workload, *servers: str) -> dict[str, Row]:
    return {row.name.partition(": ")[2]: row for row in rows(results, [workload], servers)}


def test_a_server_is_shown_with_the_median_of_its_runs() -> None:
    assert found(measured(node=values(3, 9, 4)), BY_KEY["room-1"], "node")["Node ws"].value == 4


def test_a_cost_is_compared_by_how_many_times_the_peer_takes() -> None:
    results = measured(hub=values(4, 4, 4), node=values(8, 6, 5))
    row = found(results, BY_KEY["room-1"], "hub", "node")["hub against Node ws"]
    assert (row.value, row.target) == (1.5, Target(1.35))


def test_memory_is_compared_by_which_part_of_the_peer_is_taken() -> None:
    results = measured(hub=values(4), node=values(20))
    shown = found(results, BY_KEY["memory"], "hub", "node")
    assert (shown["hub against Node ws"].value, shown["hub against Node ws"].target) == (
        0.2,
        Target(0.25, at_most=True),
    )
    assert shown["hub"].target == Target(4, at_most=True)


def test_only_the_form_that_counts_has_a_target() -> None:
    results = measured(hub=values(8), transport=values(2), node=values(4))
    by_hub = found(results, BY_KEY["room-1"], "hub", "transport", "node")
    assert (by_hub["hub against Node ws"].ok, by_hub["transport alone against Node ws"].ok) == (False, None)
    by_transport = found(results, BY_KEY["connect"], "hub", "transport", "node")
    assert (by_transport["hub against Node ws"].ok, by_transport["transport alone against Node ws"].ok) == (None, False)


def test_what_worked_beside_a_server_is_shown_and_not_added() -> None:
    results = measured(hub=[Taken(4, beside={"Redis": 1.0}), Taken(4, beside={"Redis": 3.0}), Taken(4)])
    shown = found(results, BY_KEY["room-1"], "hub")
    assert (shown["hub"].value, shown["hub, Redis beside it"].value) == (4, 1)


def test_a_peer_that_was_not_measured_has_no_row() -> None:
    assert list(found(measured(hub=values(4)), BY_KEY["room-1"], "hub", "node")) == ["hub"]


def test_every_row_of_the_budgets_has_a_target_against_node() -> None:
    for workload in BY_KEY.values():
        assert {"node", "node-redis", "node-streams"} & {one.peer for one in workload.comparisons}, workload.key


def test_nothing_is_compared_with_a_server_that_it_is_not_measured_on() -> None:
    for workload in BY_KEY.values():
        for comparison in workload.comparisons:
            assert workload.is_for(comparison.ours), workload.key
            assert workload.is_for(comparison.peer), workload.key


def test_rows_of_a_cluster_are_for_those_alone_that_are_compared_there() -> None:
    across, kept, room = BY_KEY["across"], BY_KEY["kept"], BY_KEY["room-1"]
    servers = (*OURS, *PEERS)
    assert [name for name in servers if across.is_for(name)] == ["hub", "node-redis", "stock-redis"]
    assert [name for name in servers if kept.is_for(name)] == ["hub", "node-streams"]
    assert not {"node-streams", "stock-redis"} & {name for name in servers if room.is_for(name)}
