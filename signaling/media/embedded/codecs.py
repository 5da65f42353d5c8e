"""Codecs as two sides describe them, and whether one can play what the other sends. Without I/O.

Packets are forwarded as they are, so a publisher sends one codec to everybody, and a receiver must know it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

PREFERRED = ("audio/opus", "video/vp8", "video/h264")
"""What a publisher is asked for, the first that it has. Every browser has the first two (RFC 7742, RFC 7874)."""
_BASELINE = "42e01f"
"""The profile of H.264 where none is named (RFC 6184, section 8.1, as browsers read it)."""


@dataclass(frozen=True, slots=True)
class Codec:
    """A codec of a media section, with the payload type of its retransmissions."""

    mime_type: str
    """Lower case, as ``video/vp8``."""
    clock_rate: int
    channels: int | None
    payload_type: int
    parameters: str
    """As in ``fmtp``."""
    feedback: tuple[str, ...]
    rtx: int | None

    @property
    def repairs(self) -> bool:
        """Whether packets can be asked for again."""
        return "nack" in self.feedback

    def plays(self, other: "Codec") -> bool:
        """Whether who offers this one can play what is sent as ``other``."""
        if (self.mime_type, self.clock_rate) != (other.mime_type, other.clock_rate):
            return False
        return self.mime_type != "video/h264" or _h264(self) == _h264(other)


def preferred(codecs: Iterable[Codec]) -> Codec | None:
    """What a publisher who offers these shall send; None if there is none."""
    offered = list(codecs)
    for mime_type in PREFERRED:
        for codec in offered:
            if codec.mime_type == mime_type and (mime_type != "video/h264" or _h264(codec)[0] == "1"):
                return codec
    return offered[0] if offered else None


def _h264(codec: Codec) -> tuple[str, str]:
    """Packetization mode and profile, which both sides must have alike; the level may differ."""
    parameters = dict(one.strip().partition("=")[::2] for one in codec.parameters.split(";"))
    return parameters.get("packetization-mode", "0"), parameters.get("profile-level-id", _BASELINE).lower()[:4]
