"""What a receiver reports of a stream: packets lost, jitter, and the sender's clock. Without I/O.

Source: RFC 3550, section 6.4.1 and appendix A.3, A.8.
"""

from typing import NamedTuple

_24_BITS = 0x7FFFFF


class Block(NamedTuple):
    """One report block of a receiver or sender report."""

    ssrc: int
    fraction_lost: int
    """Of 256, since the last report."""
    packets_lost: int
    highest_sequence: int
    """Extended, its 32 low bits."""
    jitter: int
    """In units of the stream's clock."""
    last_report: int
    """The middle 32 bits of the NTP time of the last sender report, 0 if there was none."""
    delay: int
    """Since that report, in 1/65,536 s."""


class Reception:
    """Counts the packets of one stream."""

    def __init__(self, clock_rate: int) -> None:
        self._ticks_per_ms = clock_rate / 1000
        self._base: int | None = None
        self._highest = 0
        self._received = 0
        self._carried = 0
        """Packets that were lost before the sender began its numbers anew."""
        self._reported = (0, 0)
        """Packets expected and received up to the last report."""
        self._transit: float | None = None
        self._jitter = 0.0
        self._sender: tuple[int, int] | None = None
        """The middle of the last sender report's NTP time, and when it came (ms)."""

    def packet(self, number: int, timestamp: int, now_ms: float) -> None:
        """A packet came by itself, no retransmission. ``number`` is extended."""
        if self._base is None:
            self._base = self._highest = number
        self._highest = max(self._highest, number)
        self._received += 1
        transit = now_ms * self._ticks_per_ms - timestamp
        if self._transit is not None:
            # The timestamp wraps: what is left of the difference is small, or it is no jitter.
            moved = abs(transit - self._transit)
            moved = min(moved, abs((1 << 32) - moved))
            self._jitter += (moved - self._jitter) / 16
        self._transit = transit

    def restart(self) -> None:
        """The sender goes on with numbers that have nothing to do with those before."""
        self._carried += self._expected - self._received
        self._base, self._received, self._transit, self._reported = None, 0, None, (0, 0)

    def sender_report(self, ntp: int, now_ms: float) -> None:
        """The sender told the time, as 64 bits."""
        self._sender = (ntp >> 16) & 0xFFFFFFFF, int(now_ms)

    def report(self, ssrc: int, now_ms: float) -> Block:
        """The block to report now; the next one counts from here."""
        expected, received = self._expected - self._reported[0], self._received - self._reported[1]
        self._reported = self._expected, self._received
        lost = max(expected - received, 0)
        last, delay = 0, 0
        if self._sender is not None:
            last = self._sender[0]
            delay = min(int((now_ms - self._sender[1]) * 65.536), 0xFFFFFFFF)
        return Block(
            ssrc=ssrc,
            fraction_lost=min(lost * 256 // expected, 255) if expected > 0 else 0,
            packets_lost=max(min(self.lost, _24_BITS), -_24_BITS),
            highest_sequence=self._highest & 0xFFFFFFFF,
            jitter=min(int(self._jitter), 0xFFFFFFFF),
            last_report=last,
            delay=delay,
        )

    @property
    def lost(self) -> int:
        """Packets that have not come, in all. Negative where packets came twice."""
        return self._carried + self._expected - self._received

    @property
    def _expected(self) -> int:
        return 0 if self._base is None else self._highest - self._base + 1
