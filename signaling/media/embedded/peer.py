"""One client's connection to the server: its streams and slots, and the packets between them and the network.

No I/O of its own: bytes come in by ``packet`` and ``control``, and go out by the two functions that it is given.
"""

import secrets
from collections.abc import Callable, Iterable, Iterator

from signaling.media.embedded import rtcp, rtp
from signaling.media.embedded.adaptation import Downlink
from signaling.media.embedded.codecs import Codec, preferred
from signaling.media.embedded.inbound import Encoding, Inbound, Publisher
from signaling.media.embedded.offer import Section
from signaling.media.embedded.outbound import Outbound
from signaling.media.embedded.quality import Quality, judge
from signaling.media.embedded.reception import Block
from signaling.media.embedded.repeats import Repeats

REPORT_EVERY_MS = 1000
LEARNED = 16
"""SSRCs that a connection may have beside those it announced."""


class Peer:
    """The media of one leg. ``send`` takes packets, ``send_control`` RTCP; neither raises.

    ``video_bits_per_s`` is what each picture of it may have at most. Its encoder is told (REMB) what it shall have.
    """

    def __init__(
        self,
        leg: str,
        user_id: str,
        send: rtp.Send,
        send_control: Callable[[bytes], None],
        video_bits_per_s: int,
    ) -> None:
        self.publisher = Publisher(leg, user_id, secrets.token_hex(8))
        self.inbound: dict[str, Inbound] = {}
        """Its streams, by the id of their media section."""
        self.slots: dict[str, Outbound] = {}
        """What it receives, by the id of the media section."""
        self.downlink = Downlink(self.slots)
        self.reachable = False
        """Whether packets to it arrive yet."""
        self._send = send
        self._repeats = Repeats()
        self._send_control = send_control
        self._video_bits_per_s = video_bits_per_s
        self._ssrc = secrets.randbits(32)
        self._by_ssrc: dict[int, tuple[Inbound, bool]] = {}
        """The stream of an SSRC, and whether that is the one of its retransmissions."""
        self._slot_of: dict[int, Outbound] = {}
        """The slots by their SSRC: one RTCP packet may name hundreds."""
        self._mid_extensions: set[int] = set()
        self._learned = 0
        self._next_report_ms = 0.0
        self._taken = (0, 0.0)
        """Octets taken in up to the last report, and when that was."""
        self._incoming_loss = self._incoming_bits_per_s = 0.0

    def publish(self, sections: Iterable[Section], now_ms: float) -> dict[str, Codec]:
        """Take the streams that these sections send, and no others. Gives the codec of each section that sends."""
        chosen: dict[str, Codec] = {}
        for section in sections:
            if section.numbers.mid is not None:
                self._mid_extensions.add(section.numbers.mid)
            codec = preferred(section.codecs) if section.sends else None
            if codec is not None:
                chosen[section.mid] = codec
                self._publish(section, codec, now_ms)
        for mid in self.inbound.keys() - chosen.keys():
            self._unpublish(mid, now_ms)
        return chosen

    def slot(self, section: Section, clock_rate: int) -> Outbound:
        """The slot of a section, made at its first use."""
        if section.mid not in self.slots:
            made = self.slots[section.mid] = Outbound(section.kind, clock_rate, self._send, self._repeats)
            self._slot_of[made.ssrc] = made
        return self.slots[section.mid]

    def close_slot(self, mid: str, now_ms: float) -> None:
        """End a slot. Harmless for one that there is not."""
        slot = self.slots.pop(mid, None)
        if slot is not None:
            slot.drop(now_ms)
            del self._slot_of[slot.ssrc]

    def leave(self, now_ms: float) -> None:
        """End all its streams and slots. Whoever has one of the streams gets nothing more in that slot."""
        for mid in list(self.slots):
            self.close_slot(mid, now_ms)
        for mid in list(self.inbound):
            self._unpublish(mid, now_ms)

    def packet(self, data: bytes, now_ms: float) -> None:
        """A packet came, decrypted. One that is broken or unknown is dropped."""
        try:
            packet = rtp.parse(data)
        except rtp.MalformedPacket:
            return
        found = self._by_ssrc.get(packet.ssrc) or self._learn(packet)
        if found is None:
            return
        stream, is_repeat = found
        codec = stream.encoding.codec
        if is_repeat or packet.payload_type == codec.rtx:
            original = rtp.original(packet, codec.payload_type, packet.ssrc)
            if original is not None:
                stream.receive(original, now_ms, repeated=True)
        elif packet.payload_type == codec.payload_type:
            stream.receive(packet, now_ms)

    def control(self, data: bytes, now_ms: float) -> None:
        """RTCP came, decrypted. What is broken, or not about this connection's streams, is left out."""
        for said in rtcp.parse(data):
            match said:
                case rtcp.Nack(ssrc, lost):
                    if (slot := self._slot_of.get(ssrc)) is not None:
                        slot.repeat(lost, now_ms)
                case rtcp.KeyFrameWanted(ssrc):
                    slot = self._slot_of.get(ssrc)
                    if slot is not None and slot.source is not None and not slot.suspended:
                        slot.source.want_key_frame(now_ms)
                case rtcp.Remb(bits_per_s):
                    self.downlink.line.told(bits_per_s)
                case Block():
                    if (slot := self._slot_of.get(said.ssrc)) is not None:
                        slot.receiver_report(said, now_ms)
                case rtcp.SenderReport():
                    found = self._by_ssrc.get(said.ssrc)
                    if found is not None and not found[1]:
                        found[0].sender_report(said.ntp, said.timestamp, now_ms)
                case _:  # a goodbye is told by the next offer, or by the end of the connection
                    pass

    def is_due(self, now_ms: float) -> bool:
        """Whether ``tick`` has anything to do. Who only receives reports once in a second, and is many."""
        return bool(self.inbound) or now_ms >= self._next_report_ms

    def tick(self, now_ms: float) -> None:
        """Ask for what is missing, and report once in a second. To be called some times in a second."""
        for stream in self.inbound.values():
            stream.tick(now_ms)
        if now_ms >= self._next_report_ms:
            self._next_report_ms = now_ms + REPORT_EVERY_MS
            self._report(now_ms)

    def reached(self, now_ms: float) -> None:
        """It can be reached from now on: have a key frame of each picture that it receives."""
        self.reachable = True
        for slot in self.slots.values():
            if slot.source is not None:
                slot.source.want_key_frame(now_ms)

    def quality(self) -> Quality:
        """How well the connection carries, both ways, as last reported."""
        slots = [one for one in self.slots.values() if one.source is not None]
        return judge(
            loss=max([self._incoming_loss, *(one.fraction_lost for one in slots)]),
            round_trip_ms=max((one.round_trip_ms for one in slots if one.round_trip_ms is not None), default=None),
            bits_per_s=self._incoming_bits_per_s,
            has_video=any(one.encoding.kind == "video" for one in self.inbound.values()),
        )

    def _publish(self, section: Section, codec: Codec, now_ms: float) -> None:
        ssrcs = section.ssrcs
        encoding = Encoding(
            section.kind,
            codec,
            ssrc=ssrcs[0] if ssrcs else None,
            rtx_ssrc=ssrcs[1] if len(ssrcs) > 1 and codec.rtx is not None else None,
            loudness=section.numbers.loudness,
        )
        there = self.inbound.get(section.mid)
        if there is not None:
            if there.encoding == encoding:
                return
            self._unpublish(section.mid, now_ms)
        stream = Inbound(
            f"{self.publisher.leg}/{section.mid}",
            self.publisher,
            encoding,
            ask_key_frame=lambda: self._ask_key_frame(stream),
            ask_again=lambda lost: self._ask_again(stream, lost),
        )
        stream.target_bits_per_s = self._video_bits_per_s if section.kind == "video" else 0
        stream.limit(self._video_bits_per_s)
        self.inbound[section.mid] = stream
        if encoding.ssrc is not None:
            self._by_ssrc[encoding.ssrc] = stream, False
        if encoding.rtx_ssrc is not None:
            self._by_ssrc[encoding.rtx_ssrc] = stream, True

    def _unpublish(self, mid: str, now_ms: float) -> None:
        stream = self.inbound.pop(mid)
        for output in list(stream.outputs):
            output.drop(now_ms)
        self._by_ssrc = {ssrc: found for ssrc, found in self._by_ssrc.items() if found[0] is not stream}

    def _learn(self, packet: rtp.Packet) -> tuple[Inbound, bool] | None:
        """The stream of an SSRC that nobody announced: by the section that the packet names, or by its payload type."""
        if self._learned >= LEARNED:
            return None
        named = self._named(packet)
        fitting = [
            (one, packet.payload_type == one.encoding.codec.rtx)
            for one in (self.inbound.values() if named is None else [named])
            if packet.payload_type in (one.encoding.codec.payload_type, one.encoding.codec.rtx)
        ]
        if len(fitting) != 1:
            return None
        self._learned += 1
        found = self._by_ssrc[packet.ssrc] = fitting[0]
        return found

    def _named(self, packet: rtp.Packet) -> Inbound | None:
        for number in self._mid_extensions:
            value = rtp.extension(packet, number)
            if value is not None:
                return self.inbound.get(value.decode(errors="replace"))
        return None

    def _ssrcs_of(self, stream: Inbound) -> Iterator[int]:
        return (ssrc for ssrc, (found, is_repeat) in self._by_ssrc.items() if found is stream and not is_repeat)

    def _ask_key_frame(self, stream: Inbound) -> None:
        for ssrc in self._ssrcs_of(stream):
            self._send_control(rtcp.key_frame_wanted(self._ssrc, ssrc))

    def _ask_again(self, stream: Inbound, lost: list[int]) -> None:
        for ssrc in self._ssrcs_of(stream):
            self._send_control(rtcp.nack(self._ssrc, ssrc, lost))

    def _report(self, now_ms: float) -> None:
        own = [(ssrc, stream) for ssrc, (stream, is_repeat) in self._by_ssrc.items() if not is_repeat]
        if own:
            blocks = [stream.reception.report(ssrc, now_ms) for ssrc, stream in own]
            self._incoming_loss = max(one.fraction_lost for one in blocks) / 256
            message = rtcp.receiver_report(self._ssrc, blocks)
            video = [ssrc for ssrc, stream in own if stream.encoding.kind == "video"]
            if video:
                bits_per_s = sum(one.target_bits_per_s for one in self.inbound.values())
                message += rtcp.remb(self._ssrc, bits_per_s, video)
            self._send_control(message)
            octets = sum(stream.octets for stream in self.inbound.values())
            before, at_ms = self._taken
            self._incoming_bits_per_s = max(octets - before, 0) * 8000 / max(now_ms - at_ms, 1)
            self._taken = octets, now_ms
        for slot in self.slots.values():
            clock = slot.clock(now_ms)
            if clock is not None and slot.source is not None:
                report = rtcp.sender_report(slot.ssrc, *clock, *slot.sent)
                self._send_control(report + rtcp.description(slot.ssrc, slot.source.publisher.cname))
