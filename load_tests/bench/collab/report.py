"""What ``bench collab`` prints."""

from collections.abc import Iterator, Sequence

from load_tests.bench.collab.large import Large
from load_tests.bench.collab.pace import FAN_OUT, FAST_FAN_OUT, HUB, MANY, TOGETHER_ONE, TOGETHER_THREE, Paced
from load_tests.bench.collab.trial import Trial
from load_tests.bench.rows import Row, Target

SHOWN = 10
ACK_P99_MS, FAST_P99_MS = Target(10, at_most=True), Target(20, at_most=True)
SLOW_DISK_MS, SLOW_DISK_ACK_P99_MS = 5.0, Target(25, at_most=True)
"""A disk that takes so long by itself, and what can be asked of it then."""
UPDATE_US, BESIDE_HOCUSPOCUS = Target(45, at_most=True), Target(0.6, at_most=True)
ONE_MESSAGE, TOGETHER = Target(1, at_most=True), Target(2, at_most=True)
HOT_MS, COLD_MS, HELD_MB = Target(3, at_most=True), Target(20, at_most=True), Target(1.5, at_most=True)


def pace_rows(measured: Sequence[Paced], large: Large | None) -> list[Row]:
    """The rows of a run in which nothing is killed: of what was measured, and of what can be compared."""
    rows = [row for one in measured for row in _of_shape(one)]
    by = {(one.server, one.shape.name): one for one in measured}
    hub, hocuspocus = by.get((HUB, FAN_OUT.name)), by.get(("hocuspocus", FAN_OUT.name))
    if hub and hocuspocus:
        beside = hub.cpu_us / hocuspocus.cpu_us
        rows.append(Row("hub, CPU beside Hocuspocus', which stores nothing", "times", beside, BESIDE_HOCUSPOCUS))
    three, alone = by.get((HUB, TOGETHER_THREE.name)), by.get((HUB, TOGETHER_ONE.name))
    if three and alone:
        beside = three.typed.ack_p99 / alone.typed.ack_p99
        rows.append(Row("ack p99 of three nodes beside that of one", "times", beside, TOGETHER))
    return rows if large is None else [*rows, *_of_large(large)]


def _of_large(large: Large) -> list[Row]:
    name = "260,000 edits"
    return [
        Row(f"{name}: join, cold", "ms", large.cold_ms, COLD_MS),
        Row(f"{name}: join, cold, CPU of the node", "ms", large.cold_cpu_ms),
        Row(f"{name}: join, hot", "ms", large.hot_ms, HOT_MS),
        Row(f"{name}: join, hot, up to date", "ms", large.up_to_date_ms),
        Row(f"{name}: held", "MB", large.held_mb, HELD_MB),
        Row(f"{name}: compaction of 500 updates, in a process of its own", "ms", large.fold_ms),
    ]


def _of_shape(one: Paced) -> Iterator[Row]:
    name, typed = f"{one.server}, {one.shape.name}", one.typed
    is_hub = one.server == HUB
    yield Row(f"{name}: CPU an update", "µs", one.cpu_us, UPDATE_US if is_hub and one.shape is FAN_OUT else None)
    if is_hub:
        yield Row(f"{name}: PostgreSQL's", "µs", one.postgres_us)
        yield Row(f"{name}: messages through Redis an update", "", one.published, ONE_MESSAGE)
    if one.shape is MANY and is_hub:
        yield Row(f"{name}: the disk's own fdatasync p99", "ms", one.flush_p99_ms)
    target = ACK_P99_MS if one.flush_p99_ms <= SLOW_DISK_MS else SLOW_DISK_ACK_P99_MS
    yield Row(f"{name}: ack p50", "ms", typed.ack_p50)
    yield Row(f"{name}: ack p99", "ms", typed.ack_p99, target if is_hub and one.shape is MANY else None)
    if typed.read:
        yield Row(
            f"{name}: read p99", "ms", typed.read_p99, FAST_P99_MS if is_hub and one.shape is FAST_FAN_OUT else None
        )
    if typed.acknowledged < typed.sent:
        yield Row(f"{name}: not acknowledged in time", "updates", typed.sent - typed.acknowledged)


def kill_rows(trial: Trial, *, control: bool) -> list[Row]:
    """The rows of a run with kills."""
    return list(_kill_rows(trial, control))


def _kill_rows(trial: Trial, control: bool) -> Iterator[Row]:
    for what, count in sorted(trial.kills.items()):
        yield Row(f"killed: {what}", "processes", count)
    verdict, none = trial.verdict, None if control else Target(0, at_most=True)
    for kind, count in sorted(trial.kinds.items()):
        yield Row(f"acknowledged: {kind}", "changes", count)
    yield Row("acknowledged and missing", "", len(verdict.missing), none)
    yield Row("copies unlike what is stored", "", len(verdict.unlike), none)
    yield Row("tracebacks in the nodes' logs", "", len(trial.tracebacks))
    yield Row("time", "s", trial.seconds)


def show(trial: Trial) -> str:
    """The findings, as many as fit on a screen."""
    verdict = trial.verdict
    lines = [f"missing: {what}" for what in verdict.missing[:SHOWN]]
    lines += [f"unlike: {what}" for what in verdict.unlike[:SHOWN]]
    lines += [] if trial.settled else ["not everybody had an acknowledgement for everything at the end"]
    return "\n".join(["", *lines, *trial.tracebacks[:SHOWN]])
