"""A client's offer: what it sends, what it can take, and how it is reached. SDP, read without I/O.

aiortc reads the text; this says what of it a forwarding server needs, and refuses what it cannot do.
"""

import re
from dataclasses import dataclass

from aiortc import sdp

from signaling.media.embedded import extensions
from signaling.media.embedded.codecs import Codec
from signaling.media.embedded.extensions import Numbers

SECTIONS = 128
"""Media sections of one connection, at most: sound, picture and screen of forty people."""
SENDING = 8
"""Sections of one connection that send, at most: two cameras, two screens, and sound for each. A picture is kept for
repetitions with up to 2 MB."""
LINES = {"a=rtpmap:": 80, "a=rtcp-fb:": 400, "a=rtcp-fb:*": 8, "a=ssrc:": 80, "a=fingerprint:": 8}
"""Of a section, at most, by how they begin. Browsers have half as many codecs, and a quarter of the others."""
SPARE_SSRCS = 4
"""SSRCs of a section that are looked at: its stream, its retransmissions, and some to spare."""
_MID = re.compile(r"[!#$%&'*+.^_`{|}~0-9A-Za-z-]{1,16}")
"""A token (RFC 8866) that fits into a header extension. It becomes a part of what others are told of a stream."""
_PAYLOAD_TYPES = {*range(64), *range(96, 128)}
"""With their marker, those between look like RTCP (RFC 5761, section 4)."""
_CLOCK_RATES = range(1, 1_000_001)
_SSRCS = range(1 << 32)


class BadOffer(ValueError):
    """An offer that cannot be answered; the message says why."""


@dataclass(frozen=True, slots=True)
class Section:
    """A media section."""

    mid: str
    kind: str
    sends: bool
    receives: bool
    codecs: tuple[Codec, ...]
    numbers: Numbers
    """Of the header extensions."""
    ssrcs: tuple[int, ...]
    """Announced, the stream's own first."""
    track: str
    """The client's id of what it sends."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A whole offer, for one connection (BUNDLE)."""

    sections: tuple[Section, ...]
    username: str
    fingerprints: tuple[tuple[str, str], ...]
    """Algorithm and value, of the certificate that the client's handshake must show."""


def read(text: str) -> Offer:
    """Read an offer. Raises BadOffer."""
    _require_bounds(text)
    try:
        described = sdp.SessionDescription.parse(text)
        return _offer(described)
    except BadOffer:
        raise
    except Exception as error:  # the parser fails with whatever went wrong in it: AssertionError, StopIteration, …
        raise BadOffer("The offer cannot be read.") from error


def _require_bounds(text: str) -> None:
    """Raises BadOffer for one that takes long to read: the parser compares these lines of a section with one another.

    Without this, 60 KB of codecs and their feedback took seven seconds, in which the server did nothing else.
    """
    sections, counts = 0, dict.fromkeys(LINES, 0)
    for line in text.splitlines():
        if line.startswith("m="):
            sections, counts = sections + 1, dict.fromkeys(LINES, 0)
            if sections > SECTIONS:
                raise BadOffer(f"The offer has more than {SECTIONS} media sections.")
        for begin, most in LINES.items():
            if line.startswith(begin):
                counts[begin] += 1
                if counts[begin] > most:
                    raise BadOffer(f"A media section has more than {most} lines with {begin}.")


def _offer(described: sdp.SessionDescription) -> Offer:
    if not described.media:
        raise BadOffer("The offer has no media section.")
    first = described.media[0]
    if first.dtls is None or not first.dtls.fingerprints:
        raise BadOffer("The offer has no fingerprint.")
    if first.dtls.role == "server":
        raise BadOffer("The offer says setup:passive; the media server is passive itself.")
    if first.ice is None or not first.ice.usernameFragment:
        raise BadOffer("The offer has no ice-ufrag.")
    sections = tuple(_section(media) for media in described.media)
    if len({one.mid for one in sections}) != len(sections) or not all(_MID.fullmatch(one.mid) for one in sections):
        raise BadOffer("Each media section needs a mid of its own, a token of at most 16 characters.")
    if sum(one.sends for one in sections) > SENDING:
        raise BadOffer(f"More than {SENDING} media sections send.")
    fingerprints = tuple((one.algorithm, one.value) for one in first.dtls.fingerprints)
    return Offer(sections, first.ice.usernameFragment, fingerprints)


def _section(media: sdp.MediaDescription) -> Section:
    direction = media.direction or "sendrecv"
    is_media = media.kind in ("audio", "video") and media.port != 0
    codecs = _codecs(media) if is_media else ()
    stream, _, track = (media.msid or "").partition(" ")
    return Section(
        mid=media.rtp.muxId,
        kind=media.kind,
        sends=is_media and direction in ("sendonly", "sendrecv"),
        receives=is_media and direction in ("recvonly", "sendrecv"),
        codecs=codecs,
        numbers=extensions.numbers((one.uri, one.id) for one in media.rtp.headerExtensions),
        ssrcs=_ssrcs(media),
        track=track or stream,
    )


def _codecs(media: sdp.MediaDescription) -> tuple[Codec, ...]:
    listed = media.rtp.codecs
    if any(one.payloadType not in _PAYLOAD_TYPES or one.clockRate not in _CLOCK_RATES for one in listed):
        raise BadOffer("A codec has a payload type or a clock rate that there is not.")
    rtx = {one.parameters.get("apt"): one.payloadType for one in listed if one.name.lower() == "rtx"}
    return tuple(
        Codec(
            mime_type=one.mimeType.lower(),
            clock_rate=one.clockRate,
            channels=one.channels,
            payload_type=one.payloadType or 0,
            parameters=sdp.parameters_to_sdp(one.parameters),
            feedback=tuple(f"{fb.type} {fb.parameter}" if fb.parameter else fb.type for fb in one.rtcpFeedback),
            rtx=rtx.get(one.payloadType),
        )
        for one in listed
        if one.name.lower() not in ("rtx", "red", "ulpfec", "flexfec-03", "telephone-event", "cn")
    )


def _ssrcs(media: sdp.MediaDescription) -> tuple[int, ...]:
    """The stream's SSRC, then that of its retransmissions."""
    pairs = (one.items for one in media.ssrc_group if one.semantic == "FID" and len(one.items) == 2)
    listed = [int(one) for one in next(pairs, ())] or [one.ssrc for one in media.ssrc[:SPARE_SSRCS]]
    if any(one not in _SSRCS for one in listed):
        raise BadOffer("An SSRC has more than 32 bits.")
    return tuple(listed)
