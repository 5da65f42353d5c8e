"""Was anything lost silently, doubled or out of order? Rules alone, without I/O.

For each stretch of each client and room (:mod:`load_tests.bench.cluster.stretches`): what came must be a run of the
room's order without a hole. The edges are not owed: what was sent before the join was acknowledged, and what came
after the last receipt before the client left or was told. A client's own messages may come or not, since the hub sends
them to its sender's other connections only. Whoever is still in a room when all is still is owed its end too.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from load_tests.bench.cluster.history import (
    Acknowledged,
    AnyRecord,
    Client,
    Connected,
    Ended,
    EventId,
    Fault,
    Got,
    Ordered,
    Refused,
    Room,
    Sending,
)
from load_tests.bench.cluster.stretches import End, Stray, Stretch, stretches

TAKES_WITH_IT = frozenset({"kill node", "kill redis"})
"""Faults that may take what was stored and not yet published: with the node in which it waits, or out of a Redis that
has lost its last second."""
TAKEN_WITHIN_MS = 6_000.0
"""So long after its acknowledgement a message may be taken so: Redis is away for no longer, and nothing else makes it
wait."""


class Wrong(Enum):
    """What must never be."""

    LOST = "lost silently"
    DOUBLED = "doubled"
    DISORDERED = "out of order"
    STRAY = "came to somebody who was not in the room"
    NOT_IN = "a member was refused as one who is not in the room"
    NEVER_PUBLISHED = "acknowledged, and published to nobody, although no node died"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong: with whom, with which events, and where in the history."""

    wrong: Wrong
    room: Room
    client: Client | None
    """``None``: the room's order itself."""
    events: tuple[EventId, ...]
    begin: int
    end: int
    """Lines of the history, from the client's join to the end of the stretch."""


@dataclass(slots=True)
class Verdict:
    """What the checker says."""

    findings: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    """``published``, ``received``, ``recovered``, ``told``, ``stretches``, and what is worth knowing beside."""

    @property
    def wrong(self) -> Counter[Wrong]:
        """How many events each kind of wrong has met."""
        return Counter(one.wrong for one in self.findings for _ in one.events)


@dataclass(slots=True)
class _Order:
    """The order of one room."""

    ids: list[EventId] = field(default_factory=list)
    places: dict[EventId, int] = field(default_factory=dict)
    sent_until_ms: list[float] = field(default_factory=list)
    """For each place, when the last message up to there was sent: that only grows, so it can be searched."""


@dataclass(slots=True)
class _Sent:
    """One kept message, as its sender knows it."""

    client: Client
    room: Room
    first_ms: float
    line: int
    acknowledged_ms: float | None = None


def check(history: Sequence[AnyRecord]) -> Verdict:
    """Judge a history."""
    verdict = Verdict()
    sent = _sent(history)
    orders = _orders(history, sent, verdict)
    _count(history, verdict)
    members: dict[tuple[Client, Room], list[tuple[int, int]]] = defaultdict(list)
    before: dict[tuple[Client, Room], set[EventId]] = defaultdict(set)
    for found in stretches(history):
        if isinstance(found, Stray):
            verdict.findings.append(Finding(Wrong.STRAY, found.room, found.client, (found.id,), found.line, found.line))
            continue
        verdict.counts["stretches"] += 1
        if found.joined_line is not None:
            members[found.client, found.room].append((found.joined_line, found.leaving_line or found.end_line))
        verdict.findings.extend(_check(found, orders[found.room], sent))
        ids = {receipt.id for receipt in found.received}
        verdict.counts["received again after being told"] += len(ids & before[found.client, found.room])
        verdict.counts["own messages that came back"] += sum(
            1 for event in ids if event in sent and sent[event].client == found.client
        )
        before[found.client, found.room] |= ids
    verdict.findings.extend(_never_published(history, orders, sent, verdict))
    verdict.findings.extend(_refused(history, members))
    return verdict


# ---------------------------------------------------------------- one stretch


def _check(stretch: Stretch, order: _Order, sent: Mapping[EventId, _Sent]) -> Iterator[Finding]:
    def finding(wrong: Wrong, events: Sequence[EventId]) -> Iterator[Finding]:
        if events:
            yield Finding(wrong, stretch.room, stretch.client, tuple(events), stretch.begin, stretch.end_line)

    received = Counter(receipt.id for receipt in stretch.received)
    yield from finding(Wrong.DOUBLED, [event for event, times in received.items() for _ in range(times - 1)])
    yield from finding(Wrong.DISORDERED, _disordered(stretch, order))
    yield from finding(Wrong.LOST, _lost(stretch, order, sent, received))


def _disordered(stretch: Stretch, order: _Order) -> list[EventId]:
    """What came after a later event. What has no place came from a Redis that lost it, so only others like it follow.

    For then its epoch has ended, and everybody must be told.
    """
    wrong, highest, lost_place, seen = [], -1, None, set()
    for receipt in stretch.received:
        place = order.places.get(receipt.id)
        if receipt.id in seen:
            continue  # doubled, which is another finding
        seen.add(receipt.id)
        if place is None:
            lost_place = receipt.id
        elif place < highest:
            wrong.append(receipt.id)
        else:
            highest = place
            if lost_place is not None:
                wrong.append(lost_place)
                lost_place = None
    return wrong


def _lost(
    stretch: Stretch, order: _Order, sent: Mapping[EventId, _Sent], received: Mapping[EventId, int]
) -> list[EventId]:
    places = [order.places[event] for event in received if event in order.places]
    is_owed_the_end = stretch.end is End.STILL_IN and stretch.leaving_line is None and stretch.joined_line is not None
    last = len(order.ids) - 1 if is_owed_the_end else max(places, default=-1)
    first = min([*places, _first_owed(stretch, order)])
    return [
        event
        for event in order.ids[first : last + 1]
        if event not in received and not (event in sent and sent[event].client == stretch.client)
    ]


def _first_owed(stretch: Stretch, order: _Order) -> int:
    """The place of the first event that was sent after the join was acknowledged, or behind the last."""
    if stretch.joined_ms is None:
        return len(order.ids)
    return bisect_right(order.sent_until_ms, stretch.joined_ms)


# ---------------------------------------------------------------- all of the history


def _orders(history: Sequence[AnyRecord], sent: Mapping[EventId, _Sent], verdict: Verdict) -> defaultdict[Room, _Order]:
    orders: defaultdict[Room, _Order] = defaultdict(_Order)
    found = [(record, line) for line, record in enumerate(history) if isinstance(record, Ordered)]
    for record, line in sorted(found, key=lambda one: one[0].number):
        order = orders[record.room]
        if record.id in order.places:
            verdict.findings.append(Finding(Wrong.DOUBLED, record.room, None, (record.id,), line, line))
            continue
        order.places[record.id] = len(order.ids)
        order.ids.append(record.id)
        sent_ms = sent[record.id].first_ms if record.id in sent else float("-inf")
        order.sent_until_ms.append(max(sent_ms, order.sent_until_ms[-1] if order.sent_until_ms else sent_ms))
    verdict.counts["published"] = sum(len(order.ids) for order in orders.values())
    return orders


def _sent(history: Sequence[AnyRecord]) -> dict[EventId, _Sent]:
    sent: dict[EventId, _Sent] = {}
    for line, record in enumerate(history):
        if isinstance(record, Sending):
            sent.setdefault(record.id, _Sent(record.c, record.room, record.t, line))
        elif isinstance(record, Acknowledged) and record.id in sent:
            sent[record.id].acknowledged_ms = record.t
    return sent


def _count(history: Sequence[AnyRecord], verdict: Verdict) -> None:
    known: set[Client] = set()
    for record in history:
        match record:
            case Connected(c=client):
                if client in known:
                    verdict.counts["recovered" if record.recovered else "told"] += 1
                known.add(client)
            case Got():
                verdict.counts["received"] += 1
            case Sending():
                verdict.counts["sends"] += 1
            case Acknowledged():
                verdict.counts["acknowledged"] += 1
            case Ended() if not record.connected:
                verdict.counts["not connected at the end"] += 1
            case _:
                pass


def _never_published(
    history: Sequence[AnyRecord], orders: Mapping[Room, _Order], sent: Mapping[EventId, _Sent], verdict: Verdict
) -> Iterator[Finding]:
    """Acknowledged, and without a place. A node that dies between storing and publishing leaves a hole in ``seq``."""
    taken = [record.t for record in history if isinstance(record, Fault) and record.kind in TAKES_WITH_IT]
    for event, one in sent.items():
        if one.acknowledged_ms is None or event in orders[one.room].places:
            continue
        if any(one.first_ms <= at <= one.acknowledged_ms + TAKEN_WITHIN_MS for at in taken):
            verdict.counts["stored, and never published (a hole in seq)"] += 1
        else:
            yield Finding(Wrong.NEVER_PUBLISHED, one.room, one.client, (event,), one.line, one.line)


def _refused(
    history: Sequence[AnyRecord], members: Mapping[tuple[Client, Room], Sequence[tuple[int, int]]]
) -> Iterator[Finding]:
    """A membership that was lost without a word: the member finds out when it speaks."""
    for line, record in enumerate(history):
        if isinstance(record, Refused) and record.event == "room:send" and record.code == "forbidden":
            for begin, end in members.get((record.c, record.room), ()):
                if begin < line < end:
                    yield Finding(Wrong.NOT_IN, record.room, record.c, ("",), begin, end)
