"""Whether the numbered messages of each sender come in order, each once, at one receiver."""

from collections.abc import Hashable
from dataclasses import dataclass, field

from load_tests.measures.faults import Disordered, Repeated


@dataclass(slots=True)
class Seen:
    """What has come of one sender: everything from `first` to `last` but for `skipped`."""

    first: int
    last: int
    skipped: set[int] = field(default_factory=set)


class Order:
    """One connection's view. A number that is passed over is no fault of order: it may be lost, or still to come."""

    def __init__(self) -> None:
        self._seen: dict[Hashable, Seen] = {}

    def check(self, sender: Hashable, number: int) -> Disordered | Repeated | None:
        """A message has come: what is wrong with its place. The first one seen of a sender is right anyhow."""
        seen = self._seen.get(sender)
        if seen is None:
            self._seen[sender] = Seen(number, number)
            return None
        if number > seen.last:
            seen.skipped.update(range(seen.last + 1, number))
            seen.last = number
            return None
        if number < seen.first:
            seen.skipped.update(range(number + 1, seen.first))
            seen.first = number
            return Disordered()
        if number in seen.skipped:
            seen.skipped.remove(number)
            return Disordered()
        return Repeated()

    def forget(self, sender: Hashable) -> None:
        """Nothing more is expected of ``sender``."""
        self._seen.pop(sender, None)
