"""How presence changed in the past: what is kept of it, and how it gets from where it happens to where it is kept."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from hub.kernel.clock import Clock
from hub.kernel.errors import Unavailable
from hub.kernel.ids import UserId
from hub.kernel.tasks import Running, Tasks
from presence.model import Status
from presence.transitions import EntryId

log = logging.getLogger(__name__)

RECORD_EVERY_S = 1.0
PURGE_EVERY_S = 3600.0


@dataclass(frozen=True, slots=True)
class Past:
    """A change of somebody's presence."""

    user_id: UserId
    version: int
    """Of the user's own view; each change has its own."""
    at: datetime
    status: Status
    """From then on: the truth, invisible included."""


class HistoryQueue(Protocol):
    """Changes that were told and are not in the history yet. Both methods raise Unavailable."""

    async def oldest(self) -> list[tuple[EntryId, Past]]:
        """The oldest of each part, a bounded number."""
        ...

    async def remove(self, entries: Sequence[EntryId]) -> None:
        """These are in the history. Idempotent."""
        ...


class HistoryStore(Protocol):
    """The history itself."""

    async def add(self, queue: HistoryQueue) -> int:
        """Take what waits in ``queue``, each change once; how many that were. 0 while another node is at it.

        What cannot be taken stays in the queue. Raises Unavailable.
        """
        ...

    async def page(self, user_id: UserId, *, before: int | None, limit: int) -> list[Past]:
        """The latest changes of a user with a lower version than ``before``, latest first."""
        ...

    async def purge(self, until: datetime) -> int:
        """Forget all up to then; how many that were."""
        ...


class Recorder:
    """Moves changes into the history, on every node, and forgets those that are too old."""

    def __init__(self, queue: HistoryQueue, store: HistoryStore, clock: Clock, days: int) -> None:
        """``days``: how long they are kept. 0: not at all, and what was kept before is forgotten."""
        self._queue = queue
        self._store = store
        self._clock = clock
        self._kept = timedelta(days=days)

    def start(self, tasks: Tasks) -> list[Running]:
        """Do so until cancelled, whatever happens to Redis or PostgreSQL."""
        running = [tasks.start(self._purge_for_ever(), name="purge of presence history")]
        if self._kept:
            running.append(tasks.start(self._record_for_ever(), name="presence history"))
        return running

    async def record(self) -> int:
        """Move what waits; how many that were. Raises Unavailable, or what the database raises."""
        total = 0
        while moved := await self._store.add(self._queue):
            total += moved
        return total

    async def purge(self) -> int:
        """Forget what is too old; how many that were. Raises what the database raises."""
        return await self._store.purge(self._clock.now() - self._kept)

    async def _record_for_ever(self) -> None:
        while True:
            await asyncio.sleep(RECORD_EVERY_S)
            try:
                await self.record()
            except Unavailable:
                log.info("presence history waits: Redis does not answer")
            except Exception:
                log.exception("presence history waits")  # in Redis, which keeps a bounded number

    async def _purge_for_ever(self) -> None:
        while True:
            try:
                if gone := await self.purge():
                    log.info("%d changes of presence were too old to be kept", gone)
            except Exception:
                log.exception("old presence history was not purged")
            await asyncio.sleep(PURGE_EVERY_S)
