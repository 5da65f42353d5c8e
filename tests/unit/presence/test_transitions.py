"""When transitions count as told."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from hub.kernel.tasks import Tasks
from presence.transitions import EntryId, Told
from tests.support.presence import MemoryTransitions
from tests.support.rooms import RecordedRooms
from tests.support.wait import until

ONE, TWO, THREE = (EntryId(0, f"{number}-0") for number in (1, 2, 3))


class SlowRooms(RecordedRooms):
    """Rooms whose events Redis takes when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.flushes = 0
        self.taken = asyncio.Event()

    async def flushed(self) -> None:
        self.flushes += 1
        await self.taken.wait()
        self.taken.clear()


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    tasks = Tasks()
    yield tasks
    await tasks.close()


async def test_a_transition_is_kept_until_redis_has_the_events_that_tell_of_it(tasks: Tasks) -> None:
    rooms, transitions = SlowRooms(), MemoryTransitions()
    told = Told(transitions, rooms, tasks)
    told.add([ONE])
    await until(lambda: rooms.flushes == 1)
    told.add([TWO, THREE])  # Redis may have what is flushed now without what tells of these
    assert (ONE in told, TWO in told) == (True, True)
    assert transitions.removed == []
    rooms.taken.set()
    await until(lambda: rooms.flushes == 2)
    assert transitions.removed == [ONE]
    assert (ONE in told, TWO in told) == (False, True)
    rooms.taken.set()
    await until(lambda: TWO not in told)
    assert transitions.removed == [ONE, TWO, THREE]


async def test_without_redis_it_is_left_to_whoever_looks_next(tasks: Tasks) -> None:
    transitions = MemoryTransitions(away=True)
    told = Told(transitions, RecordedRooms(), tasks)
    told.add([ONE])
    await until(lambda: ONE not in told)
    transitions.away = False
    told.add([TWO])
    await until(lambda: transitions.removed == [TWO])
