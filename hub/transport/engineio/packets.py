"""Engine.IO v4 packets, without I/O, and the payloads in which long-polling carries them.

Source: the Engine.IO protocol, revision 4. A packet is kept as its WebSocket frame; a poll is answered with the frames'
contents, so there is no second encoding.
"""

import base64
import binascii
from collections.abc import Iterable
from typing import Final

from hub.transport.engineio.websocket import BINARY, TEXT, CloseCode, Message, ProtocolError, frame, payloads_of

OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP = b"0123456"
"""Packet types: the first byte of a text packet. Binary packets have none."""
SEPARATOR: Final = b"\x1e"
MAX_PACKETS_A_POST: Final = 10_000
"""A client posts all that it has, up to a megabyte. The limit keeps a megabyte of separators from being half a million
packets."""

PING_FRAME: Final = frame(b"2")
CLOSE_FRAME: Final = frame(b"1")
NOOP_FRAME: Final = frame(b"6")
PROBE: Final = b"2probe"
PROBE_ANSWER: Final = frame(b"3probe")
UPGRADE_PACKET: Final = b"5"


def encode_payload(frames: Iterable[bytes]) -> bytes:
    """The body that answers a poll with the packets in ``frames``, in their order; each may be several frames."""
    return SEPARATOR.join(
        payload if opcode == TEXT else b"b" + base64.b64encode(payload)
        for some in frames
        for opcode, payload in payloads_of(some)
    )


def decode_payload(body: bytes) -> list[Message]:
    """The packets of a POST, as :class:`FrameReader` gives those of a WebSocket. Raises ProtocolError."""
    try:
        body.decode()
    except UnicodeDecodeError:
        raise ProtocolError("a payload that is not UTF-8", CloseCode.INVALID_DATA) from None
    items = body.split(SEPARATOR, MAX_PACKETS_A_POST)
    if len(items) > MAX_PACKETS_A_POST:
        raise ProtocolError("too many packets in one payload")
    return [_decode(item) for item in items]


def _decode(item: bytes) -> Message:
    if item[:1] == b"b":
        try:
            return BINARY, bytearray(base64.b64decode(item[1:], validate=True))
        except binascii.Error:
            raise ProtocolError("invalid base64") from None
    if not item or not OPEN <= item[0] <= NOOP:
        raise ProtocolError("no packet type")
    return TEXT, bytearray(item)
