from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from hub.kernel.clock import from_ms
from hub.kernel.ids import UserId, user_room
from hub.kernel.sight import Visibility
from hub.kernel.tasks import Tasks
from presence.diffs import Diffs
from presence.model import Change, Device, Record, Status
from presence.schema import PresenceDiff
from presence.views import watch_room
from tests.support.rooms import RecordedRooms
from tests.support.wait import until

ANN = UserId("ann")
EVERYTHING, STATUS = watch_room(ANN, Visibility.EVERYTHING), watch_room(ANN, Visibility.STATUS)


LAST_SEEN_MS = 1_800_000_000_000


def change(version: int, status: Status = Status.ONLINE, *, shown: bool = True) -> Change:
    record = Record(ANN, (Device("web", status, 0),), None, version, LAST_SEEN_MS, version, LAST_SEEN_MS)
    return Change(record, own=True, shown=shown)


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    tasks = Tasks()

    yield tasks
    await tasks.close()


def diffs_to(rooms: RecordedRooms, room: str) -> list[tuple[str, int]]:
    told = [event for names, event in rooms.emitted if room in names]
    return [(user.status, user.version) for event in told if isinstance(event, PresenceDiff) for user in event.users]


async def test_without_a_window_every_change_is_sent_at_once(tasks: Tasks) -> None:
    rooms = RecordedRooms()
    diffs = Diffs(rooms, tasks, window_s=0)
    await diffs.announce(change(1))
    await diffs.announce(change(2))
    assert diffs_to(rooms, EVERYTHING) == [("online", 1), ("online", 2)]


async def test_within_the_window_only_the_latest_state_is_sent(tasks: Tasks) -> None:
    rooms = RecordedRooms()
    diffs = Diffs(rooms, tasks, window_s=0.02)
    for version in (1, 3, 2):
        await diffs.announce(change(version))
    assert rooms.emitted == []
    await until(lambda: rooms.emitted)
    assert diffs_to(rooms, EVERYTHING) == [("online", 3)]
    await diffs.announce(change(4))
    await until(lambda: len(diffs_to(rooms, EVERYTHING)) == 2)


async def test_the_own_devices_see_the_truth_and_watchers_nothing_of_what_is_hidden(tasks: Tasks) -> None:
    rooms = RecordedRooms()
    diffs = Diffs(rooms, tasks, window_s=0)
    await diffs.announce(change(1, Status.INVISIBLE))
    await diffs.announce(change(2, Status.INVISIBLE, shown=False))
    assert diffs_to(rooms, user_room(ANN)) == [("invisible", 1), ("invisible", 2)]
    assert diffs_to(rooms, EVERYTHING) == [("offline", 1)]


async def test_no_change_is_not_told(tasks: Tasks) -> None:
    rooms = RecordedRooms()
    diffs = Diffs(rooms, tasks, window_s=0)
    await diffs.announce(Change(Record(ANN), own=False, shown=False))
    assert rooms.emitted == []


async def test_flush_sends_what_waits(tasks: Tasks) -> None:
    rooms = RecordedRooms()
    diffs = Diffs(rooms, tasks, window_s=60)
    await diffs.announce(change(1))
    await diffs.flush()
    assert diffs_to(rooms, EVERYTHING) == [("online", 1)]


async def test_who_may_not_know_when_somebody_was_last_seen_is_told_the_same_without_it(tasks: Tasks) -> None:
    rooms = RecordedRooms()
    diffs = Diffs(rooms, tasks, window_s=0)
    await diffs.announce(change(1, Status.BUSY))
    [[everything], [less]] = [
        [user for event in rooms.events_to(room) if isinstance(event, PresenceDiff) for user in event.users]
        for room in (EVERYTHING, STATUS)
    ]
    assert everything.last_seen == from_ms(LAST_SEEN_MS)
    assert less == replace(everything, last_seen=None)
