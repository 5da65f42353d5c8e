"""The documents in memory, kept in step with the log: loaded, read on from hints or the log, dropped.

No node owns a document. What another node has committed is taken from its publication, or from the log when the
numbers show that this node missed some; a probe finds what no publication told of.
"""

import asyncio
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from collab import state_vector
from collab.commits import Commit
from collab.compaction import Compaction
from collab.document import BrokenDocument, Document
from collab.hints import Hints
from collab.hot import Hot, Shown
from collab.log import Known, Row, Snapshot, UpdateLog
from collab.long_work import LongWork, in_turns
from collab.metrics import METRICS
from collab.relay import Relay
from collab.settings import CollabSettings
from collab.state_vector import Clocks
from collab.update import LARGE_BYTES
from hub.kernel.errors import Unavailable
from hub.kernel.tasks import Tasks

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sources:
    """Where documents come from, and what keeps them short."""

    log: UpdateLog
    hints: Hints
    compaction: Compaction | None


class HotDocuments:
    """Opens documents, and reads what others add to them."""

    def __init__(self, sources: Sources, relay: Relay, long_work: LongWork, settings: CollabSettings) -> None:
        self.hot: dict[str, Hot] = {}
        """Also those that are being loaded."""
        self._log = sources.log
        self._hints = sources.hints
        self._compaction = sources.compaction
        self._relay = relay
        self._long_work = long_work
        self._settings = settings
        self._opening: dict[str, asyncio.Future[Hot]] = {}
        self._shown: dict[str, Clocks] = {}
        """How far the clients of a broken document had come: what they are shown when it is back."""
        self._probe_wake = asyncio.Event()
        self._tasks = Tasks()
        if self._compaction is not None:
            self._compaction.folded = self._on_folded
        self._hints.receive = self._on_hint
        self._hints.reconnected = self._probe_wake.set

    def start(self) -> None:
        """Begin to listen and to probe."""
        self._tasks.start(self._hints.run(), name="collab hints")
        self._tasks.start(self._probe_for_ever(), name="collab probe")

    async def close(self) -> None:
        """Stop."""
        await self._tasks.close()

    # ---------------------------------------------------------------- opening, dropping

    async def open(self, document_id: str) -> Hot:
        """The document, loaded. Raises Unavailable."""
        hot = self.hot.get(document_id)
        if hot is not None and hot.document.refused:
            self.replace(hot)
        elif hot is not None and hot.ready:
            hot.used_at = time.monotonic()
            return hot
        if document_id not in self._opening:
            self._begin_opening(document_id)
        return await asyncio.shield(self._opening[document_id])

    async def at_rest(self, document_id: str) -> Hot:
        """The document, loaded and with nothing half applied, until the caller awaits something. Raises Unavailable."""
        hot = await self.open(document_id)
        while hot.turn.locked():
            async with hot.turn:
                """Whoever holds it has come to an end."""
            hot = await self.open(document_id)
        return hot

    def _begin_opening(self, document_id: str) -> None:
        opening = self._opening[document_id] = asyncio.get_running_loop().create_future()
        hot = self.hot[document_id] = Hot(Document(document_id), time.monotonic())
        self._tasks.start(self._load(hot, opening), name=f"open document {document_id}")

    async def _load(self, hot: Hot, opening: asyncio.Future[Hot]) -> None:
        document = hot.document
        try:
            # Subscribe first, then read: what is committed after the read comes as a hint, and twice is harmless.
            await self._hints.subscribe(document.id)
            await self.fill(hot)
        except (Unavailable, BrokenDocument) as error:
            log.warning("document %s could not be loaded: %s", document.id, error)
        finally:
            del self._opening[document.id]
            if hot.answered and not document.broken:
                hot.ready = True
                opening.set_result(hot)
                self.grown(document)
            else:
                self.hot.pop(document.id, None)
                opening.set_exception(Unavailable("The document cannot be loaded just now."))
                opening.exception()  # seen: perhaps nobody waits
        if hot.ready and (shown := self._shown.pop(document.id, None)) is not None:
            self._show(hot, [document.diff(state_vector.encode(shown))])

    def replace(self, hot: Hot) -> None:
        """Drop a document that Yrs or the database has broken, and load it again. Its subscribers notice nothing.

        What it had queued is still committed: it was applied in causal order before.
        """
        document = hot.document
        if self.hot.get(document.id) is not hot or not hot.ready:
            return
        log.warning("document %s is loaded again", document.id)
        del self.hot[document.id]
        if self._relay.has_subscribers(document.id):
            self._shown.setdefault(document.id, dict(document.clocks))
        self._begin_opening(document.id)

    def left(self, document_id: str) -> None:
        """Somebody is shown a document no more."""
        if not self._relay.has_subscribers(document_id):
            self._shown.pop(document_id, None)

    def _unload(self) -> None:
        """Drop what nobody has open: after a while, or at once when memory is short."""
        now = time.monotonic()
        idle = [
            hot
            for document_id, hot in self.hot.items()
            if hot.ready and hot.committed and not self._relay.has_subscribers(document_id)
        ]
        held = sum(hot.document.cost for hot in self.hot.values())
        for hot in sorted(idle, key=lambda hot: hot.used_at):
            if held > self._settings.hot_bytes or now - hot.used_at >= self._settings.idle_s:
                held -= hot.document.cost
                del self.hot[hot.document.id]
                self._tasks.start(self._hints.unsubscribe(hot.document.id), name="unsubscribe a document")
        METRICS.open, METRICS.held_bytes = len(self.hot), held

    # ---------------------------------------------------------------- what was committed, here and elsewhere

    def committed(self, commit: Commit) -> None:
        """A row of this node is in the log."""
        row, document = commit.row, commit.document
        hot = self.hot.get(row.document_id)
        if hot is None or (have := hot.document.position.get(row.stream, 0)) >= row.number:
            return
        # Contained only in the Document that applied it. One loaded anew has to read it, and what came before.
        if hot.document is document and have + 1 == row.number:
            document.reach(row.stream, row.number)
            self.grown(document)
        else:
            self._fill_soon(hot)

    def grown(self, document: Document, *, at_once: bool = False) -> None:
        """Note that a document has become longer; ``at_once``: somebody waits for its compaction."""
        if self._compaction is not None:
            self._compaction.grown(document.id, document.tail, at_once=at_once)

    def _on_folded(self, document_id: str) -> None:
        hot = self.hot.get(document_id)
        if hot is not None:
            self._fill_soon(hot)  # what it reads is the new position, not the state

    def _on_hint(self, row: Row) -> None:
        hot = self.hot.get(row.document_id)
        if hot is None:
            return
        have = hot.document.position.get(row.stream, 0)
        if row.number <= have:
            return
        if row.number > have + 1 or hot.turn.locked() or len(row.data) > LARGE_BYTES:
            self._fill_soon(hot)
            return
        try:
            updates = hot.document.read(row)
            if not all(update.small for _, update in updates):
                self._fill_soon(hot)
                return
            self._show(hot, filter(None, hot.document.taking(row, updates)))
        except BrokenDocument as error:
            log.warning("document %s: %s", row.document_id, error)
            self.replace(hot)
        else:
            if hot.document.early:  # it builds on a stream whose hint has not come
                self._fill_soon(hot)

    def _fill_soon(self, hot: Hot) -> None:
        if not hot.queued:
            hot.queued = True
            self._tasks.start(self._fill_quietly(hot), name=f"read document {hot.document.id}")

    async def _fill_quietly(self, hot: Hot) -> None:
        try:
            await self.fill(hot)
        except Unavailable as error:
            log.info("document %s not read, the probe will: %s", hot.document.id, error)
        except BrokenDocument as error:
            log.warning("document %s: %s", hot.document.id, error)
            self.replace(hot)

    async def fill(self, hot: Hot) -> None:
        """Apply what the log has and the document lacks. Raises Unavailable and BrokenDocument.

        One read at a time; a read serves all who asked before it began.
        """
        hot.asked += 1
        mine, document = hot.asked, hot.document
        async with hot.reading:
            hot.queued = False
            if hot.answered >= mine or document.broken:
                return
            serves = hot.asked
            reading = await self._log.read(document.id, Known(document.generation, dict(document.position)))
            async with hot.turn:
                try:
                    if reading.snapshot is not None:
                        await self._load_snapshot(hot, reading.snapshot)
                    await self._long_work.take(document, reading.rows, partial(self._show, hot))
                except BaseException:  # also if whoever waits for it goes
                    document.broken = True  # it may count a row as contained that it has only a part of
                    self.replace(hot)
                    raise
            hot.answered = serves
            if document.early and not document.broken:
                log.error("document %s: %d updates lack what they build on", document.id, len(document.early))

    async def _load_snapshot(self, hot: Hot, snapshot: Snapshot) -> None:
        document, before = hot.document, hot.document.vector()
        pieces = await self._long_work.pieces(snapshot)
        await in_turns(document.loading(snapshot, pieces))
        if hot.ready and pieces:
            self._show(hot, [document.diff(before)])
        self._show(hot, document.apply_ready())

    def _show(self, hot: Hot, updates: Iterable[bytes]) -> None:
        changes = [Shown(update, None) for update in updates]  # gone through also if nobody is to be shown them
        if hot.ready:
            self._relay.show(hot.document.id, changes)

    # ---------------------------------------------------------------- the probe

    async def _probe_for_ever(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._settings.probe_s):
                    await self._probe_wake.wait()
            except TimeoutError:
                self._unload()
            self._probe_wake.clear()
            await self._probe()

    async def _probe(self) -> None:
        """Read what hints were lost of, and open again what could not be loaded while its clients waited."""
        for document_id in self._relay.documents - self.hot.keys():
            self._begin_opening(document_id)
        known = {
            document_id: Known(hot.document.generation, dict(hot.document.position))
            for document_id, hot in self.hot.items()
            if hot.ready
        }
        try:
            stale = await self._log.stale(known) if known else set[str]()
        except Unavailable as error:
            log.info("documents not probed: %s", error)
            return
        for document_id in stale & self.hot.keys():
            self._fill_soon(self.hot[document_id])
