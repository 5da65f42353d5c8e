"""Runs what a node does about calls by itself, see deadlines.py, at its times."""

import asyncio
import logging
import time

from hub.kernel.errors import Unavailable
from hub.kernel.tasks import Tasks
from signaling.deadlines import Deadlines
from signaling.legs import LocalLegs
from signaling.settings import CallSettings

log = logging.getLogger(__name__)

RENEWED_AT_ONCE = 50
"""Renewals in flight together: a node with thousands of calls must not take all its Redis connections for them."""


class CallSweeper:
    """Every node runs one. No two handle the same call at the same time, and any of them can be missing."""

    def __init__(self, deadlines: Deadlines, legs: LocalLegs, settings: CallSettings) -> None:
        self._deadlines = deadlines
        self._legs = legs
        self._settings = settings
        self._renew_at = 0.0
        self._sweep_from = 0.0

    def start(self, tasks: Tasks) -> None:
        """Run until ``tasks`` are closed."""
        tasks.start(self._run(), name="call sweeper")

    async def tick(self, now: float) -> None:
        """Do what is due. ``now`` is monotonic, in seconds. Never raises because Redis does not answer.

        After an outage all leases are over at once, though most parties are there. So every node first gets the time to
        renew those of its own, and only then does anybody sweep.
        """
        try:
            if now >= self._renew_at:
                await self.renew()
                self._renew_at = now + self._settings.leg_renew_every_s
            if now >= self._sweep_from:
                await self.sweep()
        except Unavailable:
            log.warning("calls are not swept: Redis does not answer")
            self._renew_at = now
            self._sweep_from = now + 2 * self._settings.leg_renew_every_s

    async def renew(self) -> None:
        """Renew the leases of all legs on this node."""
        legs = self._legs.all()
        for start in range(0, len(legs), RENEWED_AT_ONCE):
            some = legs[start : start + RENEWED_AT_ONCE]
            await asyncio.gather(*(self._deadlines.renew(leg.actor, leg.call_id) for leg in some))

    async def sweep(self) -> None:
        """Look at every call whose deadline has passed."""
        for call_id in await self._deadlines.take_due():
            try:
                await self._deadlines.expire(call_id)
            except Unavailable:
                raise
            except Exception:  # one call that cannot be handled must not hold up the deadlines of all others
                log.exception("call %s was not swept", call_id)

    async def _run(self) -> None:
        while True:
            await self.tick(time.monotonic())
            await asyncio.sleep(self._settings.sweep_every_s)
