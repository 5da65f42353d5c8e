"""The memories that a node has at hand: the matrices of the companions that were talked with last."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # numpy, which is not there before the first embedding
    from core_api.companions.memory_index import MemoryIndex


@dataclass(slots=True)
class _Entry:
    index: "MemoryIndex"
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    counted_bytes: int = 0
    """Its part of the sum."""


class HotMemories:
    """Indexes by companion, the longest unused dropped when all together have more bytes than the budget.

    Nothing in here matters: an index that was dropped, or has fallen behind, is filled from the store again.
    """

    def __init__(self, *, budget_bytes: int) -> None:
        self._budget_bytes = budget_bytes
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self.size_bytes = 0
        """What all indexes take together."""

    @asynccontextmanager
    async def index(self, companion_id: str, dimensions: int) -> AsyncIterator["MemoryIndex"]:
        """The companion's index, empty if it was not at hand, for the caller alone inside ``async with``."""
        while True:
            entry = self._entry(companion_id, dimensions)
            async with entry.lock:
                if self._entries.get(companion_id) is not entry:
                    continue  # dropped while we waited: a thread of whoever had it may still be filling it
                try:
                    yield entry.index
                except BaseException:
                    self._drop(companion_id, entry)  # it may have been left between two states
                    raise
                finally:
                    self._count(companion_id, entry)
                return

    def drop(self, companion_id: str) -> None:
        """Let the next use begin with an empty index."""
        if (entry := self._entries.get(companion_id)) is not None:
            self._drop(companion_id, entry)

    def clear(self) -> None:
        """Drop everything."""
        self._entries.clear()
        self.size_bytes = 0

    def _entry(self, companion_id: str, dimensions: int) -> _Entry:
        entry = self._entries.get(companion_id)
        if entry is None:
            from core_api.companions.memory_index import MemoryIndex  # noqa: PLC0415 - see above

            entry = self._entries[companion_id] = _Entry(MemoryIndex(dimensions))
        self._entries.move_to_end(companion_id)
        return entry

    def _count(self, companion_id: str, used: _Entry) -> None:
        if self._entries.get(companion_id) is not used:
            return  # dropped while it was in use
        self.size_bytes += used.index.size_bytes - used.counted_bytes
        used.counted_bytes = used.index.size_bytes
        while self.size_bytes > self._budget_bytes:
            self._drop(*next(iter(self._entries.items())))

    def _drop(self, companion_id: str, entry: _Entry) -> None:
        if self._entries.get(companion_id) is entry:
            del self._entries[companion_id]
            self.size_bytes -= entry.counted_bytes
