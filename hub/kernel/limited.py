"""Limits of what is neither an event nor a route: a feature declares them by name, and asks for several at once."""

from collections.abc import Mapping
from dataclasses import dataclass

from hub.kernel.errors import RateLimited
from hub.kernel.limits import UNLIMITED, Declared
from hub.kernel.ports import Limits


@dataclass
class Limited:
    """Nothing is limited until the composition root has made the operator's changes, and says who keeps the limits."""

    declared: dict[str, Declared]
    kept_by: Limits = UNLIMITED

    def source(self, address: str) -> str | None:
        """See Limits."""
        return self.kept_by.source(address)

    def take(self, counts: Mapping[str, int], user_id: str | None, source: str | None) -> None:
        """Count so many of each name. Raises RateLimited if one of them is too many, and counts nothing then."""
        if wait := self.kept_by.wait_for_all(counts, user_id, source):
            raise RateLimited(retry_after=wait)

    def too_many(self, counts: Mapping[str, int]) -> str | None:
        """A name that is never let through so often at once, however long one waits."""
        for name, count in counts.items():
            limit = self.declared[name].limit
            if limit is not None and count > limit.burst:
                return name
        return None
