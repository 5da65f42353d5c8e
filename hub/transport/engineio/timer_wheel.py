"""Deadlines of many things with one timer."""

import math
from asyncio import AbstractEventLoop, TimerHandle
from typing import Final, Protocol

MAX_TICK_S: Final = 1.0
"""The coarsest that a wheel turns: what is due comes less than two ticks later."""
MIN_TICK_S: Final = 0.01
TICKS_A_DELAY: Final = 20
EARLY_TICKS: Final = 2
"""What must not be late is due this much earlier: a client waits for its ping no longer than it was told."""
_ROUNDING: Final = 1e-6
"""Of a division that would come out even, if its numbers were not binary fractions."""


class Entry(Protocol):
    """What has a deadline."""

    slot: "dict[Entry, None] | None"
    """Its place in the wheel."""

    def due(self) -> None:
        """Its time has come."""
        ...


class TimerWheel:
    """Deadlines that nearly always are moved or dropped before they come: heartbeats, handshakes.

    Scheduling, moving and dropping are O(1) and make no timer: one of uvloop's is 300 bytes, and there may be 15 000
    sessions.
    """

    def __init__(self, *delays_s: float) -> None:
        """``delays_s`` are the delays that will be used, so that the wheel turns as finely as the shortest needs."""
        self._tick_s = min(MAX_TICK_S, max(MIN_TICK_S, min(delays_s) / TICKS_A_DELAY))
        self._slots: list[dict[Entry, None]] = [{} for _ in range(int(max(delays_s) / self._tick_s) + 3)]
        self._now = 0
        self._timer: TimerHandle | None = None

    def start(self, loop: AbstractEventLoop) -> None:
        """Begin to turn."""
        self._loop = loop
        self._next_at = loop.time()
        self._wind()

    def stop(self) -> None:
        """Turn no more."""
        if self._timer is not None:
            self._timer.cancel()

    def schedule(self, entry: Entry, delay_s: float, *, early: bool = False) -> None:
        """Call ``entry.due()`` after the delay, or with ``early`` never later. An earlier deadline is dropped."""
        self.cancel(entry)
        whole = math.ceil(delay_s / self._tick_s - _ROUNDING)
        ticks = max(1, whole - EARLY_TICKS) if early else whole + 1  # of the tick under way, part is over
        entry.slot = self._slots[(self._now + ticks) % len(self._slots)]
        entry.slot[entry] = None

    def cancel(self, entry: Entry) -> None:
        """Drop the deadline, if there is one."""
        if entry.slot is not None:
            entry.slot.pop(entry, None)
            entry.slot = None

    def _wind(self) -> None:
        now = self._loop.time()
        if now > self._next_at + self._tick_s:  # the loop stood still. Nobody was heard meanwhile: it does not count
            self._next_at = now
        self._next_at += self._tick_s
        self._timer = self._loop.call_at(self._next_at, self._turn)

    def _turn(self) -> None:
        self._now += 1
        self._wind()
        place = self._now % len(self._slots)
        due, self._slots[place] = self._slots[place], {}
        for entry in list(due):
            if entry.slot is not due:  # one before it has moved its deadline, or dropped it
                continue
            entry.slot = None
            try:
                entry.due()
            except Exception as error:  # the others would never be due again
                self._loop.call_exception_handler({"message": f"the deadline of {entry!r}", "exception": error})
