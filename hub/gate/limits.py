"""Limits of events, routes and fields of GraphQL: decided in this node's memory, agreed on through Redis behind it.

A node decides at once, by what it knows of a key's allowance (:mod:`hub.gate.allowance`), and reports to Redis when a
tenth of the burst is taken; the answer has what all nodes took. So an allowed event costs no round trip and no task,
but 0.4 µs, and 0.7 µs where its address counts too. For a limit of B at once and R a second:

- A key that one node serves, as a user's whose connections are on one, has exactly that: at most B + R·t in any t
  seconds, and never less but for a millisecond by which Redis's answers vary.
- Of a key that N nodes serve, they together let through at most B + R·t + N·(1.1·B + 1 + R·D) in any t seconds, where D
  is the longest time from a report being due to its answer: some 50 ms. So who is on every node can have a burst on
  each of them once, and all of them wait until it is paid back: the rate holds. (The 1 is for B < 10, where each is
  reported at once. What a killed node had not reported is forgotten.)
- Such a key may miss up to a tenth of B for each node, since reports come late and count as new.
- While Redis does not answer, each node limits by itself.

Held against the exact algorithm, with random schedules of nodes and reports, by
tests/unit/gate/test_limits_of_many_nodes.py.
"""

import asyncio
import logging
import math
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Final, Protocol

from hub.gate.allowance import Allowance, Allowances
from hub.gate.limit_metrics import METRICS
from hub.gate.limit_rules import UNKNOWN_NAME, Rule
from hub.gate.rate_limits import Charge
from hub.kernel.addresses import counted
from hub.kernel.errors import Unavailable
from hub.kernel.tasks import Tasks

log = logging.getLogger(__name__)

GATHER_S: Final = 0.02
"""Reports that are due together go together."""
AGAIN_S: Final = 1.0
"""After Redis did not answer."""
BATCH: Final = 50
"""Keys in one round trip: a report costs a node 16 µs, and the loop is kept for less than a millisecond."""
FORGET_EVERY_S: Final = 10.0
IDLE_S: Final = 60.0
"""An allowance that is whole again for so long is forgotten."""
LOOKED_AT_ONCE: Final = 2000
"""Allowances that are looked at in one turn of the loop: less than a millisecond."""
MOST_KEPT: Final = 250_000
"""Allowances of a node, some 60 MB. Beyond that new keys are not counted: somebody has a network of addresses."""


class Ledger(Protocol):
    """The allowances of all nodes together. Implemented in hub.gate.rate_limits."""

    async def charge(self, charges: list[Charge]) -> list[float]:
        """Add what was let through, and give each key's debt in seconds. Raises Unavailable."""
        ...


class SharedLimits:
    """Implements hub.kernel.ports.Limits; what it promises is said above.

    Runs in the event loop's thread, as everything of a node does.
    """

    def __init__(
        self,
        rules: Mapping[str, Rule],
        ledger: Ledger,
        *,
        uncapped: Collection[str],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """``uncapped`` addresses are not limited."""
        self._rules = rules
        self._unknown = rules.get(UNKNOWN_NAME, Rule())
        self._ledger = ledger
        self._uncapped = frozenset(uncapped)
        self._now = now
        self._all = [of for rule in rules.values() for of in (rule.users, rule.addresses) if of is not None]
        self._due: list[Allowance] = []
        self._wake = asyncio.Event()
        self._is_away = False

    def __len__(self) -> int:
        return sum(len(of.kept) for of in self._all)

    def start(self, tasks: Tasks) -> None:
        """Report and forget in the background."""
        tasks.start(self._report_for_ever(), name="reports of allowances")
        tasks.start(self._forget_for_ever(), name="idle allowances")

    def source(self, address: str) -> str | None:
        """See hub.kernel.ports.Limits."""
        # Interned, since each of thousands of connections of one network keeps it.
        return None if address in self._uncapped else sys.intern(counted(address)) or None

    def wait(self, name: str, user_id: str | None, source: str | None) -> float:
        """See hub.kernel.ports.Limits."""
        rule = self._rules.get(name, self._unknown)
        now = self._now()
        addresses, place = rule.addresses, None
        if source is not None and addresses is not None:
            place = addresses.kept.get(source) or self._new(addresses, source)
            if place is not None and (wait := place.take(now)):
                return _refused(addresses, "address", wait)
        users = rule.users
        if user_id is not None and users is not None:
            own = users.kept.get(user_id) or self._new(users, user_id)
            if own is not None:
                if wait := own.take(now):
                    if place is not None:
                        place.give_back()
                    return _refused(users, "user", wait)
                if own.cost >= users.share_s and not own.is_due:
                    self._is_due(own)
        if place is not None and place.cost >= place.of.share_s and not place.is_due:
            self._is_due(place)
        return 0.0

    def wait_for_all(self, counts: Mapping[str, int], user_id: str | None, source: str | None) -> float:
        """See hub.kernel.ports.Limits."""
        now = self._now()
        taken: list[tuple[Allowance, int]] = []
        for name, count in counts.items():
            rule = self._rules.get(name, self._unknown)
            for whose, of, key in (("address", rule.addresses, source), ("user", rule.users, user_id)):
                one = None if of is None or key is None else of.kept.get(key) or self._new(of, key)
                if of is None or one is None:
                    continue
                if wait := one.take(now, count):
                    for other, number in taken:
                        other.give_back(number)
                    return _refused(of, whose, wait)
                taken.append((one, count))
        for one, _ in taken:
            if one.cost >= one.of.share_s and not one.is_due:
                self._is_due(one)
        return 0.0

    def _new(self, of: Allowances, key: str) -> Allowance | None:
        if METRICS.allowances >= MOST_KEPT:
            METRICS.uncounted += 1
            return None
        METRICS.allowances += 1
        allowance = of.kept[key] = Allowance(of, key)
        return allowance

    def _is_due(self, allowance: Allowance) -> None:
        allowance.is_due = True
        self._due.append(allowance)
        self._wake.set()

    # ---------------------------------------------------------------- in the background

    async def report(self) -> None:
        """Report what is due, and learn what the other nodes took."""
        due, self._due = self._due, []
        self._wake.clear()
        for start in range(0, len(due), BATCH):
            await self._report(due[start : start + BATCH])

    async def _report(self, batch: Iterable[Allowance]) -> None:
        batch = [allowance for allowance in batch if allowance.cost > 0]
        if not batch:
            return
        sent_at = self._now()
        charges = [Charge(f"{one.of.name}:{one.key}", *one.reported(sent_at)) for one in batch]
        METRICS.reported += len(charges)
        try:
            debts = await self._ledger.charge(charges)
        except Unavailable:
            if not self._is_away:
                log.warning("Redis does not answer: each node limits by itself")
            self._is_away = True
            return
        self._is_away = False
        for allowance, debt in zip(batch, debts, strict=True):
            allowance.answered(sent_at, debt)

    async def forget(self) -> None:
        """Forget the allowances that are whole again and not used; the last that was taken of them is reported."""
        before = self._now() - IDLE_S
        for of in self._all:
            for some in _slices(list(of.kept.values())):
                idle = [one for one in some if one.arrival < before and not one.is_due]
                for one in idle:
                    del of.kept[one.key]
                METRICS.allowances -= len(idle)
                for start in range(0, len(idle), BATCH):
                    await self._report(idle[start : start + BATCH])
                await asyncio.sleep(0)

    async def _report_for_ever(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(AGAIN_S if self._is_away else GATHER_S)
            await self.report()

    async def _forget_for_ever(self) -> None:
        while True:
            await asyncio.sleep(FORGET_EVERY_S)
            await self.forget()


def _refused(what: Allowances, whose: str, wait: float) -> float:
    METRICS.refused[what.name, whose] += 1
    return math.ceil(wait * 1000) / 1000


def _slices(allowances: list[Allowance]) -> Iterator[list[Allowance]]:
    for start in range(0, len(allowances), LOOKED_AT_ONCE):
        yield allowances[start : start + LOOKED_AT_ONCE]
