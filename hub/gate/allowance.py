"""One key's allowance as one node sees it: GCRA that needs no answer from Redis, and can be told of it later."""

from typing import Final

from hub.kernel.limits import Limit

NEVER: Final = float("-inf")
ROUNDING_S: Final = 1e-6
"""Sums of intervals are floats. A microsecond is far above their error, and far below what anybody waits."""
SHARE: Final = 10
"""What was taken is reported when it is a tenth of the burst. Each node may exceed the limit by that much unseen, and
an editor with 20 updates a second is reported once in three seconds."""
SHARE_S: Final = 30.0
"""At most so much: Redis keeps the TAT of a key that is not used for a minute, which a report must not outlast."""


class Allowances:
    """All allowances of one limit, by key, and what they have in common. Seconds."""

    __slots__ = ("interval_s", "kept", "limit", "most_s", "name", "share_s")

    def __init__(self, name: str, limit: Limit) -> None:
        """``name`` of the event or route."""
        self.name, self.limit = name, limit
        self.kept: dict[str, Allowance] = {}
        self.interval_s = limit.interval_s
        self.most_s = limit.burst * limit.interval_s + ROUNDING_S
        """The debt that may be had: a burst."""
        self.share_s = max(min(limit.burst // SHARE * limit.interval_s, SHARE_S), limit.interval_s) - ROUNDING_S
        """The debt that is reported."""


class Allowance:
    """The theoretical arrival time (TAT) of one key, in three parts, so that what is not yet reported stays apart.

    GCRA moves the TAT, with each that is let through at ``now``, to ``max(TAT, now) + interval``. Any number of such
    steps is one function ``max(TAT + cost, own)``: ``cost`` is the sum of the intervals, ``own`` the TAT that the
    steps give to a key without any before. So what a node took is reported by two numbers, which Redis applies to the
    TAT of all nodes, and what it took since is applied to the answer. All times are on this node's monotonic clock.
    """

    __slots__ = ("base", "cost", "is_due", "key", "of", "own")

    def __init__(self, of: Allowances, key: str) -> None:
        self.of, self.key = of, key
        self.base = NEVER
        """The TAT of all nodes as far as known, without what is not reported."""
        self.cost = 0.0
        self.own = NEVER
        self.is_due = False
        """Whether it stands in line to be reported."""

    @property
    def arrival(self) -> float:
        """The TAT as far as this node knows."""
        return max(self.base + self.cost, self.own)

    def take(self, now: float, count: int = 1) -> float:
        """Take so many, and give 0; or take nothing, and give the seconds to wait."""
        of = self.of
        interval = of.interval_s * count
        own = self.own
        own = (own if own > now else now) + interval
        cost = self.cost + interval
        arrival = self.base + cost
        wait = (arrival if arrival > own else own) - now - of.most_s
        if wait > 0:
            return wait
        self.own, self.cost = own, cost
        return 0.0

    def give_back(self, count: int = 1) -> None:
        """Take back the last :meth:`take` of so many, which nobody has been told of.

        ``own`` may stay at its ``now``: as good as none.
        """
        interval = self.of.interval_s * count
        self.own -= interval
        self.cost -= interval

    def reported(self, now: float) -> tuple[float, float]:
        """What was taken since the last report, as ``cost`` and ``own`` from now on. It counts as reported from here.

        If the report does not arrive, this node alone remembers it.
        """
        report = self.cost, self.own - now
        self.base, self.cost, self.own, self.is_due = self.arrival, 0.0, NEVER, False
        return report

    def answered(self, sent_at: float, debt: float) -> None:
        """What Redis said: how far the TAT of all nodes was ahead when the report reached it, sent at ``sent_at``.

        It was there later than it was sent, so this is never more than the truth, and neither is what was known
        before: the greater one counts.
        """
        self.base = max(self.base, sent_at + debt)
