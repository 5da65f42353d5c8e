"""The answer to a client's offer, as SDP. Without I/O."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from signaling.media.embedded import extensions
from signaling.media.embedded.codecs import Codec
from signaling.media.embedded.ice_lite import Credentials
from signaling.media.embedded.offer import Section

FEEDBACK = ("nack", "nack pli", "ccm fir", "goog-remb")
"""What the server sends and understands of the feedback that a client offers."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A stream that the server sends in a section."""

    label: str
    """``msid``: whose it is and which, as the client's ``ontrack`` gets it."""
    ssrc: int
    rtx_ssrc: int
    cname: str
    """The publisher's: what has the same is played in step."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What becomes of a section of the offer."""

    section: Section
    codec: Codec | None
    """None: the section is refused."""
    takes: bool
    """Whether the server takes what the client sends."""
    sent: Sent | None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How the server is reached, the same for all sections."""

    credentials: Credentials
    fingerprint: str
    candidates: Sequence[str]


def write(endpoint: Endpoint, sections: Sequence[Accepted], version: int) -> str:
    """The text. ``version`` grows with each answer of a connection."""
    bundled = " ".join(one.section.mid for one in sections if one.codec is not None)
    lines = [
        "v=0",
        f"o=- {version} {version} IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=ice-lite",
        f"a=group:BUNDLE {bundled}",
        "a=msid-semantic:WMS *",
    ]
    for one in sections:
        lines += _refused(one.section) if one.codec is None else _section(endpoint, one, one.codec)
    return "\r\n".join(lines) + "\r\n"


def _refused(section: Section) -> list[str]:
    profile = "UDP/DTLS/SCTP webrtc-datachannel" if section.kind == "application" else "UDP/TLS/RTP/SAVPF 0"
    return [f"m={section.kind} 0 {profile}", "c=IN IP4 0.0.0.0", "a=inactive", f"a=mid:{section.mid}"]


def _section(endpoint: Endpoint, accepted: Accepted, codec: Codec) -> list[str]:
    section, sent = accepted.section, accepted.sent
    types = [codec.payload_type] if codec.rtx is None else [codec.payload_type, codec.rtx]
    lines = [
        f"m={section.kind} 9 UDP/TLS/RTP/SAVPF {' '.join(map(str, types))}",
        "c=IN IP4 0.0.0.0",
        "a=rtcp:9 IN IP4 0.0.0.0",
        f"a=ice-ufrag:{endpoint.credentials.username}",
        f"a=ice-pwd:{endpoint.credentials.password}",
        f"a=fingerprint:sha-256 {endpoint.fingerprint}",
        "a=setup:passive",
        f"a=mid:{section.mid}",
        f"a={_direction(accepted)}",
        "a=rtcp-mux",
        "a=rtcp-rsize",
    ]
    lines += [f"a=extmap:{number} {uri}" for uri, number in _extensions(accepted) if number is not None]
    lines += _codec(section, codec)
    if sent is not None:
        lines.append(f"a=msid:{sent.label}")
        if codec.rtx is not None:
            lines.append(f"a=ssrc-group:FID {sent.ssrc} {sent.rtx_ssrc}")
            lines.append(f"a=ssrc:{sent.ssrc} cname:{sent.cname}")
            lines.append(f"a=ssrc:{sent.rtx_ssrc} cname:{sent.cname}")
        else:
            lines.append(f"a=ssrc:{sent.ssrc} cname:{sent.cname}")
    lines += [f"a={one}" for one in endpoint.candidates]
    lines.append("a=end-of-candidates")
    return lines


def _extensions(accepted: Accepted) -> Iterator[tuple[str, int | None]]:
    """What the server reads of the client's packets, and writes into its own."""
    section = accepted.section
    if accepted.takes:
        yield extensions.MID, section.numbers.mid
    if section.kind == "audio":
        yield extensions.LOUDNESS, section.numbers.loudness
    if section.receives:  # also where nothing is sent yet: what an answer lacks, the next offer may leave out
        yield extensions.SENT_AT, section.numbers.sent_at


def _codec(section: Section, codec: Codec) -> list[str]:
    name = codec.mime_type.partition("/")[2]
    shown = name if name == "opus" else name.upper()
    channels = f"/{codec.channels}" if section.kind == "audio" and (codec.channels or 1) > 1 else ""
    lines = [f"a=rtpmap:{codec.payload_type} {shown}/{codec.clock_rate}{channels}"]
    lines += [f"a=rtcp-fb:{codec.payload_type} {one}" for one in codec.feedback if one in FEEDBACK]
    if codec.parameters:
        lines.append(f"a=fmtp:{codec.payload_type} {codec.parameters}")
    if codec.rtx is not None:
        lines.append(f"a=rtpmap:{codec.rtx} rtx/{codec.clock_rate}")
        lines.append(f"a=fmtp:{codec.rtx} apt={codec.payload_type}")
    return lines


def _direction(accepted: Accepted) -> str:
    """The server's: it sends what the client receives."""
    if accepted.sent is not None:
        return "sendrecv" if accepted.takes else "sendonly"
    return "recvonly" if accepted.takes else "inactive"
