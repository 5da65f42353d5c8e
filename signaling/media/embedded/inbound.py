"""One stream of a publisher: taken in, repaired, and passed to everybody who has it. Without I/O."""

from collections.abc import Callable
from dataclasses import dataclass

from signaling.media.embedded import extensions, rtp, sequence
from signaling.media.embedded.codecs import Codec
from signaling.media.embedded.extensions import Numbers
from signaling.media.embedded.history import History, Kept
from signaling.media.embedded.losses import Losses
from signaling.media.embedded.outbound import Outbound
from signaling.media.embedded.reception import Reception

KEPT = {"audio": 256, "video": 1024}
"""Packets of a stream that can be asked for again: 5 s of audio, and of video at 2 Mb/s."""
JUMP = 1024
"""A step in the numbers, either way, above which the publisher may have begun anew (RFC 3550, appendix A.1, has 3000
forwards and 100 back). The replay window of SRTP ends there too."""
OVER = 4
"""Times what a picture may have, that is passed on of one all the same: a browser goes over it for a second or two."""
SOUND_BITS_PER_S = 600_000
"""Of one sound, at most: Opus has 510 kb/s at its best."""
KEY_FRAME_EVERY_MS = 1000
"""A key frame costs ten others: requests of many receivers are one in this time, as in mediasoup."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a publisher sends one stream, as negotiated."""

    kind: str
    codec: Codec
    ssrc: int | None = None
    """As announced; None: it is learned from the packets."""
    rtx_ssrc: int | None = None
    loudness: int | None = None
    """Number of the header extension that tells it."""


@dataclass(frozen=True, slots=True)
class Publisher:
    """Whose a stream is."""

    leg: str
    user_id: str
    cname: str


class Inbound:
    """A stream that is being published.

    ``ask_key_frame`` and ``ask_again`` send RTCP to the publisher; they must not raise.
    """

    def __init__(
        self,
        stream_id: str,
        publisher: Publisher,
        encoding: Encoding,
        ask_key_frame: Callable[[], None],
        ask_again: Callable[[list[int]], None],
    ) -> None:
        self.stream_id = stream_id
        self.publisher = publisher
        self.encoding = encoding
        self.target_bits_per_s = 0
        """What its publisher is told to send at most, of a picture."""
        self._credit = self._most_bytes = 0.0
        """Bytes that may come now, and that may come in a second; 0: any number."""
        self._credited_at = 0.0
        self._muted = False
        self.outputs: list[Outbound] = []
        self.packets = self.octets = 0
        """Passed on since the beginning, once for all outputs."""
        self.highest = -1
        """The highest number so far; -1 before the first packet."""
        self.timestamp = 0
        """Of the packet with that number."""
        self.clock: tuple[int, int, float] | None = None
        """The publisher's last sender report: NTP time, RTP timestamp, and when it came (ms)."""
        self.reception = Reception(encoding.codec.clock_rate)
        self.losses = Losses()
        self._history = History(KEPT[encoding.kind])
        self._ask_key_frame = ask_key_frame
        self._ask_again = ask_again
        self._restarting: int | None = None
        """The sequence number that would show that the publisher has begun anew."""
        self._key_frame_at = -KEY_FRAME_EVERY_MS * 1.0
        self._key_frame_wanted = False

    def limit(self, picture_bits_per_s: int) -> None:
        """Take no more of it than a picture, or a sound, can need: each packet goes out once for every receiver."""
        most = picture_bits_per_s * OVER if self.encoding.kind == "video" else SOUND_BITS_PER_S
        self._credit = self._most_bytes = most / 8

    def receive(self, packet: rtp.Packet, now_ms: float, *, repeated: bool = False) -> None:
        """Take a packet and pass it on. ``repeated``: it came as a retransmission, no measure of the network."""
        if self._most_bytes and not self._affords(len(packet.payload), now_ms):
            return
        if self.highest < 0:
            self._begin(sequence.first(packet.sequence), packet, now_ms)
        number = sequence.extend(packet.sequence, self.highest)
        ahead = number - self.highest
        if not -JUMP < ahead < JUMP:
            if packet.sequence != self._restarting:
                self._restarting = packet.sequence + 1 & 0xFFFF
                return
            number = self._restart(packet, now_ms)
            ahead = number - self.highest
        if not repeated:
            self.reception.packet(number, packet.timestamp, now_ms)
        if ahead > 1 and self.encoding.codec.repairs:
            self._missed(self.highest + 1, number, now_ms)
        elif ahead < 0:
            self.losses.came(number)
        if ahead > 0:
            self.highest, self.timestamp = number, packet.timestamp
        # What is muted is not kept either: nobody gets it by asking for what they "lost".
        if not self._muted and self._history.add(Kept(number, packet.timestamp, packet.marker, packet.payload)):
            self._forward(number, packet, now_ms)

    def find(self, number: int) -> Kept | None:
        """A packet that was passed on, for who asks for it again."""
        return self._history.find(number)

    def attach(self, output: Outbound, now_ms: float) -> None:
        """Pass the stream to one more, from the next packet on."""
        self.outputs.append(output)
        if self.highest >= 0 and not self._muted:
            output.align(self.highest + 1, self.timestamp, now_ms)

    def detach(self, output: Outbound) -> None:
        """Pass it to one less. Harmless for one that has it not."""
        if output in self.outputs:
            self.outputs.remove(output)

    def mute(self, muted: bool, now_ms: float) -> None:
        """Pass on nothing that comes from now on, or go on. Idempotent. Receivers see a gap of one packet."""
        if muted == self._muted:
            return
        self._muted = muted
        for output in self.outputs:
            if muted:
                output.hold(now_ms)
            elif self.highest >= 0:
                output.align(self.highest + 1, self.timestamp, now_ms)
        if not muted:
            self.want_key_frame(now_ms)

    def want_key_frame(self, now_ms: float) -> None:
        """Somebody cannot decode without one. Asked for now, or by ``tick`` when it may be."""
        if self.encoding.kind == "video":
            self._key_frame_wanted = True
            self._key_frame(now_ms)

    def want_key_frame_soon(self) -> None:
        """As ``want_key_frame``, for somebody who has yet to be told that the stream is there: at the next ``tick``."""
        self._key_frame_wanted = self.encoding.kind == "video"

    def sender_report(self, ntp: int, timestamp: int, now_ms: float) -> None:
        """The publisher's sender report."""
        self.clock = ntp, timestamp, now_ms
        self.reception.sender_report(ntp, now_ms)

    def tick(self, now_ms: float) -> None:
        """Ask for what is due by now. To be called some times in a second."""
        self._repair(now_ms)
        self._key_frame(now_ms)

    def _affords(self, size: int, now_ms: float) -> bool:
        credit = self._credit + (now_ms - self._credited_at) * self._most_bytes / 1000
        self._credit, self._credited_at = min(credit, self._most_bytes), now_ms
        if self._credit < size:
            return False
        self._credit -= size
        return True

    def _begin(self, number: int, packet: rtp.Packet, now_ms: float) -> None:
        self.highest, self.timestamp = number - 1, packet.timestamp
        for output in () if self._muted else self.outputs:
            output.align(number, packet.timestamp, now_ms)

    def _restart(self, packet: rtp.Packet, now_ms: float) -> int:
        """Go on with new numbers, above all that were used: whoever has the stream sees a gap of one packet."""
        self._restarting = None
        for output in self.outputs:
            output.hold(now_ms)
        number = sequence.extend(packet.sequence, self.highest + 2 * sequence.SPACE)
        self.losses.forget()
        self.reception.restart()
        self._begin(number, packet, now_ms)
        self.want_key_frame(now_ms)
        return number

    def _missed(self, begin: int, end: int, now_ms: float) -> None:
        if self.losses.gap(begin, end, int(now_ms)):
            self._repair(now_ms)
        else:
            self.want_key_frame(now_ms)

    def _repair(self, now_ms: float) -> None:
        if self.losses and (due := self.losses.due(int(now_ms))):
            self._ask_again(due)

    def _key_frame(self, now_ms: float) -> None:
        if self._key_frame_wanted and now_ms - self._key_frame_at >= KEY_FRAME_EVERY_MS:
            self._key_frame_at, self._key_frame_wanted = now_ms, False
            self._ask_key_frame()

    def _forward(self, number: int, packet: rtp.Packet, now_ms: float) -> None:
        marker, timestamp = packet.marker, packet.timestamp
        self.packets += 1
        self.octets += len(packet.payload)
        numbers, bits, body = None, 0, b""
        # All that is done for each receiver and packet: 12 bytes, one encryption, its part of a system call. What
        # follows the header is the same for all who have the same numbers, as all browsers of one kind do.
        for out in self.outputs:
            if number >= out.since:
                if out.numbers is not numbers:
                    numbers = out.numbers
                    bits, body = self._body(packet, numbers, now_ms)
                out.send(
                    bits,
                    marker | out.payload_type,
                    number + out.shift & 0xFFFF,
                    timestamp + out.timestamp_shift & 0xFFFFFFFF,
                    out.ssrc,
                    body,
                )

    def _body(self, packet: rtp.Packet, numbers: Numbers, now_ms: float) -> tuple[int, bytes]:
        """The first byte of a packet for receivers with these numbers, and all that follows the header."""
        told = self.encoding.loudness
        loudness = rtp.extension(packet, told) if told is not None and numbers.loudness is not None else None
        block = extensions.block(numbers, loudness, now_ms)
        return rtp.first_byte(block), block + packet.payload
