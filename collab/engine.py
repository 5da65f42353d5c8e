"""The documents that are open on this node, kept in step with the log and so with every other node.

No node owns a document. An update is applied here, committed, acknowledged, shown to the clients of this node, and
published; other nodes take it from the publication, or from the log when the numbers show that they missed one.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Iterable

from collab import deletions, state_vector
from collab.commits import Commit, GroupCommit, Submission
from collab.compaction import Compaction
from collab.decoding import BadUpdate
from collab.document import BrokenDocument, Document, NestingUnknown
from collab.hints import Hints
from collab.hot import Gap, Hot, Joined, Subscriber
from collab.log import Known, Row, Snapshot, UpdateLog, unpack
from collab.long_work import LongWork, in_turns
from collab.metrics import METRICS
from collab.parsed import Update
from collab.proof import NotProved
from collab.settings import CollabSettings
from collab.state_vector import Clocks
from collab.update import LARGE_BYTES
from hub.kernel.errors import Overloaded, PayloadTooLarge, Unavailable
from hub.kernel.tasks import Tasks

log = logging.getLogger(__name__)

CLOSE_S = 5.0
"""How long closing waits for the last commits."""
MAX_UNPUBLISHED = 1000
"""Rows that wait for Redis. Older ones are dropped: the probe of the other nodes finds them."""

NOTHING = b"\0\0"
"""An update that changes nothing."""
NO_ROW = "0-0"
"""Instead of the place in the log of an update that needs none."""


class Engine:
    """Joins clients to documents and takes their changes. Knows no transport."""

    def __init__(
        self, updates: UpdateLog, hints: Hints, settings: CollabSettings, compaction: Compaction | None = None
    ) -> None:
        """Without ``compaction`` the log only grows."""
        self._log = updates
        self._hints = hints
        self._settings = settings
        self._hot: dict[str, Hot] = {}
        self._opening: dict[str, asyncio.Future[Hot]] = {}
        self._subscribers: dict[str, set[Subscriber]] = {}
        self._shown: dict[str, Clocks] = {}
        """How far the clients of a broken document had come: what they are shown when it is back."""
        self._unpublished: deque[Row] = deque(maxlen=MAX_UNPUBLISHED)
        self._publish_wake = asyncio.Event()
        self._probe_wake = asyncio.Event()
        self._commits = GroupCommit(updates, self._on_commit, waiting_bytes=settings.waiting_bytes)
        self._compaction = compaction
        self._long_work = LongWork()
        self._tasks = Tasks()
        if compaction is not None:
            compaction.folded = self._on_folded
        hints.receive = self._on_hint
        hints.reconnected = self._probe_wake.set

    def start(self) -> None:
        """Begin to commit, to publish, to listen and to probe."""
        self._tasks.start(self._commits.run(), name="collab commits")
        self._tasks.start(self._hints.run(), name="collab hints")
        self._tasks.start(self._publish_for_ever(), name="collab publications")
        self._tasks.start(self._probe_for_ever(), name="collab probe")
        if self._compaction is not None:
            self._tasks.start(self._compaction.run(), name="collab compaction")

    async def close(self) -> None:
        """Commit what waits, for at most five seconds, and stop."""
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._commits.flushed()
        except TimeoutError:
            log.error("changes that were not acknowledged are dropped: the database did not answer")
        await self._tasks.close()

    def open_documents(self) -> frozenset[str]:
        """The documents in memory."""
        return frozenset(self._hot)

    async def join(self, document_id: str, subscriber: Subscriber, vector: bytes = state_vector.EMPTY) -> Joined:
        """Subscribe, and return what brings a client at ``vector`` up to date. Idempotent.

        Whatever is committed later is delivered. Raises BadUpdate if ``vector`` is none, and Unavailable.
        """
        await self._long_work.check_vector(vector)
        hot = await self._at_rest(document_id)
        joined, last = Joined(hot.document.diff(vector), hot.document.vector()), hot.last
        self._subscribers.setdefault(document_id, set()).add(subscriber)
        if hot.document.doubtful and not await self._long_work.is_right(joined, vector):
            joined, last = await self._from_log(document_id) or joined, None
        if last is not None:  # what a client is shown must be in the log
            await asyncio.shield(last.committed)
        return joined

    async def _from_log(self, document_id: str) -> Joined | None:
        """What Yrs cannot write of a document with half an emoji: its updates, merged, if that can be done."""
        reading = await self._log.read(document_id, Known(0, {}))
        updates = [] if reading.snapshot is None else [reading.snapshot.state or NOTHING]
        updates += [update for row in reading.rows for update in unpack(row.data)]
        try:
            return await self._long_work.merged(updates)
        except NotProved as error:
            log.warning("document %s has no right copy: %s", document_id, error)
            return None

    async def follow(self, document_id: str, subscriber: Subscriber) -> None:
        """Subscribe without being brought up to date, which takes 4 ms for each MB. Idempotent. Raises Unavailable."""
        await self._open(document_id)
        self._subscribers.setdefault(document_id, set()).add(subscriber)

    async def has(self, document_id: str, update: bytes) -> bool:
        """Whether an open document has all that a valid update says, and has it committed.

        It is found of updates that only delete; of others False is returned.
        """
        hot = self._hot.get(document_id)
        if hot is None or not hot.ready or not deletions.only_deletes(update):
            return False
        if not deletions.are_among(update, hot.document.diff(hot.document.vector())):
            return False
        if hot.last is not None:
            await asyncio.shield(hot.last.committed)
        return True

    def shown(self, document_id: str) -> bytes | None:
        """The state vector of what subscribers have been shown; ``None`` while they are to be shown more."""
        hot = self._hot.get(document_id)
        return hot.document.vector() if hot is not None and hot.ready and hot.committed else None

    def leave(self, document_id: str, subscriber: Subscriber) -> None:
        """Deliver no more. Idempotent."""
        subscribers = self._subscribers.get(document_id, set())
        subscribers.discard(subscriber)
        if not subscribers:
            self._subscribers.pop(document_id, None)
            self._shown.pop(document_id, None)

    async def submit(self, document_id: str, update: bytes, *, sender: str | None = None) -> str:
        """Take a change; returns the ``{stream}-{number}`` of its row in the log once that is committed.

        Submitting an update twice is harmless. One that changes nothing, as clients send when they come back, has no
        row and gives NO_ROW. Raises BadUpdate, Gap, PayloadTooLarge, Overloaded, and Unavailable if
        it is not known to be stored.
        """
        parsed = await self._long_work.prepare(update)
        if parsed.empty:
            return NO_ROW
        self._commits.check_room(len(update))
        hot = await self._at_rest(document_id)
        if parsed.gap(hot.document.clocks):
            await self._fill(hot)  # perhaps it builds on what another node has just committed
            hot = await self._at_rest(document_id)
        if parsed.small:  # at once: nothing is awaited before it is queued
            self._check(hot.document, update, parsed)
            try:
                hot.document.apply(update, parsed)  # before the commit: what Yrs refuses must never reach the log
            except BrokenDocument as error:
                self._replace(hot)
                raise BadUpdate(str(error)) from error
            submission = hot.last = self._commits.add(hot.document, update, sender)
        else:
            submission = await self._apply_large(document_id, update, parsed, sender)
        return await asyncio.shield(submission.committed)

    async def _apply_large(self, document_id: str, update: bytes, parsed: Update, sender: str | None) -> Submission:
        while True:
            hot = await self._open(document_id)
            async with hot.turn:
                if self._hot.get(document_id) is not hot:
                    continue  # it was loaded again meanwhile
                self._check(hot.document, update, parsed)
                try:
                    await in_turns(hot.document.applying(update, parsed))
                except BaseException as error:  # also if whoever waits for it goes: a part of it must not stay
                    self._replace(hot)
                    if isinstance(error, BrokenDocument):
                        raise BadUpdate(str(error)) from error
                    raise
                hot.last = self._commits.add(hot.document, update, sender)
                return hot.last

    def _check(self, document: Document, update: bytes, parsed: Update) -> None:
        """Raise what `submit` raises of an update that must not be applied."""
        if parsed.gap(document.clocks):
            raise Gap(document.vector())
        if document.size + len(update) > self._settings.document_bytes:
            raise PayloadTooLarge(f"A document may have {self._settings.document_bytes} bytes of changes.")
        try:
            document.check_nesting(parsed)
        except NestingUnknown as error:
            self._grown(document, at_once=True)
            raise Overloaded("The document is being compacted. Try again in a moment.") from error

    # Opening, dropping

    async def _open(self, document_id: str) -> Hot:
        """The document, loaded. Raises Unavailable."""
        hot = self._hot.get(document_id)
        if hot is not None and hot.document.refused:
            self._replace(hot)
        elif hot is not None and hot.ready:
            hot.used_at = time.monotonic()
            return hot
        if document_id not in self._opening:
            self._begin_opening(document_id)
        return await asyncio.shield(self._opening[document_id])

    async def _at_rest(self, document_id: str) -> Hot:
        """The document, loaded, and nothing half applied to it, until the caller awaits something."""
        hot = await self._open(document_id)
        while hot.turn.locked():
            async with hot.turn:
                """Whoever holds it has come to an end."""
            hot = await self._open(document_id)
        return hot

    def _begin_opening(self, document_id: str) -> None:
        opening = self._opening[document_id] = asyncio.get_running_loop().create_future()
        hot = self._hot[document_id] = Hot(Document(document_id), time.monotonic())
        self._tasks.start(self._load(hot, opening), name=f"open document {document_id}")

    async def _load(self, hot: Hot, opening: asyncio.Future[Hot]) -> None:
        document = hot.document
        try:
            # Subscribe first, then read: what is committed after the read comes as a hint, and twice is harmless.
            await self._hints.subscribe(document.id)
            await self._fill(hot)
        except (Unavailable, BrokenDocument) as error:
            log.warning("document %s could not be loaded: %s", document.id, error)
        finally:
            del self._opening[document.id]
            if hot.answered and not document.broken:
                hot.ready = True
                opening.set_result(hot)
                self._grown(document)
            else:
                self._hot.pop(document.id, None)
                opening.set_exception(Unavailable("The document cannot be loaded just now."))
                opening.exception()  # seen: perhaps nobody waits
        if hot.ready and (shown := self._shown.pop(document.id, None)) is not None:
            self._relay(hot, [document.diff(state_vector.encode(shown))])

    def _replace(self, hot: Hot) -> None:
        """Drop a document that Yrs or the database has broken, and load it again. Its subscribers notice nothing.

        What it had queued is still committed: it was applied in causal order before.
        """
        document = hot.document
        if self._hot.get(document.id) is not hot or not hot.ready:
            return
        log.warning("document %s is loaded again", document.id)
        del self._hot[document.id]
        if document.id in self._subscribers:
            self._shown.setdefault(document.id, dict(document.clocks))
        self._begin_opening(document.id)

    def _unload(self) -> None:
        """Drop what nobody has open: after a while, or at once when memory is short."""
        now = time.monotonic()
        idle = [
            hot
            for document_id, hot in self._hot.items()
            if document_id not in self._subscribers and hot.ready and hot.committed
        ]
        held = sum(hot.document.cost for hot in self._hot.values())
        for hot in sorted(idle, key=lambda hot: hot.used_at):
            if held > self._settings.hot_bytes or now - hot.used_at >= self._settings.idle_s:
                held -= hot.document.cost
                del self._hot[hot.document.id]
                self._tasks.start(self._hints.unsubscribe(hot.document.id), name="unsubscribe a document")
        METRICS.open, METRICS.held_bytes, METRICS.waiting_bytes = len(self._hot), held, self._commits.waiting_bytes

    # Taking in what was committed, here and elsewhere

    def _on_commit(self, commit: Commit) -> None:
        row, document = commit.row, commit.document
        hot = self._hot.get(row.document_id)
        if hot is not None and (have := hot.document.position.get(row.stream, 0)) < row.number:
            # Contained only in the Document that applied it. One loaded anew has to read it, and what came before.
            if hot.document is document and have + 1 == row.number:
                document.reach(row.stream, row.number)
                self._grown(document)
            else:
                self._fill_soon(hot)
        METRICS.commits += 1
        METRICS.updates += len(commit.submissions)
        for submission in commit.submissions:
            self._deliver(row.document_id, submission.update, submission.sender)
        self._unpublished.append(row)
        self._publish_wake.set()

    def _grown(self, document: Document, *, at_once: bool = False) -> None:
        if self._compaction is not None:
            self._compaction.grown(document.id, document.tail, at_once=at_once)

    def _on_folded(self, document_id: str) -> None:
        hot = self._hot.get(document_id)
        if hot is not None:
            self._fill_soon(hot)  # what it reads is the new position, not the state

    def _on_hint(self, row: Row) -> None:
        hot = self._hot.get(row.document_id)
        if hot is None:
            return
        have = hot.document.position.get(row.stream, 0)
        if row.number <= have:
            return
        if row.number > have + 1 or hot.turn.locked() or len(row.data) > LARGE_BYTES:
            self._fill_soon(hot)
        else:
            try:
                updates = hot.document.read(row)
                if not all(update.small for _, update in updates):
                    self._fill_soon(hot)
                    return
                applied = list(filter(None, hot.document.taking(row, updates)))
                self._relay(hot, applied)
            except BrokenDocument as error:
                log.warning("document %s: %s", row.document_id, error)
                self._replace(hot)
            else:
                if hot.document.early:  # it builds on a stream whose hint has not come
                    self._fill_soon(hot)

    def _fill_soon(self, hot: Hot) -> None:
        if not hot.queued:
            hot.queued = True
            self._tasks.start(self._fill_quietly(hot), name=f"read document {hot.document.id}")

    async def _fill_quietly(self, hot: Hot) -> None:
        try:
            await self._fill(hot)
        except Unavailable as error:
            log.info("document %s not read, the probe will: %s", hot.document.id, error)
        except BrokenDocument as error:
            log.warning("document %s: %s", hot.document.id, error)
            self._replace(hot)

    async def _fill(self, hot: Hot) -> None:
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
                    for row in reading.rows:
                        await self._take(hot, row)
                except BaseException:  # also if whoever waits for it goes
                    document.broken = True  # it may count a row as contained that it has only a part of
                    self._replace(hot)
                    raise
            hot.answered = serves
            if document.early and not document.broken:
                log.error("document %s: %d updates lack what they build on", document.id, len(document.early))

    async def _load_snapshot(self, hot: Hot, snapshot: Snapshot) -> None:
        document, before = hot.document, hot.document.vector()
        pieces = await self._long_work.pieces(snapshot)
        await in_turns(document.loading(snapshot, pieces))
        if hot.ready and pieces:
            self._relay(hot, [document.diff(before)])
        self._relay(hot, document.apply_ready())

    async def _take(self, hot: Hot, row: Row) -> None:
        updates = await self._long_work.read(hot.document, row)
        self._relay(hot, await in_turns(hot.document.taking(row, updates)))

    def _relay(self, hot: Hot, updates: Iterable[bytes]) -> None:
        if hot.ready:
            for update in updates:
                self._deliver(hot.document.id, update, None)

    def _deliver(self, document_id: str, update: bytes, sender: str | None) -> None:
        for subscriber in self._subscribers.get(document_id, ()):
            subscriber.deliver(document_id, update, sender)

    # Background

    async def _publish_for_ever(self) -> None:
        while True:
            await self._publish_wake.wait()
            self._publish_wake.clear()
            rows = [self._unpublished.popleft() for _ in range(len(self._unpublished))]
            await self._hints.publish(rows)

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
        for document_id in self._subscribers.keys() - self._hot.keys():
            self._begin_opening(document_id)
        known = {
            document_id: Known(hot.document.generation, dict(hot.document.position))
            for document_id, hot in self._hot.items()
            if hot.ready
        }
        try:
            stale = await self._log.stale(known) if known else set[str]()
        except Unavailable as error:
            log.info("documents not probed: %s", error)
            return
        for document_id in stale & self._hot.keys():
            self._fill_soon(self._hot[document_id])
