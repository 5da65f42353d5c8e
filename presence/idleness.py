"""Which connections of this node nobody uses: their devices are shown as away, until somebody does."""

import time
from collections.abc import Sequence

from hub.kernel.clock import Clock
from hub.kernel.errors import Unavailable
from hub.kernel.events import Caller
from presence.connections_here import ConnectionsHere, Here
from presence.diffs import Diffs
from presence.schema import SetActive
from presence.store import PresenceStore

RENEWED_S = 300.0
"""While a connection is in use, the store hears of it this often: what devices show as their last activity is as exact,
and ten thousand busy connections cost 33 calls a second."""


class Idleness:
    """Looks, with each sweep, at when connections were active last. Their events only leave the time behind."""

    def __init__(self, here: ConnectionsHere, store: PresenceStore, diffs: Diffs, clock: Clock, away_s: float) -> None:
        """``away_s``: how long a connection may be left alone before it is idle; 0: for ever."""
        self._here = here
        self._store = store
        self._diffs = diffs
        self._clock = clock
        self._away_s = away_s

    async def set_active(self, caller: Caller, payload: SetActive) -> None:
        """The caller's client says whether somebody is there. Until it says so, or does something, nobody is."""
        here = self._here.get(caller)
        if here is None:
            raise Unavailable("This connection is closing. Try again on the next.")
        if payload.active:
            here.said_active_s = time.monotonic()
            if here.idle_at_s is not None:
                await self._notice([(here, here.said_active_s, False)])
        elif here.idle_at_s is None:
            await self._notice([(here, time.monotonic(), True)])

    async def sweep(self, part: int) -> None:
        """Notice who of one part has become idle, and who of all parts is no more. Raises Unavailable."""
        now_s = time.monotonic()
        noticed = [
            (here, active_s, False)
            for here in self._here
            if here.idle_at_s is not None and (active_s := self._here.active_s(here)) > here.idle_at_s
        ]
        for here in self._here.of_part(part):
            if here.idle_at_s is None:
                active_s = self._here.active_s(here)
                is_idle = 0 < self._away_s <= now_s - active_s
                if is_idle or active_s - here.stored_active_s >= RENEWED_S:
                    noticed.append((here, active_s, is_idle))
        await self._notice(noticed)

    async def _notice(self, noticed: Sequence[tuple[Here, float, bool]]) -> None:
        """Tell the store of connections when they were active last, and whether they are idle now."""
        connections = [self._here.noticed(here, idle=idle, active_s=active_s) for here, active_s, idle in noticed]
        async for change in self._store.notice(connections, self._clock.now_ms()):
            await self._diffs.announce(change)
        # Not before: without Redis it is noticed again. Who was active meanwhile is found by the next sweep.
        for here, active_s, idle in noticed:
            here.idle_at_s = active_s if idle else None
            here.stored_active_s = active_s
