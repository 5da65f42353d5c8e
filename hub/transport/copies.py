"""Who has had an event that goes to several rooms, of which each has a copy of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Final

from hub.kernel.delivery import Delivery
from hub.kernel.ids import RoomName

KEPT_S: Final = 30.0
"""How long after an event its next copy may come. They are published together; a shard whose link has to be made anew
holds its own back for some seconds."""
MOST: Final = 200
"""Events that are remembered at a time, each with 50 bytes for everybody who has had it. Only posts that are published
go to several rooms."""


class Copies:
    """The connections of this node that have had such an event, for as long as a copy may come.

    Whoever is in several of its rooms gets it once, though they come into one of them, or leave it, between two copies.
    """

    def __init__(
        self, members: Callable[[RoomName], Collection[str]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``members``: the connections of this node in a room."""
        self._members = members
        self._clock = clock
        self._had: dict[str, tuple[float, set[str]]] = {}
        """By what an event's copies have in common: since when they come, and who has had one."""

    def __len__(self) -> int:
        return len(self._had)

    def have_had(self, delivery: Delivery, copy_of: str) -> Collection[str]:
        """Those in the rooms of a delivery that have had another copy. From now on all others there have had one."""
        _, had = self._had.get(copy_of) or self._begin(copy_of)
        members = set().union(*map(self._members, delivery.rooms))
        already = members & had
        had |= members
        return already

    def _begin(self, copy_of: str) -> tuple[float, set[str]]:
        now = self._clock()
        while self._had:
            first = next(iter(self._had))
            if len(self._had) < MOST and self._had[first][0] > now - KEPT_S:
                break
            del self._had[first]
        begun = self._had[copy_of] = (now, set[str]())
        return begun
