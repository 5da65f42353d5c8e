"""Group commit: one commit at a time, of everything that came in during the one before."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from collab.document import Document
from collab.log import Refused, Row, UpdateLog, Writer, pack
from collab.metrics import METRICS
from hub.kernel.errors import Overloaded, Unavailable

log = logging.getLogger(__name__)

BATCH_BYTES = 4 << 20
"""Of one commit: what PostgreSQL writes in about 20 ms."""
SPACING_S = 0.002
"""Between the beginnings of two commits. What comes after a pause is committed at once; of a stream of changes those of
two ms share a commit, a publication and a write to each reader, which cost more than all the rest."""
FIRST_PAUSE_S = 0.02
LONGEST_PAUSE_S = 1.0
"""Back-off between attempts while the database is away."""
STREAM_DOCUMENTS = 100_000
"""Documents numbered in one stream before another is opened: the numbers are held in memory."""


class Batch:
    """Changes that go into one commit. Settled once it is known of all of them whether they are stored."""

    __slots__ = ("_then", "bytes", "is_settled", "submissions")

    def __init__(self) -> None:
        self.submissions: list[Submission] = []
        self.bytes = 0
        self.is_settled = False
        self._then: list[Callable[[], None]] = []

    def then(self, call: Callable[[], None]) -> None:
        """Call it when the batch is settled, right after the changes were shown; at once if it is. Must not raise."""
        if self.is_settled:
            call()
        else:
            self._then.append(call)

    async def settled(self) -> None:
        """Wait until it is."""
        if not self.is_settled:
            settled = asyncio.get_running_loop().create_future()
            self.then(lambda: None if settled.done() else settled.set_result(None))  # who waited may be gone
            await settled

    def settle(self) -> None:
        """Tell all who wait. Idempotent."""
        self.is_settled = True
        calls, self._then = self._then, []
        for call in calls:
            try:
                call()
            except Exception:  # a bug of ours must not keep the others waiting, or end the commits
                log.exception("a client was not told what became of its change")


class Submission(msgspec.Struct, eq=False):
    """An update that was applied to a hot document and waits for its commit."""

    document: Document
    update: bytes
    sender: str | None
    batch: Batch
    place: str | None = None
    """The ``{stream}-{number}`` of its row; ``None`` until it is committed, and for ever if it will not be."""

    async def stored(self) -> str:
        """Wait for the commit; returns the place. Raises Unavailable if it is not kept."""
        await self.batch.settled()
        if self.place is None:
            raise Unavailable("The change could not be stored. Join the document again.")
        return self.place


@dataclass(frozen=True, slots=True)
class Commit:
    """One committed row, and what it was made of."""

    row: Row
    document: Document
    submissions: list[Submission]


@dataclass(slots=True)
class Stream:
    """An open writer, and the last number of each document in it."""

    writer: Writer
    numbers: dict[str, int] = field(default_factory=dict)

    def rows(self, entries: list[tuple[Document, list[Submission]]]) -> list[Row]:
        """The rows of a batch, numbered. Two entries of one document (it was loaded anew meanwhile) are two rows."""
        rows, last = [], dict[str, int]()
        for document, submissions in entries:
            number = last.get(document.id, self.numbers.get(document.id, 0)) + 1
            last[document.id] = number
            rows.append(
                Row(document.id, self.writer.stream, number, pack([each.update for each in submissions])),
            )
        return rows


class GroupCommit:
    """Commits submissions in the order they came, for all documents of this node together.

    An idle node commits at once, a busy one every two ms, and collects while a commit is under way. ``committed`` is
    called for each row before its clients are told.
    """

    def __init__(self, updates: UpdateLog, committed: Callable[[Commit], None], *, waiting_bytes: int) -> None:
        self._log = updates
        self._committed = committed
        self._limit = waiting_bytes
        self._waiting: deque[Batch] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._stream: Stream | None = None

    @property
    def waiting_bytes(self) -> int:
        """Of updates that wait for their commit."""
        return self._bytes

    def has_room(self, size: int) -> bool:
        """Whether ``size`` more bytes may wait, as all do while the database is away."""
        return self._bytes + size <= self._limit

    def check_room(self, size: int) -> None:
        """Raise Overloaded unless there is room."""
        if not self.has_room(size):
            raise Overloaded("Too many changes wait to be stored. Try again in a moment.")

    def add(self, document: Document, update: bytes, sender: str | None) -> Submission:
        """Queue an update that ``document`` has applied."""
        if not self._waiting or self._waiting[-1].bytes >= BATCH_BYTES:
            self._waiting.append(Batch())
            self._idle.clear()
            self._wake.set()
        batch = self._waiting[-1]
        submission = Submission(document, update, sender, batch)
        batch.submissions.append(submission)
        batch.bytes += len(update)
        self._bytes += len(update)
        METRICS.waiting_bytes = self._bytes
        return submission

    async def flushed(self) -> None:
        """Wait until nothing waits."""
        await self._idle.wait()

    async def run(self) -> None:
        """Commit for ever. Ends only by cancellation, whatever the database does."""
        loop = asyncio.get_running_loop()
        next_at = 0.0
        try:
            await self._warm_up()
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._waiting:
                    if (early := next_at - loop.time()) > 0:
                        await asyncio.sleep(early)
                    next_at = loop.time() + SPACING_S
                    await self._commit(self._waiting.popleft())
                self._idle.set()
        finally:
            self._drop_stream()

    async def _warm_up(self) -> None:
        """Connect before the first change comes: it would wait 80 ms longer than all others."""
        try:
            await self._open_stream()
        except Exception as error:  # the first commit tries again, and goes on trying
            log.info("no stream yet: %r", error)

    async def _commit(self, batch: Batch) -> None:
        self._bytes -= batch.bytes
        METRICS.waiting_bytes = self._bytes
        by_document: dict[Document, list[Submission]] = {}
        for submission in batch.submissions:
            by_document.setdefault(submission.document, []).append(submission)
        await self._commit_entries(list(by_document.items()))
        batch.settle()

    async def _commit_entries(self, entries: list[tuple[Document, list[Submission]]]) -> None:
        # What was built on an update that the database has refused would leave a gap for ever.
        entries = [(document, submissions) for document, submissions in entries if not document.refused]
        try:
            rows = await self._append(entries) if entries else []
        except Refused as refusal:
            if len(entries) > 1:  # the others must not suffer for the one
                for entry in entries:
                    await self._commit_entries([entry])
                return
            ((document, _),) = entries
            log.error("the database refuses an update of document %s: %s", document.id, refusal)
            document.refused = True
            return
        for row, (document, submissions) in zip(rows, entries, strict=True):
            place = f"{row.stream}-{row.number}"
            for submission in submissions:
                submission.place = place
            self._committed(Commit(row, document, submissions))

    async def _append(self, entries: list[tuple[Document, list[Submission]]]) -> list[Row]:
        """Commit, however often the connection breaks. Raises Refused.

        Whether a broken commit happened is unknown and does not matter: the same updates go into another stream, and
        Yjs takes an update twice without harm.
        """
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                stream = await self._open_stream()
                rows = stream.rows(entries)
                for row, (document, _) in zip(rows, entries, strict=True):
                    document.written.add((row.stream, row.number))
                await stream.writer.append(rows)
            except Refused:
                raise
            except Exception as error:  # asyncpg and uvloop raise all sorts on a killed server; this loop must not end
                log.warning("commit of %d documents failed, is tried again: %r", len(entries), error)
                self._drop_stream()
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            else:
                for row in rows:
                    stream.numbers[row.document_id] = row.number
                return rows

    async def _open_stream(self) -> Stream:
        if self._stream is not None and len(self._stream.numbers) >= STREAM_DOCUMENTS:
            self._drop_stream()
        if self._stream is None:
            self._stream = Stream(await self._log.open())
        return self._stream

    def _drop_stream(self) -> None:
        if self._stream is not None:
            self._stream.writer.drop()
        self._stream = None
