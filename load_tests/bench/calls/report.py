"""What ``bench calls`` prints."""

from collections.abc import Iterator, Sequence

from load_tests.bench.calls.kills import Kills
from load_tests.bench.calls.pace import Pace
from load_tests.bench.calls.races import Races
from load_tests.bench.calls.schedule import Result
from load_tests.bench.rows import Row, Target

NONE = Target(0, at_most=True)
INCOMING_MS, SET_UP_US = Target(15, at_most=True), Target(700, at_most=True)
RESUMED_S = Target(2, at_most=True)
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
    for what, count in sorted(result.killed_in.items()):
        yield Row(f"schedules: nodes that died over {what}", "", count)
    yield Row("schedules: calls", "", result.calls)
    for reason, count in sorted(result.ends.items()):
        yield Row(f"schedules: calls that ended as {reason}", "", count)


def kill_rows(kills: Kills) -> Iterator[Row]:
    """Of the calls whose nodes were killed."""
    resumed = sorted(kills.resumed_s)
    yield Row("calls over killed nodes: faults", f"of {kills.schedules}", len(kills.faults), NONE)
    yield Row("calls over killed nodes: SIGKILLs", "", kills.kills)
    for state, count in sorted(kills.states.items()):
        yield Row(f"calls over killed nodes: {state}", "", count)
    for reason, count in sorted(kills.ends.items()):
        yield Row(f"calls over killed nodes: ended as {reason}", "", count)
    yield Row("devices that lost their connection", "", kills.offline)
    yield Row("devices that came back to a call", "", len(resumed))
    yield Row("reconnect → state of the calls known, p50", "s", _place(resumed, 0.5))
    yield Row("reconnect → state of the calls known, longest", "s", _place(resumed, 1.0), RESUMED_S)


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
    return _place(pace.incoming_ms, part)


def _place(values: Sequence[float], part: float) -> float:
    return values[min(int(len(values) * part), len(values) - 1)] if values else 0.0
