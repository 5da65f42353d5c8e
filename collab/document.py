"""A hot document: what this node has of it, in memory. Rules only, no I/O."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pycrdt import Doc

from collab import state_vector
from collab.cutting import cut, prepare
from collab.decoding import BadUpdate
from collab.log import Row, Snapshot, unpack
from collab.nesting import MAX_NESTING
from collab.parsed import Update
from collab.state_vector import Clocks

STRUCT_BYTES = 160
"""What Yrs takes for an item beside its content: 75 in a map, 150 in a text, 230 in a tree of elements."""

EMOJI = re.compile(rb"[\xf0-\xf4][\x80-\xbf]{3}")
"""A character of two UTF-16 units in UTF-8; now and then a number that looks like one."""


class BrokenDocument(Exception):
    """Yrs refused an update, perhaps after applying a part of it: the Document must be dropped and loaded again."""


class NestingUnknown(Exception):
    """How deep shared types lie in one another is known by too rough a bound: compaction finds it out."""


class Document:
    """One Yjs document and how far it has come.

    Yrs never holds anything pending: ``clocks`` is its state vector, and an update that comes before what it builds
    on waits outside, in ``early``.
    """

    def __init__(self, document_id: str) -> None:
        self.id = document_id
        self.clocks: Clocks = {}
        self.generation = 0
        """Of the snapshot that is contained here; 0 is none."""
        self.position: dict[int, int] = {}
        """Stream → last number of the log contained here."""
        self.written: set[tuple[int, int]] = set()
        """(stream, number) of log rows that were applied here before they were committed: not to be read back."""
        self.size = 0
        """Bytes of the snapshot and of the updates since: what the document costs to load, and roughly to hold."""
        self.structs = 0
        """Items and other parts that they consist of: of those since the snapshot more than Yrs makes of them."""
        self.tail = 0
        """Updates since the snapshot: each makes loading some µs longer, until they are compacted."""
        self.nesting = 0
        """A bound on how deep shared types lie in one another: of the snapshot, and as if each update since had put its
        own types into the deepest."""
        self._folded: Mapping[int, int] = {}
        """The position of the snapshot."""
        self._folded_nesting = 0
        self.early: list[tuple[bytes, Update]] = []
        self.doubtful = False
        """What Yrs writes of it may be wrong: it holds an emoji, which a client may have cut in two."""
        self.broken = False
        self.refused = False
        """The database refused an update that is applied here: nothing that builds on it may be committed."""
        self._doc: Doc[Any] = Doc()

    @property
    def cost(self) -> int:
        """Bytes of memory, roughly."""
        return self.size + STRUCT_BYTES * self.structs

    def apply(self, data: bytes, update: Update) -> None:
        """Apply an update that has no gap. Raises BrokenDocument."""
        if update.small:
            self._give(data)
            self._count(data, update)
        else:
            for _ in self.applying(data, update):
                """All at once."""

    def apply_together(self, updates: Iterable[tuple[bytes, Update]]) -> list[bytes]:
        """Apply small updates that have no gap; returns them.

        Each is drawn after the one before it was applied. Raises BrokenDocument.
        """
        applied = []
        with self._transaction():
            for data, update in updates:
                self.apply(data, update)
                applied.append(data)
        return applied

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """What is applied inside, Yrs takes in as one: at half the price. Raises BrokenDocument."""
        try:
            with self._doc.transaction():
                yield
        except (KeyboardInterrupt, SystemExit, BrokenDocument):
            raise
        except BaseException as error:  # a panic of Yrs at the end of it
            self.broken = True
            raise BrokenDocument(str(error)) from error

    def applying(self, data: bytes, update: Update) -> Iterator[None]:
        """Apply an update that has no gap, a large one with stops in between. Raises BrokenDocument.

        Until it is at its end the document has a part of it, which nobody must see, and must not be applied to.
        """
        if update.small:
            self._give(data)
        else:
            for piece in cut(data) if update.pieces is None else update.pieces:
                self._give(piece)
                yield
        self._count(data, update)

    def _count(self, data: bytes, update: Update) -> None:
        """Note that an update was given to Yrs. Raises BrokenDocument if Yrs has not taken in all of it."""
        if update.levels and update.has_news(self.clocks):
            self.nesting += update.levels
        # Items of several clients can refer to each other in a circle, which keeps them pending in Yrs for ever.
        # What has its beginning here already is cut, perhaps in the middle of an emoji, which Yrs cannot. New items
        # of one client hang together (parse sees to it), so a typed letter is spared the comparison.
        doubtful = update.advance(self.clocks) or len(update.brings) > 1
        self.size += len(data)
        self.structs += update.structs
        self.tail += 1
        if doubtful and not self.whole():
            self.broken = True
            raise BrokenDocument("the update does not hang together")

    def _give(self, data: bytes) -> None:
        self.doubtful = self.doubtful or EMOJI.search(data) is not None
        try:
            self._doc.apply_update(data)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # a panic of Yrs is no Exception
            self.broken = True
            raise BrokenDocument(str(error)) from error

    def check_nesting(self, update: Update) -> None:
        """Raise BadUpdate if an update puts shared types too deep into one another.

        Raises NestingUnknown if only the bound says so: a snapshot that has the updates since has the true depth.
        """
        if update.levels and self.nesting + update.levels > MAX_NESTING:
            if self._folded_nesting + update.levels > MAX_NESTING:
                raise BadUpdate(f"shared types are nested more than {MAX_NESTING} deep")
            raise NestingUnknown

    def load(self, snapshot: Snapshot) -> None:
        """Take a snapshot: apply it unless all of it is here already. Raises BrokenDocument."""
        for _ in self.loading(snapshot, [] if snapshot.state is None else [snapshot.state]):
            """All at once."""

    def loading(self, snapshot: Snapshot, pieces: Iterable[bytes]) -> Iterator[None]:
        """Take a snapshot whose state is in pieces, with stops in between: see :meth:`applying`."""
        for piece in pieces:
            self._give(piece)
            yield
        if snapshot.state is not None:
            # Not parsed (16 ms for a large one): compaction proved that nothing is pending in it.
            self.clocks = state_vector.decode(self._doc.get_state())
            # Of streams that are not in the snapshot either nothing is left, or rows that are read once more.
            self.position = {}
        self.size, self.structs, self.tail = snapshot.size, snapshot.structs, 0
        self.nesting = self._folded_nesting = snapshot.nesting
        self.generation = snapshot.generation
        for stream, number in snapshot.position.items():
            self.reach(stream, number)
        for stream in self._folded.keys() - snapshot.position.keys():  # pruned
            self.position.pop(stream, None)
        self._folded = snapshot.position

    def reach(self, stream: int, number: int) -> None:
        """Note that a row of the log is contained."""
        self.position[stream] = max(number, self.position.get(stream, 0))
        self.written.discard((stream, number))

    def take(self, row: Row) -> list[bytes]:
        """Apply a committed row of the log as far as causal order allows; the rest waits in ``early``.

        Returns the updates that were applied, which may be earlier ones that waited for these. Raises BrokenDocument.
        """
        return list(filter(None, self.taking(row, self.read(row))))

    def take_together(self, rows: Iterable[tuple[Row, list[tuple[bytes, Update]]]]) -> list[bytes]:
        """:meth:`take` for several rows, of which all updates are small, while none waits."""
        applied: list[bytes] = []
        with self._transaction():
            for row, updates in rows:
                applied += filter(None, self.taking(row, updates))
        return applied

    def read(self, row: Row) -> list[tuple[bytes, Update]]:
        """The updates of a row, parsed, which for large ones takes long and can be done in a thread.

        Raises BrokenDocument.
        """
        if row.number <= self.position.get(row.stream, 0) or (row.stream, row.number) in self.written:
            return []  # contained already
        return self._read(unpack(row.data))

    def _read(self, updates: Iterable[bytes]) -> list[tuple[bytes, Update]]:
        try:
            return [(data, prepare(data)) for data in updates]
        except BadUpdate as error:
            self.broken = True
            raise BrokenDocument(f"the log holds what no update is: {error}") from error

    def taking(self, row: Row, updates: list[tuple[bytes, Update]]) -> Iterator[bytes | None]:
        """:meth:`take` with stops in between, where it gives None, or an update that it has applied."""
        yield from self._in_causal_order(updates)
        self.reach(row.stream, row.number)  # not before: whoever gives up in the middle has not taken it

    def apply_ready(self, updates: Iterable[bytes] = ()) -> list[bytes]:
        """Apply ``updates`` and those that waited, in the order their dependencies allow. Raises BrokenDocument."""
        return list(filter(None, self._in_causal_order(self._read(updates))))

    def _in_causal_order(self, updates: list[tuple[bytes, Update]]) -> Iterator[bytes | None]:
        waiting = updates + self.early
        progress = True
        while waiting and progress:
            blocked = []
            for data, update in waiting:
                if update.gap(self.clocks):
                    blocked.append((data, update))
                else:
                    yield from self.applying(data, update)
                    yield data
            progress = len(blocked) < len(waiting)
            waiting = blocked
        self.early = waiting

    def whole(self) -> bool:
        """Whether Yrs took in everything it was given, and keeps nothing pending."""
        return state_vector.decode(self._doc.get_state()) == self.clocks

    def diff(self, vector: bytes = state_vector.EMPTY) -> bytes:
        """The update that brings a client at ``vector`` up to date. A client's own must have been decoded before: Yrs
        believes what it says.
        """
        return self._doc.get_update(vector)

    def vector(self) -> bytes:
        """The state vector."""
        return state_vector.encode(self.clocks)
