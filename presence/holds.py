"""Ending holds: whoever is lost and does not come back is shown as gone. Texts of users end in the same way."""

from hub.kernel.clock import Clock
from hub.kernel.tasks import Running, Tasks
from presence.diffs import Diffs
from presence.rounds import go_round
from presence.store import PresenceStore

LOOK_S = 0.25
"""Between two looks for what is over, which wait for no step of the sweeper: after 9,000 people had left together these
took a second, and all that came due meanwhile was told at once."""


class Holds:
    """Ends them on every node. Several may end the same together: the store gives each transition to one."""

    def __init__(self, store: PresenceStore, diffs: Diffs, clock: Clock) -> None:
        self._store = store
        self._diffs = diffs
        self._clock = clock

    def start(self, tasks: Tasks) -> Running:
        """Look until cancelled, whatever happens to Redis."""
        return tasks.start(go_round(self.end, LOOK_S, "holds"), name="presence holds")

    async def end(self) -> None:
        """End what is over. Raises Unavailable; the next call goes on where this one stopped."""
        async for change in self._store.expire(self._clock.now_ms()):
            await self._diffs.announce(change)
