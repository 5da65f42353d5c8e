"""What companions remember of the people they talk with: keeping it, finding it again, showing and forgetting it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from core_api.companions.embeddings import Embedder, Matrix
from core_api.companions.memory_cache import HotMemories
from core_api.companions.memory_schema import MemoryView, Recalled
from core_api.companions.memory_settings import MemorySettings
from core_api.companions.memory_store import Memory, MemoryStore, NewMemory, Outcome, Vector
from core_api.companions.recall import SAME, Statement, about_the_same, worth_keeping
from hub.kernel.clock import Clock
from hub.kernel.errors import NotFound
from hub.kernel.ids import new_uuid
from hub.kernel.pages import Page, PageQuery, decode_cursor, page
from hub.kernel.tasks import Tasks

if TYPE_CHECKING:  # imports numpy
    from core_api.companions.memory_index import MemoryIndex

log = logging.getLogger(__name__)

Position = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""In the cursor of lists: the number of the last memory."""
ROWS_AT_ONCE = 1_000
"""Memories read by one query: 2 MB, so that filling an index of 10 000 leaves the loop free in between."""
MAX_TRIES = 5
"""Times that a statement is compared anew because another message was remembered meanwhile. Then it is just added: a
memory twice is better than none."""
AT_A_TIME = 32
"""Memories of another model that get a new vector by one transaction."""


class Memories:
    """The use cases of remembering. Access is the caller's to check: nothing here knows who owns a companion.

    All retrieval is within one companion. A node keeps matrices of the companions that were talked with last, and
    compares their version with the store's at each use, so what another node has added or forgotten counts at once.
    """

    def __init__(
        self, store: MemoryStore, embedder: Embedder, tasks: Tasks, clock: Clock, settings: MemorySettings
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._tasks = tasks
        self._clock = clock
        self._capacity = settings.capacity
        self._hot = HotMemories(budget_bytes=settings.hot_bytes)

    async def remember(self, companion_id: str, message_id: str, text: str) -> None:
        """Keep what is worth keeping of somebody's message, which is mostly nothing (core_api.companions.recall).

        What repeats or corrects a memory takes its place. Idempotent: a message id is remembered once, even if the
        memory was forgotten since. Nothing happens if the companion is gone. Raises Overloaded.

        Call it after :meth:`recall` for the same message, which would find that message otherwise.
        """
        statements = await asyncio.to_thread(worth_keeping, text)  # 2 to 20 ms
        if not statements:
            return
        vectors = await self._embedder.embed([statement.text for statement in statements])
        for _ in range(MAX_TRIES):
            async with self._index(companion_id) as index:
                seen = index.version
                nearest = await asyncio.to_thread(index.nearest, vectors)
            same = await self._same(companion_id, statements, nearest)
            if await self._add(companion_id, message_id, statements, vectors, same, seen) != "outdated":
                return
        await self._add(companion_id, message_id, statements, vectors, [None] * len(statements), None)

    async def recall(self, companion_id: str, text: str, limit: int) -> list[Recalled]:
        """What is relevant to ``text``, at most ``limit``, the best first. Often nothing. Raises Overloaded."""
        if not text.strip():
            return []
        vector = await self._embedder.embed([text])
        async with self._index(companion_id) as index:
            ranked = await asyncio.to_thread(index.best, vector, self._clock.now_ms(), limit)
        if not ranked:
            return []
        numbers = [found.number for found in ranked]
        memories = {memory.number: memory for memory in await self._store.memories(companion_id, numbers)}
        # Nobody waits for a statistic, and a commit would be most of what a recall takes.
        noting = self._store.note_recalled(companion_id, list(memories), self._clock.now())
        self._tasks.start(noting, name="counting recalled memories")
        # One that was forgotten since the ranking is missing.
        return [_recalled(memories[found.number], found.score) for found in ranked if found.number in memories]

    async def page(self, companion_id: str, query: PageQuery) -> Page[MemoryView]:
        """Memories, the newest first."""
        before = None if query.cursor is None else decode_cursor(query.cursor, tuple[Position])[0]
        memories = await self._store.page(companion_id, before, query.limit + 1)
        return page(memories, query.limit, _view, lambda memory: (memory.number,))

    async def forget(self, companion_id: str, memory_id: str) -> None:
        """Delete a memory: no node finds it any more, and its message does not bring it back. Raises NotFound."""
        if not await self._store.forget(companion_id, memory_id):
            raise NotFound("There is no such memory.")

    def close(self) -> None:
        """Drop what is at hand."""
        self._hot.clear()

    @asynccontextmanager
    async def _index(self, companion_id: str) -> "AsyncIterator[MemoryIndex]":
        """The companion's index, up to date at this moment."""
        async with self._hot.index(companion_id, self._embedder.dimensions) as index:
            await self._catch_up(companion_id, index)
            yield index

    async def _catch_up(self, companion_id: str, index: "MemoryIndex") -> None:
        """Read what has changed since the index was used last: nothing, a few rows, or all of them."""
        present = await self._store.version(companion_id)
        known = index.version
        if present.version == known:
            return
        if present.version < known:  # the database was put back to an older state
            index.keep([])
            known = 0
        position = (known + 1, 0)
        while traces := await self._store.traces(companion_id, self._embedder.model_id, position, ROWS_AT_ONCE):
            await asyncio.to_thread(index.put, traces)
            position = (traces[-1].version, traces[-1].number)
        if known and present.removed > known:
            await asyncio.to_thread(index.keep, await self._store.numbers(companion_id))
        index.version = present.version
        if not known and index.foreign:
            self._tasks.start(self._embed_again(companion_id), name="embedding memories again")

    async def _same(
        self, companion_id: str, statements: list[Statement], nearest: list[tuple[int, float] | None]
    ) -> list[int | None]:
        """For each statement the number of the memory that it repeats or corrects."""
        near = [found[0] if found is not None and found[1] >= SAME else None for found in nearest]
        if not any(near):
            return near
        numbers = [number for number in near if number is not None]
        texts = {memory.number: memory.text for memory in await self._store.memories(companion_id, numbers)}
        return [
            number if number in texts and about_the_same(statement.text, texts[number]) else None
            for statement, number in zip(statements, near, strict=True)
        ]

    async def _add(
        self,
        companion_id: str,
        message_id: str,
        statements: list[Statement],
        vectors: Matrix,
        same: list[int | None],
        seen: int | None,
    ) -> Outcome:
        memories = [
            NewMemory(new_uuid(), statement.text, self._vector(row), statement.importance, replaces)
            for statement, row, replaces in zip(statements, vectors, same, strict=True)
        ]
        return await self._store.add(
            companion_id, message_id, memories, self._clock.now(), seen=seen, capacity=self._capacity
        )

    async def _embed_again(self, companion_id: str) -> None:
        """Give the memories of another model vectors of this one, in one pass over them.

        Started when a companion's memories come to hand, and not whenever one of another model is seen: while nodes of
        two models run side by side, each would undo the other's work for ever. A pass that breaks off is started again
        with the next use, for which the memories have to come to hand anew.
        """
        try:
            await self._embed_foreign(companion_id)
        except Exception as failure:
            log.warning("not all memories of %s are embedded again: %r", companion_id, failure)
            self._hot.drop(companion_id)

    async def _embed_foreign(self, companion_id: str) -> None:
        after = 0
        while rows := await self._store.foreign(companion_id, self._embedder.model_id, after, AT_A_TIME):
            vectors = await self._embedder.embed([text for _, text in rows])
            again = [(number, text, self._vector(row)) for (number, text), row in zip(rows, vectors, strict=True)]
            await self._store.embed_again(companion_id, again)
            after = rows[-1][0]

    def _vector(self, row: Matrix) -> Vector:
        return Vector(self._embedder.model_id, self._embedder.dimensions, row.astype("<f4").tobytes())


def _recalled(memory: Memory, score: float) -> Recalled:
    return Recalled(id=memory.id, text=memory.text, score=round(score, 3), created_at=memory.created_at)


def _view(memory: Memory) -> MemoryView:
    return MemoryView(
        id=memory.id,
        text=memory.text,
        importance=memory.importance,
        created_at=memory.created_at,
        said_at=memory.said_at,
        last_recalled_at=memory.last_recalled_at,
        recall_count=memory.recall_count,
    )
