"""Was everybody who went shown as gone, once and in time, and nobody who was there? Rules alone, without I/O.

A watcher keeps the highest version of each person, as every client should. What it keeps is compared with when that
person certainly was there, and when they may have been (:mod:`load_tests.bench.presence.stays`). Each departure that
lasts is owed one state that says so; each that may have been noticed or not, such as a return in the last moment of the
hold, at most one; all else none.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from load_tests.bench.presence.history import AnyRecord, Person, Said, Saying, Seen, Still, Watcher
from load_tests.bench.presence.stays import (
    End,
    Outage,
    Presence,
    Promise,
    Stay,
    held_until,
    late_by_outage,
    outages,
    presences,
)
from load_tests.bench.presence.views import Shown, Span, spans

OFFLINE = "offline"
PROMISE = Promise()
AFTER_OUTAGE_MS = 40_000.0
"""So long after Redis was away, states may come once more: it may have forgotten them, and is told them again."""


class Wrong(Enum):
    """What must never be."""

    FALSE = "shown as gone who was there, or came back in time"
    MISSING = "gone, and never shown so"
    LATE = "gone, and shown so too late"
    DOUBLED = "told twice"
    RISEN = "shown as there who was gone"
    NOT_BACK = "back, and never shown so"
    LATE_BACK = "back, and shown so too late"
    AGAIN = "told of what had not changed"
    UNTRUE = "shown wrongly when all was still"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong: with what a watcher was shown of whom, when, and where that is in the history if it came."""

    wrong: Wrong
    watcher: Watcher
    person: Person
    at_ms: float
    line: int | None = None


@dataclass(slots=True)
class Verdict:
    """What the checker says."""

    findings: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    gone_ms: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """From the end of somebody's last connection to a watcher who is shown it, by why it ended."""

    @property
    def wrong(self) -> Counter[Wrong]:
        """How often."""
        return Counter(one.wrong for one in self.findings)


def merged(verdicts: Iterable[Verdict]) -> Verdict:
    """One for all of these."""
    all_ = Verdict()
    for verdict in verdicts:
        all_.findings += verdict.findings
        all_.counts += verdict.counts
        for why, times in verdict.gone_ms.items():
            all_.gone_ms[why] += times
    return all_


@dataclass(frozen=True, slots=True)
class _View:
    """What one watcher keeps of one person, in one span."""

    watcher: Watcher
    person: Person
    presence: Presence
    span: Span
    kept: list[Shown]
    """Those with a higher version than all before."""

    def at(self, when: float) -> Shown | None:
        """What it shows at a time."""
        return next((shown for shown in reversed(self.kept) if shown.seen.t <= when), None)

    def finding(self, wrong: Wrong, at_ms: float, shown: Shown | None = None) -> Finding:
        return Finding(wrong, self.watcher, self.person, at_ms, None if shown is None else shown.line)


def check(history: Sequence[AnyRecord], promise: Promise = PROMISE) -> Verdict:
    """Judge a history."""
    verdict = Verdict()
    people = presences(history, promise)
    away = outages(history)
    stills = [record.t for record in history if isinstance(record, Still)]
    sayings = _sayings(history)
    end = history[-1].t if history else 0.0
    for watcher, its_spans in spans(history, promise.told_ms).items():
        for span in its_spans:
            for person, shown in span.shown.items():
                presence = people.get(person, Presence())
                kept = _kept(shown, verdict)
                view = _View(watcher, person, presence, span, kept)
                verdict.findings += _doubled(view, shown)
                verdict.findings += _false(view, promise, away)
                verdict.findings += _not_gone(view, promise, end)
                verdict.findings += _not_back(view, promise, away, end)
                verdict.findings += _untrue(view, stills, sayings.get(person, ()))
                _measure(view, verdict)
    verdict.findings.sort(key=lambda one: one.at_ms)
    return verdict


def _kept(shown: Iterable[Shown], verdict: Verdict) -> list[Shown]:
    kept: list[Shown] = []
    for one in shown:
        verdict.counts["diffs" if one.seen.told else "states asked for"] += 1
        if not kept or one.seen.version > kept[-1].seen.version:
            kept.append(one)
        elif one.seen.version < kept[-1].seen.version:
            verdict.counts["diffs that another one had overtaken"] += 1
    return kept


# ---------------------------------------------------------------- what came


def _doubled(view: _View, shown: Sequence[Shown]) -> Iterator[Finding]:
    versions: set[int] = set()
    for one in shown:
        if one.seen.told:
            if one.seen.version in versions:
                yield view.finding(Wrong.DOUBLED, one.seen.t, one)
            versions.add(one.seen.version)


def _false(view: _View, promise: Promise, away: Sequence[Outage]) -> Iterator[Finding]:
    """States that cannot have been decided by a hub that keeps its promise."""
    before: Shown | None = None
    counted: list[Stay] = []
    for shown in view.kept:
        begin, end = shown.decided, shown.seen.t
        if shown.seen.status == OFFLINE:
            is_there = view.presence.is_certain(begin, end) or any(end < held_until(stay, promise) for stay in counted)
            if is_there:
                yield view.finding(Wrong.FALSE, end, shown)
            counted = []
        elif before is not None and before.seen.status == OFFLINE:
            # The hub learns of a connection at any time between its first packet and `session:ready`.
            counted = [
                stay
                for stay in view.presence.stays
                if stay.coming <= end and before.decided <= min(stay.there, stay.end)
            ]
            # If they were there all the time, it is the end of what was false.
            if not counted and not view.presence.is_certain(end, end):
                yield view.finding(Wrong.RISEN, end, shown)
            held = [
                stay
                for stay in view.presence.stays
                if stay not in counted and stay.there <= end < held_until(stay, promise)
            ]
            counted = counted if len(counted) == 1 and not held else []  # of several, nobody knows which one was seen
        elif not view.presence.is_possible(begin, end):
            yield view.finding(Wrong.RISEN, end, shown)
        if shown.seen.told and before is not None and _look(before.seen) == _look(shown.seen):
            may_have_forgotten = any(outage.begin <= end <= outage.end + AFTER_OUTAGE_MS for outage in away)
            if not may_have_forgotten:
                yield view.finding(Wrong.AGAIN, end, shown)
        before = shown


def _look(seen: Seen) -> object:
    return seen.status, seen.text, seen.devices


# ---------------------------------------------------------------- what should have come


def _not_gone(view: _View, promise: Promise, end: float) -> Iterator[Finding]:
    """For each time in which they cannot be there: is it shown from its beginning on?"""
    times = view.presence.possible
    for index, one in enumerate(times):
        back = times[index + 1].begin if index + 1 < len(times) else math.inf
        due = view.span.next_live(one.end, promise.told_ms)
        until = min(back, view.span.end)
        if due >= min(until, end) or (shown := view.at(due)) is None or shown.seen.status == OFFLINE:
            continue
        late = next((one for one in view.kept if due < one.seen.t < until and one.seen.status == OFFLINE), None)
        yield view.finding(Wrong.MISSING if late is None else Wrong.LATE, due, late)


def _not_back(view: _View, promise: Promise, away: Sequence[Outage], end: float) -> Iterator[Finding]:
    """For each time in which they are there for sure: is it shown soon after its beginning?"""
    for one in view.presence.certain:
        due = view.span.next_live(late_by_outage(one.begin, promise.told_ms, away, promise), promise.told_ms)
        until = min(one.end, view.span.end)
        if due >= min(until, end) or (shown := view.at(due)) is None or shown.seen.status != OFFLINE:
            continue
        late = next((one for one in view.kept if due < one.seen.t < until and one.seen.status != OFFLINE), None)
        if late is None or shown.seen.t < one.begin:  # else it was shown as gone meanwhile, which is found as false
            yield view.finding(Wrong.NOT_BACK if late is None else Wrong.LATE_BACK, due, late)


def _untrue(view: _View, stills: Iterable[float], sayings: Sequence[tuple[Saying, bool]]) -> Iterator[Finding]:
    """Devices, status and text, at a time when nothing has happened for a while."""
    for still in stills:
        shown = view.at(still)
        if shown is None or still >= view.span.end:
            continue
        standing = [stay for stay in view.presence.stays if stay.there <= still < stay.end]
        devices = {stay.device for stay in standing}
        right = {name for name, _ in shown.seen.devices} == devices and (shown.seen.status == OFFLINE) == (not devices)
        if not right or any(_differs(shown.seen, one, standing, still) for one in _last(sayings, still)):
            yield view.finding(Wrong.UNTRUE, still, shown)


def _last(sayings: Sequence[tuple[Saying, bool]], still: float) -> list[tuple[Saying, bool]]:
    """The last that each device had said by then."""
    return list({saying.device: (saying, done) for saying, done in sayings if saying.t <= still}.values())


def _differs(seen: Seen, said: tuple[Saying, bool], standing: Iterable[Stay], still: float) -> bool:
    """Whether what a device says is not shown, although it has been there all the time since and had its answer."""
    saying, acknowledged = said
    stood = any(stay.device == saying.device and stay.there <= saying.t and still < stay.end for stay in standing)
    return acknowledged and stood and ((saying.device, saying.status) not in seen.devices or saying.text != seen.text)


def _sayings(history: Iterable[AnyRecord]) -> Mapping[Person, list[tuple[Saying, bool]]]:
    """What each person said, and whether that was acknowledged; one at a time."""
    found: defaultdict[Person, list[tuple[Saying, bool]]] = defaultdict(list)
    for record in history:
        if isinstance(record, Saying):
            found[record.p].append((record, False))
        elif isinstance(record, Said) and found[record.p]:
            found[record.p][-1] = (found[record.p][-1][0], True)
    return found


# ---------------------------------------------------------------- how long it took


def _measure(view: _View, verdict: Verdict) -> None:
    was_there = False
    for shown in view.kept:
        gone = shown.seen.status == OFFLINE
        if gone and was_there and shown.seen.told:
            ended = [stay for stay in view.presence.stays if stay.end <= shown.seen.t]
            if ended:
                last = max(ended, key=lambda stay: stay.end)
                verdict.gone_ms[_named(last.why)].append(shown.seen.t - last.end)
            verdict.counts["shown as gone"] += 1
        was_there = not gone


def _named(why: End | None) -> str:
    return why or "still there"
