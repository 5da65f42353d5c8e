"""``sparkle-hub bench transport``: what is measured against whom, and where the report goes."""

import argparse
import contextlib
import dataclasses
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from core_api.accounts.signing_key import load_or_create
from hub import config
from load_tests.bench.cache import cache_folder
from load_tests.bench.ending import exit_code_of
from load_tests.bench.errors import CannotMeasure
from load_tests.bench.machine import machine
from load_tests.bench.options import at_least, some_of
from load_tests.bench.processes import allow_open_files, cores
from load_tests.bench.report import table, write_json
from load_tests.bench.rows import Row
from load_tests.bench.transport.backends import Backends, running_backends
from load_tests.bench.transport.comparison import rows
from load_tests.bench.transport.crowd import Crowd
from load_tests.bench.transport.generator import compile_generator
from load_tests.bench.transport.measure import Runs
from load_tests.bench.transport.plot import draw, need_matplotlib
from load_tests.bench.transport.results import Results
from load_tests.bench.transport.servers import OURS, PEERS, WORK_BESIDE, Hosts, Server, available
from load_tests.bench.transport.versions import versions
from load_tests.bench.transport.workloads import LARGE_ROOM, LONG, ROOM_SIZE, ROWS, SHORT, Plan, Workload, workloads

SPARE_FILES = 500
"""Descriptors that a server and the generator need beside those of the connections."""
NEAREST = ("node", "node-redis", "node-streams")
"""The peers of the short form: Node, as its users would run it for each row."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and report. Returns the exit code: 0; 1 if a row fails ``--gate``; 2 if something cannot be measured."""
    arguments = parser().parse_args(argv)
    return exit_code_of(lambda: _bench(arguments))


def parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(
        prog="sparkle-hub bench transport",
        description="The hub, and its transport alone, side by side with other Socket.IO servers: CPU per operation, "
        "memory, latency. The server has one core to itself; load, Redis and PostgreSQL run on the others.",
    )
    add = parser.add_argument
    add("--json", type=Path, metavar="FILE", help="write machine, versions and rows")
    add("--plot", type=Path, metavar="FILE", help="draw the costs (needs matplotlib)")
    add("--short", action="store_true", help="two minutes: fewer connections, only Node beside the hub")
    add("--gate", action="store_true", help="exit 1 if a row is below 75 %% of its target")
    add("--tries", type=at_least(1), default=1, help="with --gate: measure what fails it again, so often in all")
    add("--rows", type=some_of(ROWS), default=ROWS, metavar="A,B", help=f"of {','.join(ROWS)} (default: all)")
    add(
        "--peers",
        type=some_of(PEERS),
        metavar="A,B",
        help=f"of {','.join(PEERS)} (default: all; with --short {','.join(NEAREST)})",
    )
    add("--forms", type=some_of(OURS), default=OURS, metavar="A,B", help=f"of {','.join(OURS)} (default: both)")
    add("--runs", type=at_least(1), default=3, help="medians are taken over these (default: 3)")
    add("--seed", type=int, default=1, help="of the order of the servers after the first run (default: 1)")
    add("--results", type=Path, metavar="FILE", help="keep every value here, and go on from it when run again")
    add("--cache", type=Path, default=cache_folder(), help="where peers and programs are kept (default: %(default)s)")
    add("--url", type=_loopback, help="measure this running node as the hub; needs --pid, DATABASE_URL and its key")
    add("--pid", type=int, help="the process of that node")
    return parser


def _bench(arguments: argparse.Namespace) -> int:
    plan = SHORT if arguments.short else LONG
    chosen = [workload for workload in workloads(plan) if workload.key in arguments.rows]
    if arguments.url is not None and any(workload.key == "across" for workload in chosen):
        print("--url is one node: without the row `across`", file=sys.stderr)
        chosen = [workload for workload in chosen if workload.key != "across"]
    peers = arguments.peers if arguments.peers is not None else NEAREST if arguments.short else PEERS
    servers = [name for name in (*arguments.forms, *peers) if available(name)]
    for name in set(arguments.forms) - set(servers):
        print(f"this checkout has no {name} form", file=sys.stderr)
    if arguments.plot is not None:
        need_matplotlib()
    if arguments.url is not None:
        _settings_of_running_hub(arguments)
    allow_open_files(max(plan.connections, plan.connections_across, plan.idle_connections) + SPARE_FILES)
    results = Results(arguments.results, {"plan": dataclasses.asdict(plan), "seed": arguments.seed})
    with _hosts(arguments, plan, servers) as hosts:
        report, failures = _measure(arguments, plan, hosts, chosen, servers, results)
    print(table(report))
    if arguments.json is not None:
        write_json(arguments.json, machine(), versions(servers, arguments.cache), report)
    if arguments.plot is not None:
        draw(arguments.plot, results, chosen, servers)
    if failures:
        print(f"sparkle-hub bench: {failures} times a server could not be measured: see above", file=sys.stderr)
        return 2
    return int(arguments.gate and not all(row.passes_gate for row in report))


def _measure(
    arguments: argparse.Namespace,
    plan: Plan,
    hosts: Hosts,
    chosen: Sequence[Workload],
    servers: Sequence[str],
    results: Results,
) -> tuple[list[Row], int]:
    """The report, and how often a server could not be measured in the last try.

    What fails the gate is measured anew, and by itself, as often as there are tries: it is compared with a peer that
    ran seconds before, and a busy neighbour may have come in between.
    """
    program = compile_generator(arguments.cache)
    report: dict[str, list[Row]] = {}
    failures, wanted = 0, chosen
    for attempt in range(arguments.tries if arguments.gate else 1):
        if attempt:
            keys = ", ".join(workload.key for workload in wanted)
            print(f"try {attempt + 1} of {arguments.tries}: {keys}", file=sys.stderr)
            results = Results()
        runs = Runs(hosts, plan, program, wanted, results, arguments.seed)
        runs.run(servers, arguments.runs)
        failures = len(runs.failures)
        report |= {workload.key: rows(results, [workload], servers) for workload in wanted}
        wanted = [workload for workload in wanted if not all(row.passes_gate for row in report[workload.key])]
        if not wanted:
            break
    return [row for workload in chosen for row in report[workload.key]], failures


@contextlib.contextmanager
def _hosts(arguments: argparse.Namespace, plan: Plan, servers: Sequence[str]) -> Iterator[Hosts]:
    """What all of these servers need around them."""
    kept = cores()
    backends: Backends | None = None
    hub: Server | None = None
    with contextlib.ExitStack() as stack:
        if arguments.url is not None:
            hub = stack.enter_context(_running_hub(arguments, plan))
        if any(name in WORK_BESIDE and (name != "hub" or hub is None) for name in servers):
            backends = stack.enter_context(running_backends(kept, people=_people(plan), rooms=_rooms(plan)))
        yield Hosts(kept, arguments.cache, random.Random(arguments.seed), backends, hub)


@contextlib.contextmanager
def _running_hub(arguments: argparse.Namespace, plan: Plan) -> Iterator[Server]:
    """A hub that runs already, with people of ours in its database as long as we are here."""
    settings, database_url = _settings_of_running_hub(arguments)
    with tempfile.TemporaryDirectory(prefix="sparkle-bench-") as folder:
        key = load_or_create(settings.key_file)
        crowd = Crowd(database_url, key, settings.accounts, Path(folder))
        try:
            crowd.insert(_people(plan), _rooms(plan))
            yield Server([arguments.url], [arguments.pid], crowd)
        finally:
            crowd.remove()


def _settings_of_running_hub(arguments: argparse.Namespace) -> tuple[config.Settings, str]:
    """Its settings, from our environment, and the database among them. Raises CannotMeasure if anything is missing."""
    try:
        settings = config.load(config.environment())
    except config.ConfigError as error:
        raise CannotMeasure(f"--url: {error}") from None
    if arguments.pid is None or not Path(f"/proc/{arguments.pid}").exists():
        raise CannotMeasure("--url needs --pid, the process of that node: a cost is its CPU time")
    if settings.database_url is None:
        raise CannotMeasure("--url needs the DATABASE_URL of that hub, to put people into")
    if not settings.key_file.exists():
        raise CannotMeasure(
            f"--url needs the key of that hub, and there is none at {settings.key_file}: "
            "set SPARKLE_DATA or SPARKLE_JWT_KEY_FILE"
        )
    return settings, settings.database_url


def _people(plan: Plan) -> int:
    return max(plan.connections, plan.connections_across, plan.idle_connections, LARGE_ROOM)


def _rooms(plan: Plan) -> int:
    return _people(plan) // ROOM_SIZE


# Values of options


def _loopback(text: str) -> int:
    """The port of a URL on this machine: elsewhere there is no CPU time to read."""
    parts = urlsplit(text)
    if parts.scheme != "http" or parts.hostname not in ("127.0.0.1", "localhost") or parts.port is None:
        raise argparse.ArgumentTypeError("must be http://127.0.0.1:PORT")
    return parts.port
