"""What ``bench calls`` prints."""

from collections.abc import Iterator

from load_tests.bench.calls.pace import Pace
from load_tests.bench.calls.races import Races
from load_tests.bench.calls.schedule import Result
from load_tests.bench.rows import Row, Target

NONE = Target(0, at_most=True)
INCOMING_MS, SET_UP_US = Target(15, at_most=True), Target(700, at_most=True)
HELD = 50_000
HELD_MB = Target(1024, at_most=True)


def race_rows(races: Races) -> Iterator[Row]:
    """Of the races."""
    yield Row("races of 8 devices and a caller who takes it back: wrong", f"of {races.count}", len(races.wrong), NONE)
    for way, count in sorted(races.ways.items()):
        yield Row(f"races: {way}", "", count)


def schedule_rows(result: Result) -> Iterator[Row]:
    """Of the schedules."""
    yield Row("schedules in which nodes die at any step: faults", f"of {result.schedules}", len(result.faults), NONE)
    yield Row("schedules: nodes that died", "", result.deaths)
    yield Row("schedules: calls", "", result.calls)
    for reason, count in sorted(result.ends.items()):
        yield Row(f"schedules: calls that ended as {reason}", "", count)


def pace_rows(busy: Pace, paced: Pace) -> Iterator[Row]:
    """Of the set-ups: one after the other at a steady pace, and as many as come at once."""
    yield Row("invite → incoming across two nodes, p50", "ms", _part(paced, 0.5))
    yield Row("invite → incoming across two nodes, p99", "ms", _part(paced, 0.99), INCOMING_MS)
    yield Row("node CPU of a set-up, both parties, one at a time", "µs", paced.node_cpu_us)
    yield Row("node CPU of a set-up, both parties", "µs", busy.node_cpu_us, SET_UP_US)
    yield Row("set-ups", "a second", busy.set_ups / busy.seconds)


def held_rows(bytes_per_call: float) -> Iterator[Row]:
    """Of calls that go on."""
    yield Row("a call in Redis", "bytes", bytes_per_call)
    yield Row(f"{HELD} calls in Redis", "MB", bytes_per_call * HELD / 2**20, HELD_MB)


def _part(pace: Pace, part: float) -> float:
    return pace.incoming_ms[min(int(len(pace.incoming_ms) * part), len(pace.incoming_ms) - 1)]
