"""One stream to a receiver: its own numbers, whichever publisher is behind it. Without I/O.

A slot is a media section of a receiver's connection. It keeps its SSRC when its source changes, and its sequence
numbers and timestamps go on, so that no decoder notices and no key stream of SRTP is used for two packets.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import TYPE_CHECKING

from signaling.media.embedded import extensions, rtp, sequence
from signaling.media.embedded.extensions import Numbers
from signaling.media.embedded.repeats import Repeats

if TYPE_CHECKING:
    from signaling.media.embedded.inbound import Inbound
    from signaling.media.embedded.reception import Block

NEVER = 1 << 62
"""``since`` of a slot that passes nothing."""


class Outbound:
    """A slot. ``send`` must not raise. ``repeats`` is shared by all slots of a receiver."""

    def __init__(self, kind: str, clock_rate: int, send: rtp.Send, repeats: Repeats) -> None:
        self.kind = kind
        self.send = send
        self.ssrc = secrets.randbits(32)
        self.rtx_ssrc = secrets.randbits(32)
        self.payload_type = 0
        self.rtx_payload_type: int | None = None
        self.numbers = extensions.NONE
        """Of the header extensions that it has."""
        self.shift = self.timestamp_shift = 0
        self.since = NEVER
        """The first number of the source that is passed on."""
        self.source: Inbound | None = None
        self.suspended = False
        """Whether the receiver's line is too slow for it: see ``suspend``."""
        self.fraction_lost = 0.0
        """Of 1, as the receiver last reported."""
        self.loss_since = 0.0
        """The worst that the receiver reported since somebody looked, who sets it back to 0."""
        self.round_trip_ms: float | None = None
        self._ticks_per_ms = clock_rate / 1000
        # In the lower half, as libwebrtc and aiortc begin: a wrap within the first packets breaks SRTP of some.
        self._next = sequence.SPACE + secrets.randbelow(1 << 15)
        self._last: tuple[int, float] | None = None
        """The last timestamp sent, and when (ms)."""
        self._counted = (0, 0)
        """Packets and octets of sources before this one, less what this one had passed on before."""
        self._rtx_next = secrets.randbelow(1 << 15)
        self._repeats = repeats
        self._reported: tuple[int, float] | None = None
        """The middle of the NTP time in the last sender report, and when it went (ms)."""

    def take(
        self,
        source: Inbound,
        payload_type: int,
        rtx_payload_type: int | None,
        now_ms: float,
        numbers: Numbers = extensions.NONE,
    ) -> bool:
        """Pass on ``source`` from now on, with these header extensions. False if it was that one already."""
        self.payload_type, self.rtx_payload_type, self.numbers = payload_type, rtx_payload_type, numbers
        if source is self.source:
            return False
        self.drop(now_ms)
        self.source = source
        self._connect(source, now_ms)
        return True

    def drop(self, now_ms: float) -> None:
        """Pass on nothing. Idempotent."""
        if self.source is not None and not self.suspended:
            self._disconnect(self.source, now_ms)
        self.source, self.suspended = None, False

    def suspend(self, now_ms: float) -> None:
        """Pass on nothing until ``resume``, and keep the source. Idempotent."""
        if self.source is not None and not self.suspended:
            self._disconnect(self.source, now_ms)
            self.suspended = True

    def resume(self, now_ms: float) -> None:
        """Go on, with a key frame. Idempotent."""
        if self.source is not None and self.suspended:
            self.suspended = False
            self._connect(self.source, now_ms)
            self.source.want_key_frame(now_ms)

    def align(self, number: int, timestamp: int, now_ms: float) -> None:
        """Have the source's ``number`` follow on what was sent last."""
        self.shift, self.since = self._next - number, number
        if self._last is None:
            self.timestamp_shift = secrets.randbits(31) - timestamp
        else:
            sent, at_ms = self._last
            self.timestamp_shift = sent + max(int((now_ms - at_ms) * self._ticks_per_ms), 1) - timestamp

    def hold(self, now_ms: float) -> None:
        """Pass on nothing until ``align``; then with a gap of one packet, so that the decoder knows of it."""
        source = self.source
        if source is not None and self.since != NEVER:
            sent = source.highest - self.since + 1
            if sent > 0:
                self._next = source.highest + self.shift + 2
                self._last = source.timestamp + self.timestamp_shift, now_ms
        self.since = NEVER

    def repeat(self, lost: Iterable[int], now_ms: float) -> int:
        """Send again what the receiver asks for, as far as it is still here; gives how many."""
        source = self.source
        # Under one number AES-GCM must never see two headers. So what is repeated under its own has no extensions.
        same_number = self.rtx_payload_type is None
        if source is None or self.since == NEVER or (same_number and self.numbers is not extensions.NONE):
            return 0
        repeated = 0
        for number16 in lost:
            number = sequence.extend(number16, source.highest + self.shift) - self.shift
            kept = source.find(number) if number >= self.since else None
            if kept is None:
                continue
            if not self._repeats.takes(now_ms):
                break
            repeated += 1
            timestamp = kept.timestamp + self.timestamp_shift & 0xFFFFFFFF
            if self.rtx_payload_type is None:
                kind = kept.marker | self.payload_type
                self.send(rtp.VERSION_BITS, kind, number16, timestamp, self.ssrc, kept.payload)
            else:
                kind = kept.marker | self.rtx_payload_type
                block = extensions.block(self.numbers, None, now_ms)
                body = block + rtp.retransmission(kept.payload, number16)
                self.send(rtp.first_byte(block), kind, self._rtx_next, timestamp, self.rtx_ssrc, body)
                self._rtx_next = self._rtx_next + 1 & 0xFFFF
        return repeated

    @property
    def sent(self) -> tuple[int, int]:
        """Packets and octets of payload passed on, in all."""
        packets, octets = self._counted
        if self.source is None or self.suspended:
            return packets, octets
        return packets + self.source.packets, octets + self.source.octets

    def clock(self, now_ms: float) -> tuple[int, int] | None:
        """NTP time and RTP timestamp of this moment, for a sender report; None until the publisher has told its own.

        It is the publisher's time, so that its sound and its picture stay together.
        """
        if self.source is None or self.source.clock is None or self.since == NEVER:
            return None
        ntp, timestamp, at_ms = self.source.clock
        passed_ms = now_ms - at_ms
        now = ntp + int(passed_ms * (1 << 32) / 1000) & 0xFFFFFFFFFFFFFFFF
        self._reported = now >> 16 & 0xFFFFFFFF, now_ms
        return now, timestamp + int(passed_ms * self._ticks_per_ms) + self.timestamp_shift & 0xFFFFFFFF

    def receiver_report(self, block: Block, now_ms: float) -> None:
        """What the receiver reports of this slot."""
        self.fraction_lost = block.fraction_lost / 256
        self.loss_since = max(self.loss_since, self.fraction_lost)
        if block.delay and self._reported is not None and self._reported[0] == block.last_report:
            self.round_trip_ms = max(now_ms - self._reported[1] - block.delay / 65.536, 0.0)

    def _connect(self, source: Inbound, now_ms: float) -> None:
        self._counted = self._counted[0] - source.packets, self._counted[1] - source.octets
        source.attach(self, now_ms)

    def _disconnect(self, source: Inbound, now_ms: float) -> None:
        source.detach(self)
        self._counted = self._counted[0] + source.packets, self._counted[1] + source.octets
        self.hold(now_ms)
