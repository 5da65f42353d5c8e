"""Work on documents that takes long, done so that nobody waits for it who has nothing to do with it.

What Python does is done in a thread; Yrs, which keeps the GIL, gets small pieces, with turns of the event loop between.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from collab import state_vector
from collab.cutting import cut, prepare
from collab.document import Document
from collab.hot import Joined
from collab.log import Row, Snapshot
from collab.parsed import Update
from collab.proof import brings, merged
from collab.update import LARGE_BYTES

TURN_S = 0.004
"""How long something large is applied before the event loop gets its turn; then to the end of a piece."""
LARGE_STRUCTS = 20_000
"""Of a snapshot that is cut: Yrs takes in fewer within 13 ms, and to cut them takes it 0.1 s."""

T = TypeVar("T")


class LongWork:
    """Reads what is large in a thread. One at a time: so the event loop has the GIL for half of the time."""

    def __init__(self) -> None:
        self._thread = asyncio.Semaphore()

    async def prepare(self, update: bytes) -> Update:
        """See collab.cutting.prepare."""
        return await self._do(len(update), lambda: prepare(update))

    async def take(self, document: Document, rows: Sequence[Row], show: Callable[[list[bytes]], None]) -> None:
        """Have a document take rows of the log; ``show`` is called with what it has applied, bit by bit.

        Raises BrokenDocument.
        """
        for some in _in_batches(rows):
            size = sum(len(row.data) for row in some)
            read = await self._do(size, partial(_read, document, some))
            if not document.early and all(update.small for _, updates in read for _, update in updates):
                show(document.take_together(read))
                await asyncio.sleep(0)
            else:
                for row, updates in read:
                    show(await in_turns(document.taking(row, updates)))

    async def pieces(self, snapshot: Snapshot) -> Sequence[bytes]:
        """The state of a snapshot, cut if it is large; nothing if there is none."""
        state = snapshot.state
        if state is None:
            return []
        return [state] if snapshot.structs <= LARGE_STRUCTS else await self._do(len(state), lambda: list(cut(state)))

    async def check_vector(self, vector: bytes) -> None:
        """Raise BadUpdate if it is no state vector. A thousand clients take 1 ms, a megabyte that lies 600 ms."""
        await self._do(len(vector), lambda: state_vector.decode(vector))

    async def is_right(self, joined: Joined, vector: bytes) -> bool:
        """Whether the answer to who joins brings them to where it says, and no further."""
        clocks = state_vector.decode(joined.vector)
        return await self._do(len(joined.update), lambda: brings(joined.update, vector, clocks))

    async def merged(self, updates: Sequence[bytes]) -> Joined:
        """All updates of a document as one. Raises NotProved."""
        whole, clocks = await self._do(sum(map(len, updates)), lambda: merged(updates))
        return Joined(whole, state_vector.encode(clocks))

    async def _do(self, size: int, work: Callable[[], T]) -> T:
        if size <= LARGE_BYTES:
            return work()
        async with self._thread:
            return await asyncio.to_thread(work)


def _in_batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """One after the other, with so many bytes at most that they take a few ms."""
    some, size = list[Row](), 0
    for row in rows:
        if some and size + len(row.data) > LARGE_BYTES:
            yield some
            some, size = [], 0
        some.append(row)
        size += len(row.data)
    if some:
        yield some


def _read(document: Document, rows: Iterable[Row]) -> list[tuple[Row, list[tuple[bytes, Update]]]]:
    return [(row, document.read(row)) for row in rows]


async def in_turns(steps: Iterator[bytes | None]) -> list[bytes]:
    """Go through the steps, and let others have their turn now and then. Returns what is not None."""
    results: list[bytes] = []
    end = time.monotonic() + TURN_S
    for step in steps:
        if step is not None:
            results.append(step)
        if time.monotonic() >= end:
            await asyncio.sleep(0)
            end = time.monotonic() + TURN_S
    return results
