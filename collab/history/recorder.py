"""Counts who changed which document, in memory, and writes it down every few seconds."""

import asyncio
import logging
from datetime import datetime
from typing import Protocol

from collab.history.model import Contribution, interval_of
from hub.kernel.clock import Clock

log = logging.getLogger(__name__)

CLOSE_S = 2.0
"""How long closing waits for the database."""
MOST_WAITING = 100_000
"""Contributions that wait while the database is away, some 30 MB. Newer ones are not counted then."""


class ContributionStore(Protocol):
    """Stored contributions."""

    async def add(self, contributions: list[Contribution], now: datetime) -> None:
        """Add to what is stored of each, and to what each document has had since its last version. Atomic."""
        ...

    async def of_document(self, document_id: str, limit: int, after: tuple[datetime, str] | None) -> list[Contribution]:
        """The contributions to a document, newest first, past the (interval, user) ``after``."""
        ...


class Contributions:
    """Notes every change that was acknowledged. A write for each would cost as much as the change itself.

    What was noted in the last seconds before a node is killed is not counted. The changes themselves are kept.
    """

    def __init__(self, store: ContributionStore, clock: Clock, *, flush_s: float) -> None:
        self._store = store
        self._clock = clock
        self._flush_s = flush_s
        self._waiting: dict[tuple[str, str, datetime], Contribution] = {}
        self._flushing = asyncio.Lock()

    def note(self, document_id: str, user_id: str, size: int, changes: int = 1) -> None:
        """Count updates of so many bytes together, now. A few microseconds."""
        began_at = interval_of(self._clock.now_ms())
        key = (document_id, user_id, began_at)
        waiting = self._waiting.get(key)
        if waiting is None:
            if len(self._waiting) >= MOST_WAITING:
                return
            waiting = self._waiting[key] = Contribution(document_id, user_id, began_at, 0, 0)
        waiting.changes += changes
        waiting.bytes += size

    async def flush(self) -> None:
        """Write down what was noted so far. Raises what the database raises, and keeps it for the next time then."""
        async with self._flushing:
            batch, self._waiting = self._waiting, {}
            if not batch:
                return
            try:
                await self._store.add(list(batch.values()), self._clock.now())
            except BaseException:
                for key, contribution in batch.items():
                    newer = self._waiting.setdefault(key, contribution)
                    if newer is not contribution:
                        newer.changes += contribution.changes
                        newer.bytes += contribution.bytes
                raise

    async def run(self) -> None:
        """Write for ever, through outages of the database."""
        while True:
            await asyncio.sleep(self._flush_s)
            try:
                await self.flush()
            except Exception as error:  # the next time it answers again
                log.warning("contributions to documents are not written down yet: %r", error)

    async def close(self) -> None:
        """Write down what is left, if the database answers."""
        try:
            async with asyncio.timeout(CLOSE_S):
                await self.flush()
        except Exception as error:
            log.warning("the last contributions to documents are not written down: %r", error)
