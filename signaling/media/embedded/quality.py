"""What to tell a caller of their connection: a verdict on loss, delay and rate. Without I/O.

The thresholds are those of Daily's call test.
"""

from typing import Literal, NamedTuple

GOOD_LOSS, FAIR_LOSS = 0.05, 0.10
GOOD_ROUND_TRIP_MS, FAIR_ROUND_TRIP_MS = 300.0, 600.0
GOOD_BITS_PER_S, FAIR_BITS_PER_S = 1_100_000.0, 700_000.0
"""Of video. Sound alone needs 40 kb/s, so the rate is judged only where there is a picture."""

Verdict = Literal["good", "warning", "bad", "unknown"]


class Quality(NamedTuple):
    """A connection, as measured."""

    loss: float
    """Of 1, the worse of the two ways."""
    round_trip_ms: float | None
    bits_per_s: float
    """From the client."""
    verdict: Verdict


def judge(*, loss: float, round_trip_ms: float | None, bits_per_s: float, has_video: bool) -> Quality:
    """The verdict: of all three the worst. Unknown until there was a round trip."""
    if round_trip_ms is None:
        return Quality(loss, None, bits_per_s, "unknown")
    grades = [
        _grade(-loss, -GOOD_LOSS, -FAIR_LOSS),
        _grade(-round_trip_ms, -GOOD_ROUND_TRIP_MS, -FAIR_ROUND_TRIP_MS),
    ]
    if has_video:
        grades.append(_grade(bits_per_s, GOOD_BITS_PER_S, FAIR_BITS_PER_S))
    verdicts: tuple[Verdict, ...] = ("good", "warning", "bad")
    return Quality(loss, round_trip_ms, bits_per_s, verdicts[max(grades)])


def _grade(value: float, good: float, fair: float) -> int:
    return 0 if value >= good else 1 if value >= fair else 2
