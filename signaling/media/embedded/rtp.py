"""RTP packets: their header read and written. Without I/O.

Only what forwarding needs. Payloads are never looked into, extensions only for the id of the media section (BUNDLE).
Source: RFC 3550, section 5.1; RFC 8285; RFC 4588 for retransmissions.
"""

import struct
from collections.abc import Callable
from typing import NamedTuple

HEADER_BYTES = 12
VERSION_BITS = 0x80
MARKER = 0x80
EXTENDED = 0x10
"""Of the first byte: what follows the header begins with extensions."""
_PADDING = 0x20
_ONE_BYTE = 0xBEDE
_STOP = 15
"""An extension id that ends the list (RFC 8285, section 4.2)."""

_fixed = struct.Struct("!BBHII")
_short = struct.Struct("!H")
header = _fixed.pack
"""``header(bits, marker | payload_type, sequence, timestamp, ssrc)``: the first 12 bytes of a packet that we send."""


Send = Callable[[int, int, int, int, int, bytes], None]
"""Sends a packet: the five fields of its header, and its body, which is extensions with the payload."""


class MalformedPacket(ValueError):
    """Bytes that are no RTP packet."""


class Packet(NamedTuple):
    """An RTP packet without its padding. ``marker`` is 0 or MARKER, as it stands in the second byte."""

    payload_type: int
    marker: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    extensions: bytes
    """What follows the profile's two bytes and the length, empty where there are none."""
    one_byte: bool


def parse(data: bytes) -> Packet:
    """Read a packet. Raises MalformedPacket."""
    size = len(data)
    if size < HEADER_BYTES:
        raise MalformedPacket("shorter than a header")
    bits, kind, sequence, timestamp, ssrc = _fixed.unpack_from(data)
    if bits >> 6 != VERSION_BITS >> 6:
        raise MalformedPacket("not version 2")
    start, end = HEADER_BYTES + 4 * (bits & 15), size
    extensions, one_byte = b"", False
    if bits & EXTENDED:
        if start + 4 > size:
            raise MalformedPacket("extension header cut off")
        words = start + 4
        one_byte = _short.unpack_from(data, start)[0] == _ONE_BYTE
        start = words + 4 * _short.unpack_from(data, start + 2)[0]
        extensions = data[words:start]
    if bits & _PADDING:
        end -= data[-1]
        if not data[-1]:
            raise MalformedPacket("padding of no bytes")
    if start > end:
        raise MalformedPacket("longer than its bytes")
    return Packet(kind & 0x7F, kind & MARKER, sequence, timestamp, ssrc, data[start:end], extensions, one_byte)


def extension(packet: Packet, number: int) -> bytes | None:
    """The value of a header extension, None if the packet has it not (or not whole)."""
    data, at = packet.extensions, 0
    while at < len(data):
        if packet.one_byte:
            key, length = data[at] >> 4, (data[at] & 15) + 1
            head = 1
        else:
            key, length = data[at], data[at + 1] if at + 1 < len(data) else 0
            head = 2
        if key == 0:  # padding between two
            at += 1
            continue
        if packet.one_byte and key == _STOP:
            return None
        value = data[at + head : at + head + length]
        if key == number:
            return value if len(value) == length else None
        at += head + length
    return None


def original(packet: Packet, payload_type: int, ssrc: int) -> Packet | None:
    """The packet that a retransmission carries (RFC 4588); None for one that carries none, as probes for bandwidth."""
    if len(packet.payload) < 2:
        return None
    (sequence,) = _short.unpack_from(packet.payload)
    return packet._replace(payload_type=payload_type, sequence=sequence, ssrc=ssrc, payload=packet.payload[2:])


def first_byte(block: bytes) -> int:
    """``bits`` of a header that this block of extensions follows."""
    return VERSION_BITS | EXTENDED if block else VERSION_BITS


def retransmission(payload: bytes, sequence: int) -> bytes:
    """The payload of a retransmission of the packet that was sent under ``sequence``."""
    return _short.pack(sequence) + payload
