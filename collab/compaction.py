"""Which documents are compacted when. The work itself is done elsewhere: see collab/compactor_process.py.

The node that commits a document's rows sees them grow, and has them folded into its snapshot. Several nodes may want
it at once, and nothing is agreed on: whoever comes second finds a locked snapshot, or few rows, and leaves it.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from collab.metrics import METRICS
from hub.kernel.errors import Unavailable
from hub.kernel.ids import new_uuid

log = logging.getLogger(__name__)

LEAST_S = 2.0
SNAPSHOT_BYTES_A_SECOND = 1 << 20
"""Of one document: each compaction writes all of it anew, 1.5 MB for a few hundred letters of a large one."""
FIRST_PAUSE_S = 30.0
LONGEST_PAUSE_S = 3600.0
"""Back-off of a document that cannot be compacted."""
SWEEP_S = 10.0
"""Between two looks for documents that nobody has open: at 10,000 rows each, three million rows in an hour."""
REMEMBERED = 10_000
"""Documents whose next time is kept in memory."""


@dataclass(frozen=True, slots=True)
class Folded:
    """What a compaction did."""

    rows: int
    """0: nothing, since another node is at it or was."""
    size: int = 0
    """Bytes of the snapshot."""


class NotWhole(Exception):
    """The rows do not make a whole document, so they are left as they are."""


class Compactor(Protocol):
    """Folds the rows of documents into their snapshots."""

    async def compact(self, document_id: str, least: int) -> Folded:
        """Fold the rows if they are at least so many updates.

        Raises NotWhole, and Unavailable if the database or whoever does it has failed: nothing is lost then.
        """
        ...

    async def close(self) -> None:
        """End what is under way. Idempotent."""
        ...


class CrowdedDocuments(Protocol):
    """The part of collab.log.UpdateLog that finds old rows."""

    async def crowded(self, after: str, rows: int) -> tuple[list[str], str]:
        """See collab.log.UpdateLog."""
        ...


@dataclass(slots=True)
class _Pause:
    until: float
    failures: int = 0


class Compaction:
    """Has documents compacted one after another, and remembers when each may be again."""

    def __init__(
        self, compactor: Compactor, updates: CrowdedDocuments, *, after: int, sweep_s: float = SWEEP_S
    ) -> None:
        """``after`` so many updates a document is due; one that nobody has open at a quarter of it."""
        self.folded: Callable[[str], None] = _ignore
        """Called when a document was compacted, so that who has it open takes note of the new snapshot."""
        self._compactor = compactor
        self._log = updates
        self._after = after
        self._sweep_s = sweep_s
        self._least = max(after // 4, 1)
        """Fewer are left: another node has compacted the document just now."""
        self._due: dict[str, int] = {}
        """Document → how many updates make it worth while."""
        self._wake = asyncio.Event()
        self._pauses: dict[str, _Pause] = {}
        self._swept_to = new_uuid()
        """Nodes begin anywhere, so that they do not all look at the same rows."""

    def grown(self, document_id: str, updates: int, *, at_once: bool = False) -> None:
        """Note how many updates a document has past its snapshot. Cheap: called at each commit.

        ``at_once``: somebody waits for it, however few they are.
        """
        if at_once or updates >= self._after:
            self._want(document_id, 1 if at_once else self._least)

    async def run(self) -> None:
        """Compact for ever, and look for old rows now and then."""
        next_sweep = time.monotonic() + self._sweep_s
        try:
            while True:
                while self._due:
                    document_id = next(iter(self._due))
                    await self._compact(document_id, self._due.pop(document_id))
                self._wake.clear()
                try:
                    async with asyncio.timeout(max(next_sweep - time.monotonic(), 0)):
                        await self._wake.wait()
                except TimeoutError:
                    await self._sweep()
                    next_sweep = time.monotonic() + self._sweep_s
        finally:
            await self._compactor.close()

    def _want(self, document_id: str, least: int) -> None:
        pause = self._pauses.get(document_id)
        if pause is None or pause.until <= time.monotonic():
            self._due[document_id] = min(least, self._due.get(document_id, least))
            self._wake.set()

    async def _compact(self, document_id: str, least: int) -> None:
        began = time.monotonic()
        try:
            folded = await self._compactor.compact(document_id, least)
        except (NotWhole, Unavailable) as error:
            METRICS.compactions_failed += 1
            self._failed(document_id, error)
            return
        self._pause(document_id, max(LEAST_S, folded.size / SNAPSHOT_BYTES_A_SECOND), failures=0)
        if folded.rows:
            METRICS.compactions += 1
            METRICS.rows_compacted += folded.rows
            took_ms = 1000 * (time.monotonic() - began)
            log.debug("document %s: %d rows compacted in %.0f ms", document_id, folded.rows, took_ms)
            self.folded(document_id)

    def _failed(self, document_id: str, error: Exception) -> None:
        before = self._pauses.get(document_id)
        failures = 1 if before is None else before.failures + 1
        self._pause(document_id, min(FIRST_PAUSE_S * 2 ** (failures - 1), LONGEST_PAUSE_S), failures)
        # Once is enough: it is tried again for as long as somebody has it open.
        level = logging.INFO if failures > 1 else logging.ERROR if isinstance(error, NotWhole) else logging.WARNING
        log.log(level, "document %s is not compacted: %s", document_id, error)

    def _pause(self, document_id: str, seconds: float, failures: int) -> None:
        self._pauses.pop(document_id, None)  # to the end, so that the oldest go first
        self._pauses[document_id] = _Pause(time.monotonic() + seconds, failures)
        if len(self._pauses) > REMEMBERED:
            del self._pauses[next(iter(self._pauses))]

    async def _sweep(self) -> None:
        """Find documents that have many rows though nobody makes more of them."""
        try:
            found, self._swept_to = await self._log.crowded(self._swept_to, self._least)
        except Unavailable as error:
            log.info("no look for old rows: %s", error)
            return
        for document_id in found:
            self._want(document_id, self._least)


def _ignore(_document_id: str) -> None:
    """Until the engine puts its own in place."""
