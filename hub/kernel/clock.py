"""Time as a dependency, so that tests move it by hand."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Source of wall-clock time. For durations inside one process use ``time.monotonic``."""

    def now_ms(self) -> int:
        """Unix time in milliseconds."""
        ...

    def now(self) -> datetime:
        """The same moment as an aware UTC datetime, to the millisecond."""
        ...


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SystemClock:
    """The one place that reads the system clock."""

    def now_ms(self) -> int:
        """Unix time in milliseconds."""
        return time.time_ns() // 1_000_000

    def now(self) -> datetime:
        """The same moment as an aware UTC datetime, to the millisecond."""
        now = datetime.now(UTC)
        return now.replace(microsecond=now.microsecond // 1000 * 1000)


def to_ms(moment: datetime) -> int:
    """The Unix time in milliseconds of an aware datetime, rounded down."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


def from_ms(unix_ms: int) -> datetime:
    """An aware UTC datetime of a Unix time in milliseconds."""
    # Not fromtimestamp(unix_ms / 1000), which rounds through a float.
    return EPOCH + timedelta(milliseconds=unix_ms)
