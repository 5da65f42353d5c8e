"""From a verdict and what was measured to rows, and the part of a history that shows a finding. No I/O."""

from collections.abc import Iterator, Mapping, Sequence

from load_tests.bench.cluster.checker import Finding, Verdict, Wrong
from load_tests.bench.cluster.cost import Cost
from load_tests.bench.cluster.half_load import HalfLoad
from load_tests.bench.cluster.history import AnyRecord, Fault, Got, OfClient, write_line
from load_tests.bench.cluster.pace import Pace
from load_tests.bench.cluster.recovery_times import Absence, by_fault, quantile
from load_tests.bench.cluster.storm import Storm
from load_tests.bench.rows import Row, Target

NONE = Target(0, at_most=True)
KILLED_P50_MS, KILLED_P99_MS = Target(1500, at_most=True), Target(4000, at_most=True)
DELIVERED_P99_MS = Target(5, at_most=True)
ONE_MESSAGE = Target(1, at_most=True)
KEEPING = {10: Target(1.5, at_most=True), 1000: Target(1.1, at_most=True)}
"""Kept against ephemeral, in rooms of a size."""
AROUND = 12
"""Records of an excerpt before and after each that is about an event in question."""
LONGEST = 60


def holds(storm: Storm, verdict: Verdict) -> bool:
    """Whether the cluster has kept its promise: nothing was found, and everybody came to rest again."""
    return not verdict.findings and storm.settled and not storm.tracebacks


def storm_rows(storm: Storm, verdict: Verdict) -> Iterator[Row]:
    """What was done, and what the checker says about it."""
    for kind, count in sorted(storm.done.items()):
        yield Row(f"faults: {kind}", "", count)
    if storm.in_vain:
        yield Row("faults that found nothing to break", "", sum(storm.in_vain.values()))
    yield Row("faults", "", sum(storm.done.values()))
    for what in ("published", "received", "stretches", "recovered", "told"):
        yield Row(what, "", verdict.counts[what])
    for what in sorted(verdict.counts.keys() - {"published", "received", "stretches", "recovered", "told"}):
        yield Row(f"  {what}", "", verdict.counts[what])
    for wrong in Wrong:
        yield Row(wrong.value, "", verdict.wrong[wrong], NONE)
    yield Row("clients that did not come to rest at the end", "", float(not storm.settled), NONE)
    yield Row("tracebacks in the nodes' logs", "", len(storm.tracebacks), NONE)


def time_rows(absences: Sequence[Absence]) -> Iterator[Row]:
    """How long clients were away, after each kind of fault, without their own delays."""
    killed = sorted(one.server_ms for one in absences if one.fault == "kill node")
    if killed:
        yield Row("node killed, connected again: p50", "ms", quantile(killed, 0.5), KILLED_P50_MS)
        yield Row("node killed, connected again: p99", "ms", quantile(killed, 0.99), KILLED_P99_MS)
    for (fault, recovered), times in by_fault(absences).items():
        title = f"{fault}, {'recovered' if recovered else 'told'}, {len(times)} times"
        yield Row(f"{title}: p50", "ms", quantile(times, 0.5))
        yield Row(f"{title}: p99", "ms", quantile(times, 0.99))


def pace_rows(pace: Pace) -> Iterator[Row]:
    """From publishing to the members on other nodes."""
    at = f"at {pace.per_second:.0f} a second"
    yield Row(f"published, delivered on another node, kept, {at}: p50", "ms", quantile(pace.kept_ms, 0.5))
    yield Row(
        f"published, delivered on another node, kept, {at}: p99", "ms", quantile(pace.kept_ms, 0.99), DELIVERED_P99_MS
    )
    yield Row("the same, ephemeral: p50", "ms", quantile(pace.ephemeral_ms, 0.5))
    yield Row("the same, ephemeral: p99", "ms", quantile(pace.ephemeral_ms, 0.99))
    yield Row("messages between nodes, for an event and a node", "", pace.messages, ONE_MESSAGE)
    yield Row("the busiest node meanwhile", "cores", pace.busy)


def half_load_rows(seen: HalfLoad) -> Iterator[Row]:
    """The same at half load, and what is beside it."""
    for kind, taken in (("kept", seen.kept), ("ephemeral", seen.ephemeral)):
        what = f"due, delivered on another node, {kind}, at {taken.per_second:.0f} a second"
        yield Row(f"{what}: p50", "ms", taken.p50_ms)
        yield Row(f"{what}: p99", "ms", taken.p99_ms, DELIVERED_P99_MS)
        yield Row("  the same events at a bare subscriber of Redis: p50", "ms", taken.subscriber_p50_ms)
        yield Row("  the same events at a bare subscriber of Redis: p99", "ms", taken.subscriber_p99_ms)
        yield Row("  the node used", "cores", taken.busy)
        yield Row("  the node waited for its core", "cores", taken.waited)
    yield Row("a thread that sleeps a millisecond is woken up late: p99", "ms", seen.late_p99_ms)


def cost_rows(costs: Sequence[Cost]) -> Iterator[Row]:
    """Keeping against passing on."""
    for cost in costs:
        yield Row(f"rooms of {cost.size}, kept", "µs/delivery", cost.kept_us)
        yield Row(f"rooms of {cost.size}, ephemeral", "µs/delivery", cost.ephemeral_us)
        yield Row(f"rooms of {cost.size}, kept / ephemeral", "times", cost.ratio, KEEPING.get(cost.size))


def excerpt(history: Sequence[AnyRecord], finding: Finding) -> list[str]:
    """The lines around a finding: all about its events, what the client saw around them, and the faults."""
    about = [line for line in range(len(history)) if _is_about(history[line], finding)]
    mine = [line for line in range(finding.begin, finding.end + 1) if _is_seen_by(history[line], finding)]
    first, last = (about[0], about[-1]) if about else (finding.begin, finding.end)
    near = [line for line in mine if line < first][-AROUND:] + [line for line in mine if line > last][:AROUND]
    between = [line for line in mine if first <= line <= last]
    chosen = sorted({*about, *near, *between})[:LONGEST]
    return [f"{line}: {write_line(history[line]).decode().rstrip()}" for line in chosen]


def _is_about(record: AnyRecord, finding: Finding) -> bool:
    """The sender, the order and the client itself; that others have got it shows in the count alone."""
    if getattr(record, "id", None) not in finding.events:
        return False
    return not isinstance(record, Got) or record.c == finding.client


def _is_seen_by(record: AnyRecord, finding: Finding) -> bool:
    if isinstance(record, Fault):
        return True
    if isinstance(record, OfClient) and record.c != finding.client:
        return False
    return bool(getattr(record, "room", finding.room) == finding.room)


def to_json(verdict: Verdict) -> Mapping[str, object]:
    """The verdict for the file of ``--json``."""
    return {
        "counts": dict(verdict.counts),
        "findings": [
            {"wrong": one.wrong.value, "room": one.room, "client": one.client, "events": list(one.events)}
            for one in verdict.findings
        ],
    }
