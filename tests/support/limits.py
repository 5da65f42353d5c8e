"""Rate limits without Redis: the exact algorithm, and nodes whose reports take as long as a test wants."""

from collections.abc import Coroutine, Generator
from typing import Any

from hub.gate.limit_rules import UNKNOWN_NAME, rules
from hub.gate.limits import SharedLimits
from hub.gate.rate_limits import Charge
from hub.kernel.errors import Unavailable
from hub.kernel.limits import UNKNOWN, Declared, Limit
from tests.support.clock import FrozenClock

EVENT = "room:send"
ADA = "ada"


class Exact:
    """GCRA as it is in the books: one key, one place, no delay. Seconds."""

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self.arrival = 0.0

    def debt(self, now: float) -> float:
        """How far the theoretical arrival time is ahead."""
        return max(self.arrival - now, 0.0)

    def allows(self, now: float) -> bool:
        """Whether one more is within the limit."""
        return self.debt(now) + self._limit.interval_s <= self._limit.burst * self._limit.interval_s + 1e-6

    def take(self, now: float) -> None:
        """Count one, allowed or not."""
        self.arrival = max(self.arrival, now) + self._limit.interval_s


class _Pause:
    """Gives the test the turn, in the middle of a coroutine."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class ModelLedger:
    """What hub.gate.rate_limits has in Redis. A report arrives at the first step after it was sent, and is answered at
    the second.
    """

    def __init__(self, clock: FrozenClock) -> None:
        self._clock = clock
        self._arrivals: dict[str, float] = {}
        self.is_away = False
        self.reports = 0

    async def charge(self, charges: list[Charge]) -> list[float]:
        await _Pause()
        if self.is_away:
            raise Unavailable
        self.reports += len(charges)
        now = self._clock.now_ms() / 1000
        debts = [max(self._arrivals.get(key, -1e9) - now + cost, own) for key, cost, own in charges]
        self._arrivals |= {charge.key: now + debt for charge, debt in zip(charges, debts, strict=True)}
        await _Pause()
        return debts


class Node:
    """The limits of one node, whose reports move when the test says so."""

    def __init__(self, clock: FrozenClock, ledger: ModelLedger, limit: Limit, *, address_users: int = 0) -> None:
        declared = {
            EVENT: Declared(limit),
            UNKNOWN_NAME: Declared(UNKNOWN),
            "POST /auth/signup": Declared(limit, of_addresses=True),
        }
        self.limits = SharedLimits(
            rules(declared, address_users=address_users),
            ledger,
            uncapped=["127.0.0.1"],
            now=lambda: clock.now_ms() / 1000,
        )
        self._under_way: Coroutine[Any, Any, None] | None = None

    def wait(self) -> float:
        """Have Ada send one."""
        return self.limits.wait(EVENT, ADA, None)

    def step(self) -> None:
        """Send what is due, or take a report that was sent one step further."""
        if self._under_way is None:
            self._under_way = self.limits.report()
        self._under_way = _step(self._under_way)

    def report(self) -> None:
        """Report what is due, and have the answer at once."""
        self.step()
        while self._under_way is not None:
            self.step()

    def forget(self) -> None:
        """Forget what is idle, and have the last of it reported."""
        rest: Coroutine[Any, Any, None] | None = self.limits.forget()
        while rest is not None:
            rest = _step(rest)


def _step(coroutine: Coroutine[Any, Any, None]) -> Coroutine[Any, Any, None] | None:
    try:
        coroutine.send(None)
    except StopIteration:
        return None
    return coroutine
