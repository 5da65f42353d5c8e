"""The indexes that a node has at hand: bounded in bytes, and never handed on when they may be broken."""

import asyncio
from datetime import UTC, datetime

import pytest

from core_api.companions.memory_cache import HotMemories
from core_api.companions.memory_index import MemoryIndex
from core_api.companions.memory_store import Trace

DIMENSIONS = 256
MANY = [Trace(number, number, bytes(4 * DIMENSIONS), 0.5, datetime(2027, 1, 1, tzinfo=UTC)) for number in range(100)]
BUDGET_BYTES = 250_000
"""Two indexes of MANY fit, three do not."""


async def use(hot: HotMemories, companion: str, *traces: Trace) -> MemoryIndex:
    async with hot.index(companion, DIMENSIONS) as index:
        index.put(traces)
    return index


async def test_the_index_that_was_unused_longest_is_dropped() -> None:
    hot = HotMemories(budget_bytes=BUDGET_BYTES)
    first, second = await use(hot, "first", *MANY), await use(hot, "second", *MANY)
    assert await use(hot, "first") is first
    await use(hot, "third", *MANY)
    assert hot.size_bytes <= BUDGET_BYTES
    assert await use(hot, "first") is first
    assert await use(hot, "second") is not second


async def test_companions_that_remember_nothing_take_their_part_of_the_budget() -> None:
    hot = HotMemories(budget_bytes=BUDGET_BYTES)
    for number in range(1_000):
        await use(hot, f"companion {number}")
    assert len(hot._entries) < 500


async def test_an_index_that_broke_is_not_handed_to_those_who_waited_for_it() -> None:
    hot = HotMemories(budget_bytes=BUDGET_BYTES)
    used: list[MemoryIndex] = []

    async def use_and_break() -> None:
        async with hot.index("companion", DIMENSIONS) as broken:
            used.append(broken)
            await started.wait()
            raise ConnectionError  # while a thread still fills the index, say

    async def wait_and_use() -> None:
        used.append(await use(hot, "companion", *MANY))

    started = asyncio.Event()
    first, *others = (asyncio.gather(work()) for work in (use_and_break, wait_and_use, wait_and_use))
    await asyncio.sleep(0)  # until they wait
    started.set()
    with pytest.raises(ConnectionError):
        await first
    await asyncio.gather(*others)
    broken, *used = used
    assert broken not in used
    assert used[0] is used[1] is await use(hot, "companion")
    assert hot.size_bytes == used[0].size_bytes
