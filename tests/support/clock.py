"""A clock that stands until it is moved."""

from datetime import datetime

from hub.kernel.clock import from_ms


class FrozenClock:
    """Implements hub.kernel.clock.Clock."""

    def __init__(self, now_ms: int = 1_800_000_000_000) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        return self._now_ms

    def now(self) -> datetime:
        return from_ms(self._now_ms)

    def advance(self, seconds: float) -> None:
        """Move on."""
        self._now_ms += round(seconds * 1000)
