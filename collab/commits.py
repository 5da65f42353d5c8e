"""Group commit: one commit at a time, of everything that came in during the one before."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from collab.document import Document
from collab.log import Refused, Row, UpdateLog, Writer, pack
from hub.kernel.errors import Overloaded, Unavailable

log = logging.getLogger(__name__)

BATCH_BYTES = 4 << 20
"""Of one commit: what PostgreSQL writes in about 20 ms."""
FIRST_PAUSE_S = 0.02
LONGEST_PAUSE_S = 1.0
"""Back-off between attempts while the database is away."""
STREAM_DOCUMENTS = 100_000
"""Documents numbered in one stream before another is opened: the numbers are held in memory."""


@dataclass(eq=False, slots=True)
class Submission:
    """An update that was applied to a hot document and waits for its commit."""

    document: Document
    update: bytes
    sender: str | None
    committed: asyncio.Future[str]
    """The ``{stream}-{number}`` of its row, or Unavailable if it never will be committed."""

    def fail(self) -> None:
        """Tell the waiting client that the update is not kept."""
        if not self.committed.done():
            self.committed.set_exception(Unavailable("The change could not be stored. Join the document again."))
            self.committed.exception()  # seen: whoever waited may be gone


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

    def rows(self, batch: list[tuple[Document, list[Submission]]]) -> list[Row]:
        """The rows of a batch, numbered. Two entries of one document (it was loaded anew meanwhile) are two rows."""
        rows, last = [], dict[str, int]()
        for document, submissions in batch:
            number = last.get(document.id, self.numbers.get(document.id, 0)) + 1
            last[document.id] = number
            rows.append(
                Row(document.id, self.writer.stream, number, pack(each.update for each in submissions)),
            )
        return rows


class GroupCommit:
    """Commits submissions in the order they came, for all documents of this node together.

    There is no waiting for company: an idle node commits at once, a busy one collects while the commit before is
    under way (2,450 commits/s on a local disk). ``committed`` is called for each row before its clients are told.
    """

    def __init__(self, updates: UpdateLog, committed: Callable[[Commit], None], *, waiting_bytes: int) -> None:
        self._log = updates
        self._committed = committed
        self._limit = waiting_bytes
        self._waiting: deque[Submission] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._stream: Stream | None = None

    @property
    def waiting_bytes(self) -> int:
        """Of updates that wait for their commit."""
        return self._bytes

    def check_room(self, size: int) -> None:
        """Raise Overloaded if ``size`` more bytes are more than may wait, as while the database is away."""
        if self._bytes + size > self._limit:
            raise Overloaded("Too many changes wait to be stored. Try again in a moment.")

    def add(self, document: Document, update: bytes, sender: str | None) -> Submission:
        """Queue an update that ``document`` has applied."""
        submission = Submission(document, update, sender, asyncio.get_running_loop().create_future())
        self._waiting.append(submission)
        self._bytes += len(update)
        self._idle.clear()
        self._wake.set()
        return submission

    async def flushed(self) -> None:
        """Wait until nothing waits."""
        await self._idle.wait()

    async def run(self) -> None:
        """Commit for ever. Ends only by cancellation, whatever the database does."""
        try:
            await self._warm_up()
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._waiting:
                    await self._commit(self._next_batch())
                self._idle.set()
        finally:
            self._drop_stream()

    async def _warm_up(self) -> None:
        """Connect before the first change comes: it would wait 80 ms longer than all others."""
        try:
            await self._open_stream()
        except Exception as error:  # the first commit tries again, and goes on trying
            log.info("no stream yet: %r", error)

    def _next_batch(self) -> list[tuple[Document, list[Submission]]]:
        batch: dict[Document, list[Submission]] = {}
        size = 0
        while self._waiting and size < BATCH_BYTES:
            submission = self._waiting.popleft()
            self._bytes -= len(submission.update)
            size += len(submission.update)
            batch.setdefault(submission.document, []).append(submission)
        return list(batch.items())

    async def _commit(self, batch: list[tuple[Document, list[Submission]]]) -> None:
        batch = [entry for entry in batch if not self._refuse_if_lost(*entry)]
        try:
            rows = await self._append(batch) if batch else []
        except Refused as refusal:
            if len(batch) > 1:  # the others must not suffer for the one
                for entry in batch:
                    await self._commit([entry])
                return
            ((document, submissions),) = batch
            log.error("the database refuses an update of document %s: %s", document.id, refusal)
            document.refused = True
            self._refuse_if_lost(document, submissions)
            return
        for row, (document, submissions) in zip(rows, batch, strict=True):
            self._committed(Commit(row, document, submissions))
            for submission in submissions:
                if not submission.committed.done():
                    submission.committed.set_result(f"{row.stream}-{row.number}")

    def _refuse_if_lost(self, document: Document, submissions: list[Submission]) -> bool:
        """Fail what was built on an update that the database has refused: committed, it would leave a gap for ever."""
        if document.refused:
            for submission in submissions:
                submission.fail()
        return document.refused

    async def _append(self, batch: list[tuple[Document, list[Submission]]]) -> list[Row]:
        """Commit, however often the connection breaks. Raises Refused.

        Whether a broken commit happened is unknown and does not matter: the same updates go into another stream, and
        Yjs takes an update twice without harm.
        """
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                stream = await self._open_stream()
                rows = stream.rows(batch)
                for row, (document, _) in zip(rows, batch, strict=True):
                    document.written.add((row.stream, row.number))
                await stream.writer.append(rows)
            except Refused:
                raise
            except Exception as error:  # asyncpg and uvloop raise all sorts on a killed server; this loop must not end
                log.warning("commit of %d documents failed, is tried again: %r", len(batch), error)
                self._drop_stream()
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            else:
                stream.numbers.update((row.document_id, row.number) for row in rows)
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
