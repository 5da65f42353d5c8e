"""The costs as bars, one panel a workload."""

import statistics
from collections.abc import Collection, Sequence
from importlib.util import find_spec
from pathlib import Path

from load_tests.bench.errors import CannotMeasure
from load_tests.bench.report import three_digits
from load_tests.bench.transport.results import Results
from load_tests.bench.transport.servers import NAMES, OURS
from load_tests.bench.transport.workloads import Workload

COLUMNS = 3
OUR_COLOUR, PEER_COLOUR = "#c2410c", "#94a3b8"


def need_matplotlib() -> None:
    """Raise CannotMeasure without it, before a bench of many minutes."""
    if find_spec("matplotlib") is None:
        raise CannotMeasure("--plot needs matplotlib, which `./sparkle test --version` installs with the test packages")


def draw(path: Path, results: Results, chosen: Sequence[Workload], servers: Collection[str]) -> None:
    """Write a picture in the format of the path's ending. Shorter bars are better in all panels."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - takes half a second, and few want it

    lines = -(-len(chosen) // COLUMNS)
    figure = Figure(figsize=(5 * COLUMNS, 2.6 * lines), layout="constrained")
    for number, workload in enumerate(chosen, 1):
        medians = {
            server: statistics.median(values.values())
            for server in servers
            if (values := results.values(server, workload.key))
        }
        axes = figure.add_subplot(lines, COLUMNS, number)
        bars = axes.barh(
            [NAMES[server] for server in medians],
            list(medians.values()),
            color=[OUR_COLOUR if server in OURS else PEER_COLOUR for server in medians],
        )
        axes.bar_label(bars, labels=[three_digits(value) for value in medians.values()], padding=3, fontsize=8)
        axes.invert_yaxis()
        axes.margins(x=0.15)
        axes.set_title(workload.title, fontsize=9)
        axes.set_xlabel(workload.unit, fontsize=8)
        axes.tick_params(labelsize=8)
    figure.savefig(path, dpi=120)
