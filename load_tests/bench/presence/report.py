"""From a verdict and what was measured to rows, and the part of a history that shows a finding. No I/O."""

from collections.abc import Iterator, Mapping, Sequence

from load_tests.bench.cluster.recovery_times import quantile
from load_tests.bench.presence.checker import Finding, Verdict, Wrong
from load_tests.bench.presence.history import AnyRecord, Fault, Seen, Still, Unwatching, Watching, write_line
from load_tests.bench.presence.pace import Pace
from load_tests.bench.presence.store_cost import StoreCost
from load_tests.bench.rows import Row, Target

NONE = Target(0, at_most=True)
OFFLINE_MS = Target(8_000, at_most=True)
READ_MS = Target(3, at_most=True)
BYTES = Target(1024, at_most=True)
SEEN_MS = {True: Target(300, at_most=True), False: Target(20, at_most=True)}
"""Update to diff: with coalescing, and without."""
JUDGED = ("node killed", "node stopped")
"""Whose times have a target; others were held first, or waited for Redis."""
LONGEST = 40


def verdict_rows(verdict: Verdict) -> Iterator[Row]:
    """What the checker says."""
    for what, count in sorted(verdict.counts.items()):
        yield Row(what, "", count)
    for wrong in Wrong:
        yield Row(wrong.value, "", verdict.wrong[wrong], NONE)
    for why, times in sorted(verdict.gone_ms.items()):
        ordered = sorted(times)
        target = OFFLINE_MS if why in JUDGED else None
        yield Row(f"{why}, shown as gone: p50", "ms", quantile(ordered, 0.5))
        yield Row(f"{why}, shown as gone: last of {len(ordered)}", "ms", ordered[-1], target)


def flap_row(history: Sequence[AnyRecord]) -> Iterator[Row]:
    """What watchers saw of people while they came and went, each time within the hold."""
    seen, what = 0, ""
    for record in history:
        if isinstance(record, Fault) and record.kind == "flapping" and not record.over:
            seen, what = 0, record.what
        elif isinstance(record, Seen) and record.told:
            seen += 1
        elif isinstance(record, Still) and what:  # by then every hold has run out
            yield Row(f"flapping, {what}, transitions that were visible", "", seen, NONE)
            what = ""


def pace_rows(pace: Pace) -> Iterator[Row]:
    """From a change to those who watch."""
    how = f"coalesced over {pace.coalesce_ms:.0f} ms" if pace.coalesce_ms else "not coalesced"
    yield Row(f"update, watcher's diff on other nodes, {how}: p50", "ms", quantile(pace.seen_ms, 0.5))
    target = SEEN_MS[pace.coalesce_ms > 0]
    yield Row(f"update, watcher's diff on other nodes, {how}: p99", "ms", quantile(pace.seen_ms, 0.99), target)


def store_rows(cost: StoreCost, at_once: int) -> Iterator[Row]:
    """What Redis and its readers have to do."""
    yield Row(f"bulk read of {at_once}, {cost.users} online: p50", "ms", quantile(cost.read_ms, 0.5), READ_MS)
    yield Row(f"bulk read of {at_once}, {cost.users} online: p99", "ms", quantile(cost.read_ms, 0.99))
    yield Row("Redis memory for each online user", "bytes", cost.bytes_per_user, BYTES)


def excerpt(history: Sequence[AnyRecord], finding: Finding) -> list[str]:
    """What is known of the person, what the watcher saw, and the faults; the lines next to the finding."""
    chosen = [line for line, record in enumerate(history) if _is_about(record, finding)]
    near = sorted(chosen, key=lambda line: abs(history[line].t - finding.at_ms))[:LONGEST]
    return [f"{line}: {write_line(history[line]).decode().rstrip()}" for line in sorted(near)]


def _is_about(record: AnyRecord, finding: Finding) -> bool:
    match record:
        case Fault():
            return True
        case Watching(w=watcher) | Unwatching(w=watcher):
            return watcher == finding.watcher
        case Seen(w=watcher, p=person):
            return (watcher, person) == (finding.watcher, finding.person)
        case _:
            return getattr(record, "p", None) == finding.person


def to_json(verdict: Verdict) -> Mapping[str, object]:
    """The verdict for the file of ``--json``."""
    return {
        "counts": dict(verdict.counts),
        "findings": [
            {"wrong": one.wrong.value, "watcher": one.watcher, "person": one.person, "at_ms": one.at_ms}
            for one in verdict.findings
        ],
    }
