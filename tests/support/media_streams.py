"""Streams without a network: what a publisher's packets become at receivers that only note what they get."""

from dataclasses import dataclass, field
from typing import Any

from signaling.media.embedded import extensions, rtp
from signaling.media.embedded.codecs import Codec
from signaling.media.embedded.extensions import Numbers
from signaling.media.embedded.inbound import Encoding, Inbound, Publisher
from signaling.media.embedded.offer import Section
from signaling.media.embedded.outbound import Outbound
from signaling.media.embedded.peer import Peer
from signaling.media.embedded.repeats import Repeats

VP8 = Codec("video/vp8", 90_000, None, 96, "", ("nack", "nack pli", "goog-remb"), 97)
OPUS = Codec("audio/opus", 48_000, 2, 111, "minptime=10", (), None)
CODECS = {"video": VP8, "audio": OPUS}


@dataclass
class Receiver:
    """What came out of a slot."""

    got: list[rtp.Packet] = field(default_factory=list)

    def send(self, bits: int, kind: int, sequence: int, timestamp: int, ssrc: int, body: bytes) -> None:
        self.got.append(rtp.parse(rtp.header(bits, kind, sequence, timestamp, ssrc) + body))

    def slot(self, kind: str = "video") -> Outbound:
        return Outbound(kind, CODECS[kind].clock_rate, self.send, Repeats())


@dataclass
class Published:
    """A stream, and what its publisher was asked for."""

    kind: str = "video"
    loudness: int | None = None
    """Number of the extension that tells it."""
    key_frames: int = 0
    asked: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        def key_frame() -> None:
            self.key_frames += 1

        self.stream = Inbound(
            "a/0",
            Publisher("a", "alice", "cname"),
            Encoding(self.kind, CODECS[self.kind], ssrc=1, loudness=self.loudness),
            ask_key_frame=key_frame,
            ask_again=self.asked.extend,
        )

    def packet(self, number: int, now_ms: float = 0.0, *, payload: bytes | None = None, **changes: Any) -> None:
        """The packet with this number, wrapped to 16 bits. Its payload names it."""
        content = str(number).encode() if payload is None else payload
        repeated = changes.pop("repeated", False)
        packet = rtp.Packet(96, 0, number & 0xFFFF, number * 3000 & 0xFFFFFFFF, 1, content, b"", True)
        self.stream.receive(packet._replace(**changes), now_ms, repeated=repeated)


@dataclass
class NotedPeer:
    """A peer, and what was sent to it."""

    leg: str
    receiver: Receiver = field(default_factory=Receiver)
    control: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.peer = Peer(
            self.leg,
            f"user-{self.leg}",
            self.receiver.send,
            self.control.append,
            1_000_000,
        )
        self.peer.reachable = True

    @property
    def packets(self) -> list[rtp.Packet]:
        """What came."""
        return self.receiver.got

    def send(self, ssrc: int, number: int, now_ms: float = 0.0, *, kind: str = "video", payload: bytes = b"x") -> None:
        """A packet from this peer's client."""
        codec = CODECS[kind]
        header = rtp.header(rtp.VERSION_BITS, codec.payload_type, number & 0xFFFF, number * 10 & 0xFFFFFFFF, ssrc)
        self.peer.packet(header + payload, now_ms)


def section(
    mid: str,
    kind: str,
    *,
    sends: int | None = None,
    receives: bool = False,
    numbers: Numbers = extensions.NONE,
) -> Section:
    """A media section; ``sends`` is the SSRC of what it sends, the next one that of its retransmissions."""
    codec = CODECS[kind]
    ssrcs = () if sends is None else (sends, sends + 1) if codec.rtx else (sends,)
    return Section(mid, kind, sends is not None, receives, (codec,), numbers, ssrcs, f"track-{mid}")
