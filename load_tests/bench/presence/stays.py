"""From what connections saw: when somebody was certainly there for others, and when they may have been. No I/O.

A hub that keeps its promises may show somebody as gone only outside of the times in which they certainly count, and has
to show them as gone outside of those in which they may.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from load_tests.bench.presence.history import AnyRecord, Coming, Fault, Gone, Person, There, Why

REDIS, REDIS_EMPTIED = "redis", "redis emptied"
"""Kinds of faults: all of Redis begin with the word."""


@dataclass(frozen=True, slots=True)
class Promise:
    """What the hub promises, in milliseconds; by its default settings."""

    hold_ms: float = 5_000.0
    """How long a lost connection certainly counts."""
    lease_ms: float = 4_000.0
    """How long those of a node that dies certainly count: a lease of 5 s, less the second since its last beat."""
    offline_ms: float = 8_000.0
    """From the loss, or the node's death, until watchers are told."""
    moving_hold_ms: float = 15_000.0
    """How long who is sent away by a node that drains certainly counts."""
    moving_ms: float = 25_000.0
    """From then until watchers are told, if they did not come back."""
    told_ms: float = 1_500.0
    """From a connection that stands to watchers who are told so. As long, what was decided before may come later."""
    outage_ms: float = 20_000.0
    """What all of that may take longer, after Redis was away: a node compares what Redis knows with its own connections
    within 8 s, and who turns out to be gone is held then."""
    reconcile_ms: float = 10_000.0
    """From the end of a node's pause until its connections count again, or are cut."""


End = Why | Literal["node killed", "node stopped"]


@dataclass(frozen=True, slots=True)
class Stay:
    """A connection, or a part of one."""

    device: str
    coming: float
    there: float
    """From when on it certainly stood; infinite if it never did."""
    end: float
    """Infinite while it stands."""
    why: End | None
    line: int
    """Of the history: where it began."""


@dataclass(frozen=True, slots=True)
class Times:
    """From ``begin`` to ``end``."""

    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Outage(Times):
    """Redis was away."""

    emptied: bool
    """Whether it had lost everything when it came back."""


@dataclass(slots=True)
class Presence:
    """When a person was there."""

    stays: list[Stay] = field(default_factory=list)
    certain: list[Times] = field(default_factory=list)
    """When they count for sure: never to be shown as gone."""
    possible: list[Times] = field(default_factory=list)
    """When they may count. Outside of it, they have to be shown as gone."""

    def is_certain(self, begin: float, end: float) -> bool:
        """Whether they count for sure, all the time from ``begin`` to ``end``."""
        return any(times.begin <= begin and end <= times.end for times in self.certain)

    def is_possible(self, begin: float, end: float) -> bool:
        """Whether they may count at any time between."""
        return any(times.begin <= end and begin <= times.end for times in self.possible)


def presences(history: Sequence[AnyRecord], promise: Promise) -> Mapping[Person, Presence]:
    """When each person was there."""
    away = outages(history)
    found: defaultdict[Person, Presence] = defaultdict(Presence)
    for person, stay in _stays(history, promise):
        found[person].stays.append(stay)
    for presence in found.values():
        presence.stays.sort(key=lambda stay: stay.coming)
        presence.certain = _united(_certain(stay, promise, away) for stay in presence.stays if stay.there < math.inf)
        presence.possible = _united(_possible(stay, promise, away) for stay in presence.stays)
    return found


def late_by_outage(at: float, within: float, away: Iterable[Outage], promise: Promise) -> float:
    """Until when something that happened ``at`` has to be told, if that may usually take ``within``."""
    until = at + within
    for outage in away:
        if at <= outage.end + promise.outage_ms and outage.begin <= until:
            until = max(until, outage.end + promise.outage_ms)
    return until


REMEMBERED: tuple[End, ...] = ("left", "lost")
"""Ends that the node of a connection outlives. It tells Redis once more whom it has lost, should that forget."""


def held_until(stay: Stay, promise: Promise) -> float:
    """Until when a connection that was seen counts for sure, if Redis does not forget it."""
    match stay.why:
        case "node killed" | "node stopped":
            return stay.end + promise.lease_ms
        case "sent away":
            return stay.end + promise.moving_hold_ms
        case _:
            return stay.end + promise.hold_ms


def _certain(stay: Stay, promise: Promise, away: Iterable[Outage]) -> Times:
    until = held_until(stay, promise)
    if stay.why not in REMEMBERED and any(one.emptied and one.begin <= until and stay.end <= one.end for one in away):
        return Times(
            stay.there, stay.end
        )  # forgotten, and the node that could tell Redis of them is not there any more
    return Times(stay.there, until)


def _possible(stay: Stay, promise: Promise, away: Iterable[Outage]) -> Times:
    within = promise.moving_ms if stay.why == "sent away" else promise.offline_ms
    return Times(stay.coming, late_by_outage(stay.end, within, away, promise))


def _united(times: Iterable[Times]) -> list[Times]:
    """The same without overlaps, in order."""
    united: list[Times] = []
    for one in sorted(times, key=lambda one: one.begin):
        if united and one.begin <= united[-1].end:
            united[-1] = Times(united[-1].begin, max(united[-1].end, one.end))
        else:
            united.append(one)
    return united


def outages(history: Iterable[AnyRecord]) -> list[Outage]:
    """When Redis was away."""
    found: list[Outage] = []
    for record in history:
        if isinstance(record, Fault) and record.kind.startswith(REDIS):
            if not record.over:
                found.append(Outage(record.t, math.inf, record.kind == REDIS_EMPTIED))
            elif found:
                found[-1] = replace(found[-1], end=record.t)
    return found


@dataclass(slots=True)
class _Open:
    """Connections that have not ended, by their number."""

    stays: dict[int, Stay] = field(default_factory=dict)
    people: dict[int, Person] = field(default_factory=dict)
    nodes: dict[int, str] = field(default_factory=dict)
    stopped: dict[str, float] = field(default_factory=dict)
    """Nodes that stand still, since when."""


def _stays(history: Sequence[AnyRecord], promise: Promise) -> Iterator[tuple[Person, Stay]]:
    it = _Open()
    for line, record in enumerate(history):
        match record:
            case Coming(c=c):
                it.stays[c] = Stay(record.device, record.t, math.inf, math.inf, None, line)
                it.people[c], it.nodes[c] = record.p, record.node
            case There(c=c) if c in it.stays:
                it.stays[c] = replace(it.stays[c], there=record.t)
            case Gone(c=c) if c in it.stays:
                yield it.people[c], _ended(it, c, record.t, record.why)
            case Fault(kind="kill node", over=False):
                for c in _on(it, record.what):
                    yield it.people[c], _ended(it, c, record.t, "node killed")
            case Fault(kind="stop node", over=False):
                it.stopped[record.what] = record.t
            case Fault(kind="stop node", over=True):
                yield from _resumed(it, record, promise)
            case _:
                pass
    for c, stay in it.stays.items():
        stopped_at = it.stopped.get(it.nodes[c])
        yield it.people[c], stay if stopped_at is None else replace(stay, end=stopped_at, why="node stopped")


def _on(it: _Open, node: str) -> list[int]:
    return [c for c in it.stays if it.nodes[c] == node]


def _ended(it: _Open, c: int, at: float, why: End) -> Stay:
    stay = it.stays.pop(c)
    stopped_at = it.stopped.get(it.nodes[c])
    if stopped_at is not None:  # nobody knew of the loss, and the connection was of no use since the node stood still
        at, why = min(at, stopped_at), "node stopped"
    return replace(stay, end=max(at, stay.coming), why=why)


def _resumed(it: _Open, record: Fault, promise: Promise) -> Iterator[tuple[Person, Stay]]:
    """A node goes on. Its connections counted until it stopped, and may count from now on."""
    stopped_at = it.stopped.pop(record.what, record.t)
    for c in _on(it, record.what):
        stay = it.stays[c]
        if record.t - stopped_at < promise.lease_ms:
            continue  # nobody can have taken it for dead
        yield it.people[c], replace(stay, end=max(stopped_at, stay.coming), why="node stopped")
        again = record.t + promise.reconcile_ms if stay.there < math.inf else math.inf
        it.stays[c] = replace(stay, coming=record.t, there=again)
