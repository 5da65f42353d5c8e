"""Removes deleted documents for good, once their owners can no longer take the deletion back."""

import asyncio
import logging

from collab.settings import CollabSettings
from collab.store import DocumentStore
from hub.kernel.clock import Clock

log = logging.getLogger(__name__)

EVERY_S = 600.0
"""Between looks; also the longest that a document outlives its time."""


class Removal:
    """A loop that every node runs. Of two at once, each takes documents that the other does not."""

    def __init__(self, store: DocumentStore, clock: Clock, settings: CollabSettings) -> None:
        self._store = store
        self._clock = clock
        self._grace = settings.grace

    async def remove(self) -> int:
        """Remove what is due, one document a transaction, and return how many there were."""
        until, removed = self._clock.now() - self._grace, 0
        while (document_id := await self._store.remove_deleted(until)) is not None:
            log.info("document %s is removed", document_id)
            removed += 1
        return removed

    async def run(self) -> None:
        """Remove for ever, through outages of the database."""
        while True:
            try:
                await self.remove()
            except Exception as error:  # ten minutes later PostgreSQL answers again
                log.warning("deleted documents are not removed: %r", error)
            await asyncio.sleep(EVERY_S)
