"""What is told of changes, to whom, and when they count as told."""

import time
from collections.abc import AsyncIterator
from dataclasses import replace

import msgspec
import pytest
from msgspec import UNSET

from hub.kernel.clock import from_ms
from hub.kernel.ids import UserId, user_room
from hub.kernel.sight import Visibility
from hub.kernel.tasks import Tasks
from presence.diffs import LATE_S, Diffs
from presence.model import Change, Device, Record, Status
from presence.schema import PresenceDiff
from presence.transitions import EntryId, Told
from presence.views import watch_room
from tests.support.presence import MemoryTransitions
from tests.support.rooms import RecordedRooms
from tests.support.wait import until

ANN = UserId("ann")
LAST_SEEN_MS = 1_800_000_000_000


def change(version: int, status: Status = Status.ONLINE, *, shown: bool = True) -> Change:
    device = Device("laptop", "web", status, 0, LAST_SEEN_MS)
    record = Record(
        ANN,
        version=version,
        last_seen_ms=LAST_SEEN_MS,
        shown_version=version,
        shown_last_seen_ms=LAST_SEEN_MS,
        devices=(device,),
    )
    return Change(record, own=True, shown=shown, entry=EntryId(3, f"{version}-0"), asked_s=time.monotonic())


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    tasks = Tasks()
    yield tasks
    await tasks.close()


@pytest.fixture
def transitions() -> MemoryTransitions:
    return MemoryTransitions()


@pytest.fixture
def rooms() -> RecordedRooms:
    return RecordedRooms()


@pytest.fixture
def told(rooms: RecordedRooms, transitions: MemoryTransitions, tasks: Tasks) -> Told:
    return Told(transitions, rooms, tasks)


def entries(*versions: int) -> list[EntryId]:
    return [EntryId(3, f"{version}-0") for version in versions]


def diffs_to(rooms: RecordedRooms, room: str) -> list[tuple[str, int]]:
    told = [event for names, event in rooms.emitted if room in names]
    return [(user.status, user.version) for event in told if isinstance(event, PresenceDiff) for user in event.users]


async def test_without_a_window_every_change_is_sent_at_once(rooms: RecordedRooms, told: Told, tasks: Tasks) -> None:
    diffs = Diffs(rooms, told, tasks, window_s=0)
    await diffs.announce(change(1))
    await diffs.announce(change(2))
    assert diffs_to(rooms, watch_room(ANN)) == [("online", 1), ("online", 2)]


async def test_within_the_window_only_the_latest_state_is_sent(rooms: RecordedRooms, told: Told, tasks: Tasks) -> None:
    diffs = Diffs(rooms, told, tasks, window_s=0.02)
    for version in (1, 3, 2):
        await diffs.announce(change(version))
    assert rooms.emitted == []
    await until(lambda: rooms.emitted)
    assert diffs_to(rooms, watch_room(ANN)) == [("online", 3)]
    await diffs.announce(change(4))
    await until(lambda: len(diffs_to(rooms, watch_room(ANN))) == 2)


async def test_the_own_devices_see_the_truth_and_watchers_nothing_of_what_is_hidden(
    rooms: RecordedRooms, told: Told, tasks: Tasks
) -> None:
    diffs = Diffs(rooms, told, tasks, window_s=0)
    await diffs.announce(change(1, Status.INVISIBLE))
    await diffs.announce(change(2, Status.INVISIBLE, shown=False))
    assert diffs_to(rooms, user_room(ANN)) == [("invisible", 1), ("invisible", 2)]
    assert diffs_to(rooms, watch_room(ANN)) == [("offline", 1)]


async def test_no_change_is_not_told(rooms: RecordedRooms, told: Told, tasks: Tasks) -> None:
    diffs = Diffs(rooms, told, tasks, window_s=0)
    await diffs.announce(Change(Record(ANN), own=False, shown=False))
    assert rooms.emitted == []


async def test_flush_sends_what_waits(rooms: RecordedRooms, told: Told, tasks: Tasks) -> None:
    diffs = Diffs(rooms, told, tasks, window_s=60)
    await diffs.announce(change(1))
    await diffs.flush()
    assert diffs_to(rooms, watch_room(ANN)) == [("online", 1)]


async def test_every_transition_behind_a_state_counts_as_told_with_it(
    rooms: RecordedRooms, told: Told, tasks: Tasks, transitions: MemoryTransitions
) -> None:
    diffs = Diffs(rooms, told, tasks, window_s=0.02)
    for version in (1, 3, 2):
        await diffs.announce(change(version))
    assert transitions.removed == []
    await until(lambda: transitions.removed)
    assert transitions.removed == entries(1, 2, 3)
    assert diffs_to(rooms, watch_room(ANN)) == [("online", 3)]


async def test_a_change_of_the_own_view_alone_does_not_hide_that_an_earlier_one_showed(
    rooms: RecordedRooms, told: Told, tasks: Tasks
) -> None:
    diffs = Diffs(rooms, told, tasks, window_s=60)
    vanished = change(5, Status.INVISIBLE)
    await diffs.announce(vanished)
    await diffs.announce(replace(vanished, record=msgspec.structs.replace(vanished.record, version=6), shown=False))
    await diffs.flush()
    assert diffs_to(rooms, user_room(ANN)) == [("invisible", 6)]
    assert diffs_to(rooms, watch_room(ANN)) == [("offline", 5)]


async def test_a_node_that_was_stopped_leaves_to_others_what_it_had_to_tell(
    rooms: RecordedRooms, told: Told, tasks: Tasks, transitions: MemoryTransitions
) -> None:
    diffs = Diffs(rooms, told, tasks, window_s=60)
    await diffs.announce(replace(change(1), asked_s=time.monotonic() - LATE_S - 60))
    await diffs.flush()
    await diffs.announce(change(2))
    await diffs.flush()
    await until(lambda: transitions.removed)
    assert transitions.removed == entries(2)
    assert diffs_to(rooms, watch_room(ANN)) == [("online", 2)]


async def test_who_may_not_know_when_somebody_was_last_seen_is_told_the_same_without_it(
    rooms: RecordedRooms, told: Told, tasks: Tasks
) -> None:
    diffs = Diffs(rooms, told, tasks, window_s=0)
    await diffs.announce(change(1, Status.BUSY))
    [[everything], [less]] = [
        [user for event in rooms.events_to(room) if isinstance(event, PresenceDiff) for user in event.users]
        for room in (watch_room(ANN), watch_room(ANN, Visibility.STATUS))
    ]
    assert everything.last_seen == from_ms(LAST_SEEN_MS)
    [device] = everything.devices
    known = msgspec.structs.replace(device, last_active=UNSET)
    assert less == msgspec.structs.replace(everything, last_seen=None, devices=[known])
