"""How often a leg may offer. Without I/O."""

PER_S, AT_ONCE = 2, 30
"""Of a leg: whenever somebody comes or goes, everybody offers anew. The largest offer takes 30 ms to read, for which
all others on the server wait."""
KEPT = 10_000
"""Legs that are remembered, above which those that have not offered lately are forgotten."""


class Allowance:
    """Of all legs of a server, by room and leg: a leg that leaves and comes back has what it left."""

    def __init__(self) -> None:
        self._left: dict[tuple[str, str], tuple[float, float]] = {}
        """Offers that it has, and when that was so (ms)."""

    def takes(self, leg: tuple[str, str], now_ms: float) -> bool:
        """Whether a leg may offer now; it is counted."""
        left, at_ms = self._left.get(leg, (float(AT_ONCE), now_ms))
        left = min(left + (now_ms - at_ms) * PER_S / 1000, AT_ONCE)
        self._left[leg] = left - (left >= 1), now_ms
        if len(self._left) > KEPT:
            full_ms = now_ms - AT_ONCE * 1000 / PER_S
            self._left = {one: (count, at) for one, (count, at) in self._left.items() if at > full_ms}
        return left >= 1
