"""Locust over our user classes, in a process of its own: it changes the standard library of the process it runs in."""

import csv
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.programs import PROJECT, running
from tests.support.wait import until_sync

RUN_S = 60.0
"""Longer than any run takes until it has seen what it is to see. On an idle machine that is 3 s."""
END_S = 30.0
"""For what users wait for at the end."""
ROW = re.compile(r"^(?P<kind>\w+) +(?P<name>\S.*?) +(?P<count>\d+) +(?P<failed>\d+)\(", re.MULTILINE)
"""In the table that is printed every two seconds."""


@dataclass(frozen=True)
class Count:
    """Samples of one kind and name."""

    all: int
    failed: int


Counts = Mapping[tuple[str, str], Count]


@dataclass(frozen=True)
class LocustRun:
    """What a run has reported."""

    exit_code: int
    output: str
    counts: Counts
    failures: set[tuple[str, str, str]]
    """Kind, name and error."""


def run_locust(
    url: str,
    folder: Path,
    users: Mapping[str, int],
    *options: str,
    until: Callable[[Counts], bool] = lambda _: False,
) -> LocustRun:
    """Run so many users of each class headless, until the counts are as wanted or the run has ended by itself.

    Raises AssertionError, with the output, if neither comes in time. The CSV files are left in ``folder``.
    """
    classes = [{"user_class_name": name, "fixed_count": count} for name, count in users.items()]
    total, prefix = str(sum(users.values())), str(folder / "run")
    command = [sys.executable, "-m", "locust", "-f", str(PROJECT / "load_tests" / "locustfile.py"), "--headless"]
    counted = ["--config-users", json.dumps(classes), "-u", total, "-r", total, "--csv", prefix]
    with running([*command, "--host", url, *counted, *options], uid=None) as program:
        try:
            until_sync(lambda: program.popen.poll() is not None or until(_printed(program.output)), RUN_S)
            program.send(signal.SIGTERM)
            exit_code = program.end(END_S)
        except (AssertionError, subprocess.TimeoutExpired) as error:
            raise AssertionError(f"{error}\n{program.output}") from None
    counts = {
        (row["Type"], row["Name"]): Count(int(row["Request Count"]), int(row["Failure Count"]))
        for row in _rows(folder / "run_stats.csv")
    }
    failures = {(row["Method"], row["Name"], row["Error"]) for row in _rows(folder / "run_failures.csv")}
    return LocustRun(exit_code, program.output, counts, failures)


def _printed(output: str) -> Counts:
    rows = (match.groupdict() for match in ROW.finditer(output))
    return {(row["kind"], row["name"]): Count(int(row["count"]), int(row["failed"])) for row in rows}


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
