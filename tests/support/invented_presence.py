"""Histories of presence as a hub that keeps its promises makes them, invented without one: nothing is wrong in them."""

import random
from dataclasses import dataclass, field

from load_tests.bench.presence.history import (
    AnyRecord,
    Coming,
    Fault,
    Gone,
    Seen,
    Still,
    There,
    Unwatching,
    Watching,
)
from load_tests.bench.presence.stays import Promise

PROMISE = Promise()
PEOPLE, WATCHERS = 4, 2
NODE = "n1"
LATE_MS = 5.0
"""Of one watcher behind another."""


@dataclass
class _Invention:
    draw: random.Random
    records: list[AnyRecord] = field(default_factory=list)
    connections: int = 0
    version: int = 0

    def life(self, person: int) -> None:
        """Somebody comes and goes, for longer or for so short a time that nobody notices."""
        now = self.draw.uniform(0.0, 20_000.0)
        end = held = 0.0
        shown = False
        for _ in range(self.draw.randint(1, 5)):
            self.connections += 1
            number, node = self.connections, f"{NODE}-{person}"
            there = now + self.draw.uniform(5.0, 300.0)
            end = there + self.draw.uniform(3_000.0, 30_000.0)
            self.records.append(Coming(now, number, person, "laptop", node))
            self.records.append(There(there, number, person, recovered=self.draw.random() < 0.5))
            if not shown:
                self.tell(person, there + self.draw.uniform(0.0, 400.0), "online")
            dies = self.draw.random() < 0.3
            if dies:
                self.records.append(Fault(end, "kill node", node))
                self.records.append(Gone(end + 3.0, number, person, "lost"))
            else:
                self.records.append(Gone(end, number, person, "left"))
            held = PROMISE.lease_ms if dies else PROMISE.hold_ms
            shown = self.draw.random() < 0.5  # back before anybody can notice
            now = end + (self.draw.uniform(10.0, held - 400.0) if shown else self.draw.uniform(9_000.0, 20_000.0))
            if not shown:
                self.tell(person, end + self.draw.uniform(held, PROMISE.offline_ms - LATE_MS), "offline")
        if shown:  # it was the last time, and nobody came back
            self.tell(person, end + self.draw.uniform(held, PROMISE.offline_ms - LATE_MS), "offline")

    def tell(self, person: int, at: float, status: str) -> None:
        self.version += 1
        devices = () if status == "offline" else (("laptop", status),)
        for watcher in range(WATCHERS):
            late = at + self.draw.uniform(0.0, LATE_MS)
            self.records.append(Seen(late, watcher, person, True, self.version, status, "", devices))

    def recover(self, watcher: int) -> None:
        """The watcher is away for a while, and then told all that it missed."""
        begin = self.draw.uniform(5_000.0, 60_000.0)
        end = begin + self.draw.uniform(100.0, 8_000.0)
        self.records = [
            one
            if not (isinstance(one, Seen) and one.w == watcher and begin <= one.t <= end)
            else _later(one, end + 1.0)
            for one in self.records
        ]
        self.records += [Unwatching(begin, watcher), Watching(end, watcher, "n2", recovered=True)]


def invent(seed: int) -> list[AnyRecord]:
    """A history in which everybody who went is shown as gone once and in time, and nobody else is."""
    it = _Invention(random.Random(seed))
    for watcher in range(WATCHERS):
        it.records.append(Watching(-2.0, watcher, "n2", recovered=False))
        it.records += [Seen(-1.0, watcher, person, False, 0, "offline", "", ()) for person in range(PEOPLE)]
    for person in range(PEOPLE):
        it.life(person)
    if it.draw.random() < 0.5:
        it.recover(it.draw.randrange(WATCHERS))
    it.records.sort(key=lambda record: record.t)
    return [*it.records, Still(it.records[-1].t + 20_000.0)]


def _later(seen: Seen, at: float) -> Seen:
    return Seen(at, seen.w, seen.p, seen.told, seen.version, seen.status, seen.text, seen.devices)
