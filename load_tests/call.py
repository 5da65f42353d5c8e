"""One call between two users of a worker: what each side has seen of it, and how it is meant to go."""

import random
import threading
from collections import defaultdict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from load_tests.measures.faults import Disordered, Repeated
from load_tests.measures.order import Order

Ending = Literal["answered", "rejected", "cancelled"]
ENDINGS: dict[Ending, int] = {"answered": 8, "rejected": 1, "cancelled": 1}
"""How calls go, and how often."""
SIGNALS = {"offer": 1, "answer": 1, "candidate": 2, "end-of-candidates": 3}
"""Each side signals one description, one batch of candidates and their end: the ``seq`` of each."""
AFTER_ABANDONING = frozenset({"call_ended", "unknown_call", "answered_elsewhere"})


def endings(draw: random.Random) -> Iterator[Ending]:
    """How one call after the other goes: first each way once, then by their frequency."""
    yield from ENDINGS
    while True:
        yield draw.choices(list(ENDINGS), list(ENDINGS.values()))[0]


@dataclass(eq=False)
class Call:
    """Sides are the numbers of the two users."""

    id: str
    caller: int
    callee: int
    ending: Ending
    owed: list[Hashable] = field(default_factory=list)
    """Keys of what is on its way to either side."""
    taken: bool = False
    """Whether the callee's side has begun."""
    descriptions: dict[str, str] = field(default_factory=dict)
    """The offer and the answer, as they came."""
    abandoned: bool = False
    """Whether it goes another way than meant. Then nothing of it is owed any more."""
    _seen: set[tuple[int, str]] = field(default_factory=set)
    _orders: defaultdict[int, Order] = field(default_factory=lambda: defaultdict(Order))
    _news: threading.Condition = field(default_factory=threading.Condition)

    @property
    def tolerated(self) -> frozenset[str]:
        """Refusals that are nobody's fault: of what one side still does when the other has abandoned the call."""
        return AFTER_ABANDONING if self.abandoned else frozenset()

    @property
    def ended(self) -> bool:
        """Whether either side has heard of the end."""
        return any(what in ("call:ended", "call:cancelled") for _, what in self._seen)

    def saw(self, side: int, what: str) -> None:
        """An event, or a kind of signal, has come to one side."""
        with self._news:
            self._seen.add((side, what))
            self._news.notify_all()

    def abandon(self) -> None:
        """Let nobody wait for anything more."""
        with self._news:
            self.abandoned = True
            self._news.notify_all()

    def wait(self, side: int, what: str, within_s: float) -> bool:
        """Whether ``what`` comes to ``side`` before the time or the call is over."""
        with self._news:
            self._news.wait_for(lambda: (side, what) in self._seen or self.ended or self.abandoned, within_s)
            return (side, what) in self._seen

    def check_signal(self, side: int, kind: str) -> Disordered | Repeated | None:
        """What is wrong with the place of a signal that has come to ``side``."""
        return self._orders[side].check("the other", SIGNALS[kind])
