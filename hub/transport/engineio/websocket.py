"""RFC 6455 frames, without I/O: what a server writes, and what it takes from clients.

A packet of Engine.IO has one encoded form here: the unmasked frame that carries it over a WebSocket. A broadcast is
framed once, and the same bytes go to every receiver.
"""

from collections.abc import Iterator
from typing import Final, TypeAlias

from hub.transport.seams import xor_mask

TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA
_CONTINUATION: Final = 0x0
_FIN: Final = 0x80
_RESERVED_BITS: Final = 0x70
_CONTROL_BIT: Final = 0x08
_MASK_BIT: Final = 0x80
_MASKED_HEADER_BYTES: Final = 6
"""Of a short frame from a client: two bytes and the masking key."""
_LONGEST_CONTROL: Final = 125
_WIDTH_16: Final = 126
_WIDTH_64: Final = 127


class CloseCode:
    """Why a WebSocket was closed. Section 7.4 of RFC 6455 has those below 4000, those above are ours."""

    NORMAL: Final = 1000
    GOING_AWAY: Final = 1001
    """The node drains. Reconnect, after the pause it asked for."""
    PROTOCOL_ERROR: Final = 1002
    """The client broke WebSocket, Engine.IO or Socket.IO. The same would happen again."""
    UNSUPPORTED: Final = 1003
    """Text where messages are binary. The same would happen again."""
    INVALID_DATA: Final = 1007
    """Text that is not UTF-8."""
    POLICY: Final = 1008
    """It did not do in time what it had to: no CONNECT, no upgrade."""
    TOO_BIG: Final = 1009
    """A message over the payload limit that the open packet states."""
    SERVICE_RESTART: Final = 1012
    """The node drains. Reconnect."""
    PING_TIMEOUT: Final = 4000
    """No pong came. Reconnect."""
    TOKEN_EXPIRED: Final = 4001
    """The access token ran out, and no newer one came. Reconnect with a fresh one."""
    SLOW_READER: Final = 4008
    """More waited for the client than is kept for one that does not read. Reconnect, and fetch what was missed."""


_VALID_BELOW_3000 = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014})


class ProtocolError(ValueError):
    """The client broke the protocol. ``code`` is the close code to answer with."""

    def __init__(self, reason: str, code: int = CloseCode.PROTOCOL_ERROR) -> None:
        super().__init__(reason)
        self.code = code


# ---------------------------------------------------------------- frames out

_SHORT_TEXT = [bytes((_FIN | TEXT, size)) for size in range(_LONGEST_CONTROL + 1)]
"""Headers of text frames by size: nearly every packet is short, and making the two bytes costs as much as the rest."""


def frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """The unmasked, final frame of ``payload``, its length in the shortest form (section 5.2)."""
    size = len(payload)
    if size <= _LONGEST_CONTROL:
        return (_SHORT_TEXT[size] if opcode == TEXT else bytes((_FIN | opcode, size))) + payload
    if size < 1 << 16:
        return bytes((_FIN | opcode, _WIDTH_16, size >> 8, size & 0xFF)) + payload
    return bytes((_FIN | opcode, _WIDTH_64)) + size.to_bytes(8, "big") + payload


def payloads_of(frames: bytes) -> Iterator[tuple[int, bytes]]:
    """Opcode and payload of each of the frames, which :func:`frame` made, one after the other."""
    position = 0
    while position < len(frames):
        length, start = frames[position + 1], position + 2
        if length > _LONGEST_CONTROL:
            stop = start + (2 if length == _WIDTH_16 else 8)
            length, start = int.from_bytes(frames[start:stop], "big"), stop
        yield frames[position] & 0xF, frames[start : start + length]
        position = start + length


def close_frame(code: int = CloseCode.NORMAL, reason: str = "") -> bytes:
    """A close frame. ``reason`` is for people, at most 123 bytes of UTF-8 (section 5.5.1); more is cut off."""
    text = reason.encode()[: _LONGEST_CONTROL - 2].decode(errors="ignore").encode()
    return frame(code.to_bytes(2, "big") + text, CLOSE)


# ---------------------------------------------------------------- frames in


Message: TypeAlias = tuple[int, bytearray]
"""Opcode and unmasked payload of a whole message (TEXT, BINARY) or control frame (CLOSE, PING, PONG).

A plain tuple: making a NamedTuple takes longer than unmasking.
"""


class FrameReader:
    """Turns the bytes of one client into messages, however they are cut.

    ``receive`` takes bytes, ``next_message`` gives what they complete, one at a time, so that a reader that has enough
    for now can stop in the middle: the rest stays here.
    """

    __slots__ = ("_buffer", "_limit", "_opcode", "_parts", "_position")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        """Bytes of the longest message."""
        self._buffer: bytes | bytearray = b""
        self._position = 0
        self._parts: bytearray | None = None
        """Of a fragmented message under way, whose opcode is ``_opcode``."""
        self._opcode = 0

    def receive(self, data: bytes) -> None:
        """Take what came from the network."""
        if self._position == len(self._buffer):
            self._buffer, self._position = data, 0
            return
        # Appended in place: with a copy for every segment, a client that sends a megabyte byte by byte would cost us
        # half a terabyte of copying.
        if not isinstance(self._buffer, bytearray):
            self._buffer = bytearray(self._buffer)
        del self._buffer[: self._position]
        self._position = 0
        self._buffer += data

    def next_message(self) -> Message | None:
        """The next message or control frame, or ``None`` if the bytes so far do not complete one.

        Raises ProtocolError, after which the connection must be closed: the rest cannot be understood.
        """
        while True:
            buffer, position = self._buffer, self._position
            available = len(buffer) - position
            if available < _MASKED_HEADER_BYTES:
                if available >= 2:
                    self._check_header(buffer[position], buffer[position + 1])
                return None
            first, second = buffer[position], buffer[position + 1]
            size, start = second & 0x7F, position + _MASKED_HEADER_BYTES
            if first != (_FIN | TEXT) or second < _MASK_BIT or self._parts is not None:
                self._check_header(first, second)
            if size > _LONGEST_CONTROL:
                width = 2 if size == _WIDTH_16 else 8
                start += width
                if available < _MASKED_HEADER_BYTES + width:
                    return None
                size = self._long_size(int.from_bytes(buffer[position + 2 : position + 2 + width], "big"), width)
            stop = start + size
            if stop > len(buffer):
                return None
            payload = bytearray(buffer[start:stop])
            xor_mask(bytes(buffer[start - 4 : start]), payload)
            self._position = stop
            if first == (_FIN | TEXT):  # by far the most frequent: a whole text message
                if not payload.isascii():
                    _check_utf8(payload)
                return TEXT, payload
            message = self._complete(first, payload)
            if message is not None:
                return message

    def _check_header(self, first: int, second: int) -> None:
        """Refuse as soon as it is known, before the payload has come. Section 5.2, and 5.4 of fragments."""
        opcode = first & 0xF
        if first & _RESERVED_BITS:
            raise ProtocolError("a reserved bit is set")
        if not second & _MASK_BIT:
            raise ProtocolError("a frame is not masked")
        if opcode & _CONTROL_BIT:
            if opcode > PONG:
                raise ProtocolError("an unknown opcode")
            if not first & _FIN or second & 0x7F > _LONGEST_CONTROL:
                raise ProtocolError("a control frame is fragmented, or too long")
        elif opcode > BINARY:
            raise ProtocolError("an unknown opcode")
        elif (opcode == _CONTINUATION) == (self._parts is None):
            raise ProtocolError("a fragment without a beginning, or a message within another")

    def _long_size(self, size: int, width: int) -> int:
        if size <= _LONGEST_CONTROL or (width == 8 and size < 1 << 16):
            raise ProtocolError("a length that is not in its shortest form")
        if size + len(self._parts or b"") > self._limit:
            raise ProtocolError("a message over the payload limit", CloseCode.TOO_BIG)
        return size

    def _complete(self, first: int, payload: bytearray) -> Message | None:
        """The control frame, or the message that this fragment ends; ``None`` if it goes on."""
        opcode = first & 0xF
        if opcode == CLOSE:
            _check_close(payload)
        if opcode & _CONTROL_BIT:
            return opcode, payload
        if opcode != _CONTINUATION:
            if first & _FIN:
                return opcode, payload
            self._parts, self._opcode = payload, opcode
            return None
        parts = self._parts or bytearray()
        parts += payload
        if len(parts) > self._limit:
            raise ProtocolError("a message over the payload limit", CloseCode.TOO_BIG)
        if not first & _FIN:
            self._parts = parts
            return None
        self._parts = None
        if self._opcode == TEXT:
            _check_utf8(parts)
        return self._opcode, parts


def _check_close(payload: bytearray) -> None:
    """Section 7.4: a code that may stand on the wire, and a reason in UTF-8."""
    if not payload:
        return
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or not (code in _VALID_BELOW_3000 or 3000 <= code < 5000):
        raise ProtocolError("an invalid close code")
    _check_utf8(payload[2:])


def _check_utf8(text: bytearray) -> None:
    try:
        text.decode()
    except UnicodeDecodeError:
        raise ProtocolError("text that is not UTF-8", CloseCode.INVALID_DATA) from None
