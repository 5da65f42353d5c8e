"""Header extensions of RTP that the server reads and writes, by the numbers that a connection gives them. Without I/O.

What a publisher says of a packet is for the server: only its loudness is passed on, under each receiver's own number.
The time of sending is the server's own: by it receivers estimate how much the way from here carries (REMB). Others are
not negotiated: a transport-wide number would have to be counted for each receiver, and nothing here reads the feedback.

Sources: RFC 8285; RFC 6464; RFC 9143, section 15; webrtc.org, "abs-send-time".
"""

import struct
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from signaling.media.embedded.codecs import Codec

MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
LOUDNESS = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
SENT_AT = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
_ONE_BYTE = range(1, 15)
"""Numbers that fit into an element with a head of one byte."""
_head = struct.Struct("!HH")
_PROFILE = 0xBEDE


class Numbers(NamedTuple):
    """The number of each extension in one media section, None for one that it does not have."""

    mid: int | None = None
    """Names the section in its packets."""
    loudness: int | None = None
    sent_at: int | None = None


def numbers(listed: Iterable[tuple[str, int]]) -> Numbers:
    """Those of an offer, given as URIs and numbers."""
    known = {uri: number for uri, number in listed if number in _ONE_BYTE}
    return one_of(Numbers(known.get(MID), known.get(LOUDNESS), known.get(SENT_AT)))


@cache
def one_of(numbers: Numbers) -> Numbers:
    """The same object for equal ones, so that they are compared by ``is``; there are 15³ at most."""
    return numbers


NONE = one_of(Numbers())


def sent(numbers: Numbers, codec: Codec) -> Numbers:
    """What a receiver gets of those that it has.

    Nothing where a packet may come again under its own number: see ``Outbound.repeat``.
    """
    if codec.repairs and codec.rtx is None:
        return NONE
    loudness = numbers.loudness if codec.mime_type.startswith("audio/") else None
    return one_of(Numbers(None, loudness, numbers.sent_at))


def block(numbers: Numbers, loudness: bytes | None, now_ms: float) -> bytes:
    """The extensions of a packet that is sent now, with their head; empty if there are none."""
    elements = b""
    if numbers.loudness is not None and loudness is not None:
        elements = bytes((numbers.loudness << 4, loudness[0]))
    if numbers.sent_at is not None:
        elements += (numbers.sent_at << 28 | 2 << 24 | sent_at(now_ms)).to_bytes(4)
    if not elements:
        return b""
    words = (len(elements) + 3) // 4
    return _head.pack(_PROFILE, words) + elements.ljust(4 * words, b"\0")


def sent_at(now_ms: float) -> int:
    """A time as 24 bits: seconds with 18 bits behind the point, so it wraps every 64 s."""
    return int(now_ms * 262.144) & 0xFFFFFF
