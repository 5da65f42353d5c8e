"""How many packets a receiver may have again. Without I/O."""

PER_S = 300
"""Of one receiver: a tenth of 20 Mb/s. A NACK of 16 bytes asks for up to 17 packets, and one datagram may bring a
hundred of them, so without a bound anybody could have the server send much for little."""


class Repeats:
    """What one receiver has left of them, for all its slots together."""

    def __init__(self) -> None:
        self._left, self._at_ms = float(PER_S), 0.0

    def takes(self, now_ms: float) -> bool:
        """Whether it may have one more now; it is counted."""
        left = min(self._left + (now_ms - self._at_ms) * PER_S / 1000, PER_S)
        self._left, self._at_ms = left - (left >= 1), now_ms
        return left >= 1
