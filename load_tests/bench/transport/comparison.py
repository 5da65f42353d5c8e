"""From values to rows: medians, ratios to the peers, and their targets. No I/O."""

import statistics
from collections.abc import Collection, Iterator, Sequence

from load_tests.bench.rows import Row, Target, median_ratio
from load_tests.bench.transport.results import Results
from load_tests.bench.transport.servers import NAMES, OURS
from load_tests.bench.transport.workloads import Workload


def rows(results: Results, chosen: Sequence[Workload], servers: Collection[str]) -> list[Row]:
    """For each workload: the value of every server, what worked beside it, and the ratios."""
    return [
        row
        for workload in chosen
        for part in (_values(results, workload, servers), _ratios(results, workload, servers))
        for row in part
    ]


def _values(results: Results, workload: Workload, servers: Collection[str]) -> Iterator[Row]:
    for server in servers:
        taken = results.taken(server, workload.key)
        if not taken:
            continue
        title = f"{workload.title}: {NAMES[server]}"
        most = workload.most if server == "hub" else None
        yield Row(title, workload.unit, statistics.median(one.value for one in taken.values()), most)
        for what in sorted({what for one in taken.values() for what in one.beside}):
            yield Row(
                f"{title}, {what} beside it",
                workload.unit,
                statistics.median(one.beside.get(what, 0.0) for one in taken.values()),
            )


def _ratios(results: Results, workload: Workload, servers: Collection[str]) -> Iterator[Row]:
    for comparison in workload.comparisons:
        # The form that counts first, the other one beside it, without a target.
        for ours in sorted(set(OURS).intersection(servers), key=lambda form: form != comparison.ours):
            target: Target | None = comparison.target if ours == comparison.ours else None
            mine = results.values(ours, workload.key)
            theirs = results.values(comparison.peer, workload.key)
            pair = (mine, theirs) if comparison.target.at_most else (theirs, mine)
            if (ratio := median_ratio(*pair)) is not None:
                against = f"{NAMES[ours]} against {NAMES[comparison.peer]}"
                yield Row(f"{workload.title}: {against}", "x", ratio, target)
