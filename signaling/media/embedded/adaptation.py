"""What publishers are told to send, and who gets no picture for a while, by what receivers' lines carry. Without I/O.

There is one picture of a publisher for everybody. The slowest receiver makes it smaller, but not below half of what
the fastest can take. Who cannot take even that gets sound only, and is tried again after a pause; so nobody ruins a
call for the others, whatever their line, or what they say of it.
"""

import math
from collections.abc import Iterable, Iterator, Mapping

from signaling.media.embedded.inbound import Inbound
from signaling.media.embedded.line import Line
from signaling.media.embedded.outbound import Outbound

EVERY_MS = 1000
TOO_LONG_MS = 3000.0
"""After which what was sent since the last look is no rate of the last second."""
FAIREST = 0.5
"""Of what the fastest receiver can take, at least."""
LEAST_BITS_PER_S = 150_000
"""Of a picture: less shows nobody's face."""
SOUND_BITS_PER_S = 50_000
"""Kept free for each sound: Opus with headers and encryption."""
TOLERATED = 0.8
"""Of what is sent, that a line must carry: estimates go up and down by so much."""
TOO_SLOW_S = 4
"""How long a line may be too slow: as long as a publisher needs to follow."""
PAUSE_MS, LONGEST_PAUSE_MS = 10_000.0, 80_000.0
"""Before a suspended picture is tried again; doubled each time that it is suspended again soon after."""
SOON_MS = 20_000.0


class Downlink:
    """One receiver's line, and what is sent on it."""

    def __init__(self, slots: Mapping[str, Outbound]) -> None:
        """``slots`` are the receiver's, which come and go."""
        self.line = Line()
        self._slots = slots
        self._octets, self._looked_at = 0, -math.inf
        self._sent_bits_per_s = 0.0
        self._too_slow_s = 0
        self._pause_ms = PAUSE_MS
        self._resume_at = self._resumed_at = -math.inf

    def look(self, now_ms: float) -> None:
        """Take in what the receiver has reported since the last time. To be called every EVERY_MS."""
        octets = sum(slot.sent[1] for slot in self._slots.values())
        loss = max((slot.loss_since for slot in self._slots.values()), default=0.0)
        for slot in self._slots.values():
            slot.loss_since = 0.0
        passed_ms = now_ms - self._looked_at
        self._sent_bits_per_s = max(octets - self._octets, 0) * 8000 / max(passed_ms, 1.0)
        self._octets, self._looked_at = octets, now_ms
        if passed_ms < TOO_LONG_MS:  # else nothing is known of the rate
            self.line.second(self._sent_bits_per_s, loss)

    def shares(self) -> Iterator[tuple[Inbound, float]]:
        """The pictures that the receiver has, and how much the line has for each, in bits per second."""
        pictures = self._pictures()
        sounds = sum(slot.kind == "audio" and slot.source is not None for slot in self._slots.values())
        share = max(self.line.bits_per_s - sounds * SOUND_BITS_PER_S, 0.0) / max(len(pictures), 1)
        return ((slot.source, share) for slot in pictures if slot.source is not None)

    def relieve(self, now_ms: float) -> None:
        """Suspend a picture of a line that has been too slow for long; after a pause, try it again."""
        pictures = self._pictures()
        is_too_slow = self.line.bits_per_s < self._sent_bits_per_s * TOLERATED
        self._too_slow_s = self._too_slow_s + 1 if pictures and is_too_slow else 0
        if self._too_slow_s > TOO_SLOW_S:
            is_soon = now_ms - self._resumed_at < SOON_MS
            self._pause_ms = min(self._pause_ms * 2, LONGEST_PAUSE_MS) if is_soon else PAUSE_MS
            self._resume_at = now_ms + self._pause_ms
            self._too_slow_s = 0
            pictures[-1].suspend(now_ms)
        elif now_ms >= self._resume_at and (waiting := [one for one in self._slots.values() if one.suspended]):
            self._resumed_at, self._resume_at = now_ms, now_ms + self._pause_ms
            waiting[0].resume(now_ms)

    def _pictures(self) -> list[Outbound]:
        return [one for one in self._slots.values() if one.kind == "video" and one.source and not one.suspended]


def adapt(downlinks: Iterable[Downlink], streams: Iterable[Inbound], most: int, now_ms: float) -> None:
    """Set what each of these streams shall have, up to ``most`` bits per second, and relieve lines. Every EVERY_MS."""
    shares: dict[Inbound, list[float]] = {}
    for downlink in downlinks:
        downlink.look(now_ms)
        downlink.relieve(now_ms)
        for stream, share in downlink.shares():
            shares.setdefault(stream, []).append(share)
    for stream in streams:
        stream.target_bits_per_s = target(shares.get(stream, ()), most)


def target(shares: Iterable[float], most: int) -> int:
    """What a picture shall have whose receivers can take so much of it."""
    known = [min(share, most) for share in shares] or [most]
    return min(max(round(max(min(known), max(known) * FAIREST)), LEAST_BITS_PER_S), most)
