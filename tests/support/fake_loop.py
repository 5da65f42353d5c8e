"""An event loop whose time and turns are the test's: for what schedules callbacks and never does I/O."""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from typing import Any, cast


class _Handle:
    def __init__(self, callback: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        self._callback: Callable[..., object] | None = callback
        self._arguments = arguments

    def cancel(self) -> None:
        self._callback = None

    def run(self) -> None:
        if self._callback is not None:
            self._callback(*self._arguments)


class FakeLoop:
    """Nothing happens but in `turn` and `advance`. `complaints` are what its exception handler was called with."""

    def __init__(self) -> None:
        self.now = 0.0
        self.complaints: list[dict[str, Any]] = []
        self._ready: list[_Handle] = []
        self._timers: list[tuple[float, int, _Handle]] = []
        self._numbers = itertools.count()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """Itself, for annotations: it has what the code under test calls, and nothing more."""
        return cast("asyncio.AbstractEventLoop", self)

    def time(self) -> float:
        """See asyncio.AbstractEventLoop."""
        return self.now

    def call_soon(self, callback: Callable[..., object], *arguments: Any) -> _Handle:
        """See asyncio.AbstractEventLoop."""
        handle = _Handle(callback, arguments)
        self._ready.append(handle)
        return handle

    def call_at(self, when: float, callback: Callable[..., object], *arguments: Any) -> _Handle:
        """See asyncio.AbstractEventLoop."""
        handle = _Handle(callback, arguments)
        heapq.heappush(self._timers, (when, next(self._numbers), handle))
        return handle

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """See asyncio.AbstractEventLoop."""
        self.complaints.append(context)

    def turn(self) -> bool:
        """Run what is ready now, not what becomes so meanwhile, and say whether there was anything."""
        ready, self._ready = self._ready, []
        for handle in ready:
            handle.run()
        return bool(ready)

    def advance(self, seconds: float) -> None:
        """Let time pass, and run each timer at its time."""
        end = self.now + seconds
        while self._timers and self._timers[0][0] <= end:
            when, _, handle = heapq.heappop(self._timers)
            self.now = max(self.now, when)
            handle.run()
        self.now = end
