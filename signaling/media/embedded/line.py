"""How much the way to a receiver carries, by what the receiver reports. Without I/O.

It sends an estimate of its own (REMB, draft-alvestrand-rmcat-remb), which sees queues grow before anything is lost, and
the loss of each stream (RFC 3550). An estimate grows by 8 % a second, from what came: after a pause it says how little
was sent, and not how much would be carried. So it does not count below what is arriving without loss.
"""

import math

LOSSY, CLEAN = 0.10, 0.02
"""Loss above which a rate is too high, and below which it may grow: as in libwebrtc's loss-based control."""
GROWTH = 1.08
"""In a second, as there."""
BACK_OFF = 0.85
"""Of what arrives, when queues grow: as there."""
BOUNDLESS_BITS_PER_S = 20_000_000.0
"""More than any receiver here is sent: what may grow so far has recovered."""
LEAST_BITS_PER_S = 50_000.0
"""One lost packet of three says little about a line."""


class Line:
    """To one receiver. ``second`` is to be called once a second."""

    def __init__(self) -> None:
        self.bits_per_s = math.inf
        """What it carries; infinite as long as there is no sign that it may be too little."""
        self._told = math.inf
        self._by_loss = math.inf

    def told(self, bits_per_s: float) -> None:
        """The receiver's own estimate."""
        self._told = bits_per_s

    def second(self, sent_bits_per_s: float, loss: float) -> None:
        """So much was sent since the last time, and this share of it was reported lost."""
        if loss > LOSSY:
            self._by_loss = max(min(self._by_loss, sent_bits_per_s) * (1 - loss / 2), LEAST_BITS_PER_S)
        elif loss < CLEAN:
            self._by_loss = max(self._by_loss * GROWTH, sent_bits_per_s)
            if self._by_loss > BOUNDLESS_BITS_PER_S:
                self._by_loss = math.inf
        carried = sent_bits_per_s * BACK_OFF if loss < CLEAN else 0.0
        self.bits_per_s = min(self._by_loss, max(self._told, carried))
