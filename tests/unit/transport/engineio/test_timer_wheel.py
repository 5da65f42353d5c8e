"""Deadlines of many things with one timer: none is early, none much late, and none comes that was dropped."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.transport.engineio.timer_wheel import EARLY_TICKS, TimerWheel
from tests.support.fake_loop import FakeLoop

DELAYS_S = (20.0, 25.0)
TICK_S = 1.0


class Entry:
    """Remembers when its time came."""

    def __init__(self, loop: FakeLoop, then: Callable[[], object] = lambda: None) -> None:
        self.slot: Any = None
        self.came_at: list[float] = []
        self._loop, self._then = loop, then

    def due(self) -> None:
        self.came_at.append(self._loop.now)
        self._then()


@pytest.fixture
def loop() -> FakeLoop:
    return FakeLoop()


@pytest.fixture
def wheel(loop: FakeLoop) -> TimerWheel:
    return turning(loop)


def turning(loop: FakeLoop) -> TimerWheel:
    wheel = TimerWheel(*DELAYS_S)
    wheel.start(loop.loop)
    return wheel


moments = st.floats(0, 200)
delays = st.sampled_from(DELAYS_S)


@settings(max_examples=100, deadline=None)
@given(moments, delays)
def test_a_deadline_comes_after_its_delay_and_not_two_ticks_later(at_s: float, delay_s: float) -> None:
    loop = FakeLoop()
    wheel, entry = turning(loop), Entry(loop)
    loop.advance(at_s)
    wheel.schedule(entry, delay_s)
    loop.advance(100)
    [came_at] = entry.came_at
    assert delay_s <= came_at - at_s < delay_s + 2 * TICK_S


@settings(max_examples=100, deadline=None)
@given(moments, delays)
def test_what_must_not_be_late_comes_a_little_before(at_s: float, delay_s: float) -> None:
    loop = FakeLoop()
    wheel, entry = turning(loop), Entry(loop)
    loop.advance(at_s)
    wheel.schedule(entry, delay_s, early=True)
    loop.advance(100)
    [came_at] = entry.came_at
    assert delay_s - (EARLY_TICKS + 1) * TICK_S <= came_at - at_s <= delay_s


@pytest.mark.parametrize(("delay_s", "tick_s"), [(0.02, 0.01), (0.2, 0.01), (1.0, 0.05), (10.0, 0.5), (3600.0, 1.0)])
def test_the_wheel_turns_as_finely_as_its_shortest_delay_needs(loop: FakeLoop, delay_s: float, tick_s: float) -> None:
    wheel, entry = TimerWheel(delay_s, 2 * delay_s), Entry(loop)
    wheel.start(loop.loop)
    wheel.schedule(entry, 2 * delay_s)
    loop.advance(2 * delay_s - tick_s / 2)
    assert entry.came_at == []
    loop.advance(2 * tick_s)
    assert len(entry.came_at) == 1


def test_a_deadline_that_is_moved_comes_once_and_at_its_last_time(loop: FakeLoop, wheel: TimerWheel) -> None:
    entry = Entry(loop)
    for _ in range(10):
        wheel.schedule(entry, 20)
        loop.advance(5)
    assert entry.came_at == []
    loop.advance(100)
    assert len(entry.came_at) == 1
    assert entry.came_at[0] >= 45 + 20


def test_a_deadline_that_is_dropped_does_not_come(loop: FakeLoop, wheel: TimerWheel) -> None:
    entry = Entry(loop)
    wheel.schedule(entry, 20)
    wheel.cancel(entry)
    wheel.cancel(entry)
    loop.advance(100)
    assert entry.came_at == []


def test_a_deadline_that_another_drops_in_the_same_turn_does_not_come(loop: FakeLoop, wheel: TimerWheel) -> None:
    """A session that is closed by another's end is not asked for its pong."""
    entries: list[Entry] = []
    entries += [Entry(loop, lambda: wheel.cancel(entries[1])), Entry(loop)]
    for entry in entries:
        wheel.schedule(entry, 20)
    loop.advance(100)
    assert [len(entry.came_at) for entry in entries] == [1, 0]


def test_a_deadline_that_another_moves_in_the_same_turn_comes_at_its_new_time(
    loop: FakeLoop, wheel: TimerWheel
) -> None:
    entries: list[Entry] = []
    entries += [Entry(loop, lambda: wheel.schedule(entries[1], 25)), Entry(loop)]
    for entry in entries:
        wheel.schedule(entry, 20)
    loop.advance(100)
    assert [len(entry.came_at) for entry in entries] == [1, 1]
    assert entries[1].came_at[0] >= entries[0].came_at[0] + 25


def test_an_entry_may_schedule_itself_again(loop: FakeLoop, wheel: TimerWheel) -> None:
    entry = Entry(loop, lambda: wheel.schedule(entry, 20))
    wheel.schedule(entry, 20)
    loop.advance(110)
    assert len(entry.came_at) == 5
    assert min(after - before for before, after in zip(entry.came_at, entry.came_at[1:], strict=False)) >= 20


def test_a_deadline_that_fails_does_not_cost_the_others_theirs(loop: FakeLoop, wheel: TimerWheel) -> None:
    def fail() -> None:
        raise RuntimeError("broken")

    entries = [Entry(loop), Entry(loop, fail), Entry(loop)]
    for entry in entries:
        wheel.schedule(entry, 20)
    loop.advance(100)
    assert [len(entry.came_at) for entry in entries] == [1, 1, 1]
    assert [str(complaint["exception"]) for complaint in loop.complaints] == ["broken"]


def test_time_that_stood_still_is_not_made_up_for(loop: FakeLoop, wheel: TimerWheel) -> None:
    """A loop that was blocked for a minute has read no pong in that minute either."""
    entry = Entry(loop)
    loop.now += 60
    wheel.schedule(entry, 20)
    loop.advance(19.5)
    assert entry.came_at == []
    loop.advance(2)
    assert len(entry.came_at) == 1


def test_a_wheel_that_is_stopped_turns_no_more(loop: FakeLoop, wheel: TimerWheel) -> None:
    entry = Entry(loop)
    wheel.schedule(entry, 20)
    wheel.stop()
    loop.advance(100)
    assert entry.came_at == []
