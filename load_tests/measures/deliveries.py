"""What is on its way: which message is owed to whom, until it has come or its time is over."""

from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from itertools import takewhile


@dataclass(slots=True)
class Owed:
    """A message that some receivers still wait for."""

    event: str
    due_s: float
    deadline_s: float
    receivers: set[int]
    may_be_lost: bool


class Deliveries:
    """Messages between the users of one process.

    Whoever sends says beforehand who is there to receive it, so what never comes is noticed. Times are seconds of one
    monotonic clock.
    """

    def __init__(self, within_s: float) -> None:
        """``within_s`` is how long a delivery may take."""
        self._within_s = within_s
        self._owed: dict[Hashable, Owed] = {}  # in the order of their deadlines, since all have equally long
        self._waiting: Counter[int] = Counter()

    def expect(
        self,
        key: Hashable,
        event: str,
        receivers: Iterable[int],
        *,
        due_s: float,
        now_s: float,
        may_be_lost: bool = False,
    ) -> None:
        """``key`` is being sent to ``receivers``; it was due at ``due_s``.

        What ``may_be_lost`` is measured if it comes, and not missed if not. An earlier message of the same key is not
        waited for any more.
        """
        self.withdraw(key)
        owed = Owed(event, due_s, now_s + self._within_s, set(receivers), may_be_lost)
        if owed.receivers:
            self._owed[key] = owed
            if not may_be_lost:
                self._waiting.update(owed.receivers)

    def received(self, key: Hashable, receiver: int) -> float | None:
        """``receiver`` has got ``key``; gives when it was due, ``None`` if they were not waiting for it."""
        owed = self._owed.get(key)
        if owed is None or receiver not in owed.receivers:
            return None
        self._settle(owed, receiver)
        if not owed.receivers:
            del self._owed[key]
        return owed.due_s

    def withdraw(self, key: Hashable) -> None:
        """``key`` was not sent after all, or nobody knows whether it was."""
        owed = self._owed.pop(key, None)
        if owed is not None:
            for receiver in list(owed.receivers):
                self._settle(owed, receiver)

    def forget(self, receiver: int) -> None:
        """``receiver`` is not connected any more; nothing is owed to them."""
        for key, owed in list(self._owed.items()):
            if receiver in owed.receivers:
                self._settle(owed, receiver)
                if not owed.receivers:
                    del self._owed[key]

    def waiting(self, receiver: int) -> int:
        """How many messages are owed to ``receiver`` that may not be lost."""
        return self._waiting[receiver]

    def take_overdue(self, now_s: float) -> list[str]:
        """The events that did not come in time, once for each receiver who missed it. Each is told once."""
        missed: list[str] = []
        for key, owed in list(takewhile(lambda item: item[1].deadline_s <= now_s, self._owed.items())):
            if not owed.may_be_lost:
                missed += [owed.event] * len(owed.receivers)
            self.withdraw(key)
        return missed

    def _settle(self, owed: Owed, receiver: int) -> None:
        owed.receivers.discard(receiver)
        if not owed.may_be_lost:
            self._waiting[receiver] -= 1
