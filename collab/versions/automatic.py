"""Keeps versions by itself: after an hour of editing, or after many changes."""

import asyncio
import logging
from datetime import timedelta

from collab.settings import CollabSettings
from collab.versions.service import Versions
from collab.versions.store import VersionStore
from hub.kernel.clock import Clock
from hub.kernel.errors import HubError, NotFound

log = logging.getLogger(__name__)

EVERY_S = 20.0
"""Between looks, one query each."""


class AutomaticVersions:
    """A loop that every node runs. Of two at once, each takes documents that the other does not."""

    def __init__(self, versions: Versions, store: VersionStore, clock: Clock, settings: CollabSettings) -> None:
        self._versions = versions
        self._store = store
        self._clock = clock
        self._changes = settings.version_changes
        self._after = timedelta(seconds=settings.version_s)

    async def keep(self) -> int:
        """Keep a version of each document that is due, and return how many there were."""
        kept = 0
        while (document_id := await self._store.claim_due(self._changes, self._clock.now() - self._after)) is not None:
            try:
                await self._versions.keep_automatic(document_id)
                kept += 1
            except NotFound:
                continue  # deleted
            except HubError as error:
                log.warning("no version of document %s is kept: %s", document_id, error.message)
                if error.temporary:
                    await self._store.give_back(document_id, self._clock.now())
        return kept

    async def run(self) -> None:
        """Keep versions for ever, through outages of the database."""
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.keep()
            except Exception as error:  # seconds later PostgreSQL answers again
                log.warning("no versions of documents are kept: %r", error)
