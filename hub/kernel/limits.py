"""How often something may be asked for: what events and routes declare."""

from collections.abc import Mapping
from dataclasses import dataclass

MOST_PER_MINUTE = 60_000_000
"""One in a microsecond. More is no limit, and a limit can be switched off."""


@dataclass(frozen=True, slots=True)
class Limit:
    """An allowance by the generic cell rate algorithm: ``burst`` at once, and ``per_minute`` in the long run.

    After a burst one more comes back every ``60 / per_minute`` seconds. Raises ValueError for what is no allowance.
    """

    per_minute: int
    burst: int

    def __post_init__(self) -> None:
        if not 1 <= self.per_minute <= MOST_PER_MINUTE:
            raise ValueError(f"{self.per_minute} a minute is not between 1 and {MOST_PER_MINUTE}")
        if not 1 <= self.burst <= MOST_PER_MINUTE:
            raise ValueError(f"a burst of {self.burst} is not between 1 and {MOST_PER_MINUTE}")

    @classmethod
    def a_minute(cls, count: int, burst: int | None = None) -> "Limit":
        """``count`` a minute, all at once if there is no ``burst``. As settings have them: more than the most is it."""
        return cls(min(count, MOST_PER_MINUTE), min(count if burst is None else burst, MOST_PER_MINUTE))

    @property
    def interval_s(self) -> float:
        """Seconds in which one comes back."""
        return 60 / self.per_minute

    def times(self, factor: int) -> "Limit":
        """The allowance of so many together."""
        return Limit(min(self.per_minute * factor, MOST_PER_MINUTE), min(self.burst * factor, MOST_PER_MINUTE))


@dataclass(frozen=True, slots=True)
class Declared:
    """A limit as an event or route declares it; ``of_addresses``: it is for strangers, so an address has one.

    ``None``: there is no limit.
    """

    limit: Limit | None
    of_addresses: bool = False


EVENT = Limit(per_minute=600, burst=200)
"""Of an event that declares nothing else: a client that comes back joins all its rooms at once."""
READ = Limit(per_minute=1200, burst=300)
"""Of a GET: a page that opens asks for some twenty things, and its owner has several open."""
WRITE = Limit(per_minute=300, burst=100)
"""Of any other request: scripts import, people do not write five times a second."""
UNKNOWN = Limit(per_minute=60, burst=30)
"""Of all events together that do not exist: a client of another version, or somebody who tries what there is."""


class Unlimited:
    """Implements hub.kernel.ports.Limits for where nothing is limited."""

    def source(self, _address: str) -> str | None:
        """See Limits."""
        return None

    def wait(self, _name: str, _user_id: str | None, _source: str | None) -> float:
        """See Limits."""
        return 0.0

    def wait_for_all(self, _counts: Mapping[str, int], _user_id: str | None, _source: str | None) -> float:
        """See Limits."""
        return 0.0


UNLIMITED = Unlimited()
