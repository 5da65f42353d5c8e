"""Joins clients to documents and takes their changes. Knows no transport.

An update is applied here, committed, shown to the clients of this node, acknowledged, and published: see
collab.commits, collab.relay, and collab.hot_documents of what other nodes do with it.
"""

import asyncio
import logging
from collections.abc import Iterator, Sequence

from collab import deletions, state_vector
from collab.commits import Commit, GroupCommit, Submission
from collab.compaction import Compaction
from collab.decoding import BadUpdate
from collab.document import BrokenDocument, Document, NestingUnknown
from collab.hints import Hints
from collab.hot import Gap, Joined, Shown, Subscriber
from collab.hot_documents import HotDocuments, Sources
from collab.log import Known, UpdateLog, unpack
from collab.long_work import LongWork, in_turns
from collab.metrics import METRICS
from collab.parsed import Update
from collab.proof import NotProved
from collab.relay import Relay
from collab.settings import CollabSettings
from collab.update import LARGE_BYTES, parse
from hub.kernel.errors import Overloaded, PayloadTooLarge
from hub.kernel.tasks import Tasks

log = logging.getLogger(__name__)

CLOSE_S = 5.0
"""How long closing waits for the last commits."""
NOTHING = b"\0\0"
"""An update that changes nothing."""
NO_ROW = "0-0"
"""Instead of the place in the log of an update that needs none."""


class Engine:
    """The documents that are open on this node, for whoever reads and changes them."""

    def __init__(
        self, updates: UpdateLog, hints: Hints, settings: CollabSettings, compaction: Compaction | None = None
    ) -> None:
        """Without ``compaction`` the log only grows."""
        self._log = updates
        self._settings = settings
        self._compaction = compaction
        self._long_work = LongWork()
        self._relay = Relay(hints)
        self._documents = HotDocuments(Sources(updates, hints, compaction), self._relay, self._long_work, settings)
        self._commits = GroupCommit(updates, self._on_commit, waiting_bytes=settings.waiting_bytes)
        self._tasks = Tasks()

    def start(self) -> None:
        """Begin to commit, to publish, to listen and to probe."""
        self._tasks.start(self._commits.run(), name="collab commits")
        self._tasks.start(self._relay.run(), name="collab publications")
        self._documents.start()
        if self._compaction is not None:
            self._tasks.start(self._compaction.run(), name="collab compaction")

    async def close(self) -> None:
        """Commit what waits, for at most five seconds, and stop."""
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._commits.flushed()
        except TimeoutError:
            log.error("changes that were not acknowledged are dropped: the database did not answer")
        await self._documents.close()
        await self._tasks.close()

    def open_documents(self) -> frozenset[str]:
        """The documents in memory."""
        return frozenset(self._documents.hot)

    # ---------------------------------------------------------------- who is shown what

    async def join(self, document_id: str, subscriber: Subscriber, vector: bytes = state_vector.EMPTY) -> Joined:
        """Subscribe, and return what brings a client at ``vector`` up to date. Idempotent.

        Whatever is committed later is delivered. Raises BadUpdate if ``vector`` is none, and Unavailable.
        """
        await self._long_work.check_vector(vector)
        hot = await self._documents.at_rest(document_id)
        joined, last = Joined(hot.document.diff(vector), hot.document.vector()), hot.last
        self._relay.subscribe(document_id, subscriber)
        if hot.document.doubtful and not await self._long_work.is_right(joined, vector):
            joined, last = await self._from_log(document_id) or joined, None
        if last is not None:  # what a client is shown must be in the log
            await last.stored()
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
        await self._documents.open(document_id)
        self._relay.subscribe(document_id, subscriber)

    async def has(self, document_id: str, update: bytes) -> bool:
        """Whether an open document has all that a valid update says, and has it committed.

        It is found of updates that only delete; of others False is returned.
        """
        hot = self._documents.hot.get(document_id)
        if hot is None or not hot.ready or not deletions.only_deletes(update):
            return False
        if not deletions.are_among(update, hot.document.diff(hot.document.vector())):
            return False
        if hot.last is not None:
            await hot.last.stored()
        return True

    def shown(self, document_id: str) -> bytes | None:
        """The state vector of what subscribers have been shown; ``None`` while they are to be shown more."""
        hot = self._documents.hot.get(document_id)
        return hot.document.vector() if hot is not None and hot.ready and hot.committed else None

    def leave(self, document_id: str, subscriber: Subscriber) -> None:
        """Deliver no more. Idempotent."""
        self._relay.unsubscribe(document_id, subscriber)
        self._documents.left(document_id)

    # ---------------------------------------------------------------- changes

    def take_at_once(self, document_id: str, updates: Sequence[bytes], *, sender: str | None) -> list[Submission]:
        """Take the first of these changes, as many as need no waiting: they are in the log when they are settled.

        What stands in the way of the next one, :meth:`submit` finds out once more, and waits or says it. Raises
        BadUpdate if Yrs refuses one, and takes none then.
        """
        hot = self._documents.hot.get(document_id)
        if hot is None or not hot.at_rest:
            return []
        try:
            updates = hot.document.apply_together(self._takeable(hot.document, updates))
        except BrokenDocument as error:
            self._documents.replace(hot)
            raise BadUpdate(str(error)) from error
        taken = [self._commits.add(hot.document, update, sender) for update in updates]
        if taken:
            hot.last = taken[-1]
        return taken

    def _takeable(self, document: Document, updates: Sequence[bytes]) -> Iterator[tuple[bytes, Update]]:
        """The first of these, up to one that has to wait or is to be refused; each has been applied when the next is
        looked at.
        """
        size = 0
        for update in updates:
            size += len(update)
            if len(update) > LARGE_BYTES or not self._commits.has_room(size):
                return
            try:
                parsed = parse(update)
                if parsed.empty or not parsed.small or parsed.gap(document.clocks):
                    return
                self._check_limits(document, update, parsed)
            except (BadUpdate, PayloadTooLarge, Overloaded):
                return
            yield update, parsed

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
        hot = await self._documents.at_rest(document_id)
        if parsed.gap(hot.document.clocks):
            await self._documents.fill(hot)  # perhaps it builds on what another node has just committed
            hot = await self._documents.at_rest(document_id)
        if parsed.small:  # at once: nothing is awaited before it is queued
            self._check(hot.document, update, parsed)
            try:
                hot.document.apply(update, parsed)  # before the commit: what Yrs refuses must never reach the log
            except BrokenDocument as error:
                self._documents.replace(hot)
                raise BadUpdate(str(error)) from error
            submission = hot.last = self._commits.add(hot.document, update, sender)
        else:
            submission = await self._apply_large(document_id, update, parsed, sender)
        return await submission.stored()

    async def _apply_large(self, document_id: str, update: bytes, parsed: Update, sender: str | None) -> Submission:
        while True:
            hot = await self._documents.open(document_id)
            async with hot.turn:
                if self._documents.hot.get(document_id) is not hot:
                    continue  # it was loaded again meanwhile
                self._check(hot.document, update, parsed)
                try:
                    await in_turns(hot.document.applying(update, parsed))
                except BaseException as error:  # also if whoever waits for it goes: a part of it must not stay
                    self._documents.replace(hot)
                    if isinstance(error, BrokenDocument):
                        raise BadUpdate(str(error)) from error
                    raise
                hot.last = self._commits.add(hot.document, update, sender)
                return hot.last

    def _check(self, document: Document, update: bytes, parsed: Update) -> None:
        """Raise what `submit` raises of an update that must not be applied."""
        if parsed.gap(document.clocks):
            raise Gap(document.vector())
        self._check_limits(document, update, parsed)

    def _check_limits(self, document: Document, update: bytes, parsed: Update) -> None:
        if document.size + len(update) > self._settings.document_bytes:
            raise PayloadTooLarge(f"A document may have {self._settings.document_bytes} bytes of changes.")
        try:
            document.check_nesting(parsed)
        except NestingUnknown as error:
            self._documents.grown(document, at_once=True)
            raise Overloaded("The document is being compacted. Try again in a moment.") from error

    def _on_commit(self, commit: Commit) -> None:
        self._documents.committed(commit)
        METRICS.commits += 1
        METRICS.updates += len(commit.submissions)
        changes = [Shown(submission.update, submission.sender) for submission in commit.submissions]
        self._relay.show(commit.row.document_id, changes)
        self._relay.publish(commit.row)
