"""WebSocket frames by hand (RFC 6455): right and wrong ones out, and only right ones in."""

import base64
import hashlib
from collections.abc import Container
from dataclasses import dataclass
from enum import IntEnum

from tests.support.raw_http import ANSWER_S, RawConnection, request

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
"""The sample of RFC 6455, section 1.3; its answer is s3pPLMBiTxaQ9kYGzzhZRbK+xOo=."""

MASK = b"\x37\xfa\x21\x3d"
"""The masking key of the samples in RFC 6455, section 5.7."""

CLOSE_S = 1.0
"""A violation is answered at once, and long before any timeout of a server at its normal settings."""

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Opcode(IntEnum):
    """RFC 6455, section 5.2."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


@dataclass(frozen=True)
class Frame:
    """A frame of the server."""

    opcode: int
    payload: bytes
    fin: bool = True


@dataclass(frozen=True)
class Close:
    """How the server closed. `code` is None where its close frame is empty."""

    code: int | None
    reason: str = ""


def encode_frame(
    payload: bytes | str,
    opcode: int = Opcode.TEXT,
    *,
    fin: bool = True,
    reserved: int = 0,
    mask: bytes | None = MASK,
    length: int | None = None,
    length_bytes: int | None = None,
) -> bytes:
    """A frame of a client.

    `reserved` are the three bits RSV1 to RSV3; without a `mask` it is none that a client may send; `length` is declared
    in place of the true one; `length_bytes` is the size of the extended length (0, 2 or 8) in place of the least one.
    """
    data = payload.encode() if isinstance(payload, str) else payload
    size = len(data) if length is None else length
    if length_bytes is None:
        length_bytes = 0 if size < 126 else 2 if size < 1 << 16 else 8
    short = {0: size, 2: 126, 8: 127}[length_bytes]
    first = (0x80 if fin else 0) | reserved << 4 | opcode
    head = bytes((first, short | (0x80 if mask is not None else 0))) + size.to_bytes(length_bytes or 1)[:length_bytes]
    if mask is None:
        return head + data
    return head + mask + xor(data, mask)


def xor(data: bytes, mask: bytes) -> bytes:
    """RFC 6455, section 5.3."""
    key = (mask * (len(data) // 4 + 1))[: len(data)]
    return (int.from_bytes(data) ^ int.from_bytes(key)).to_bytes(len(data))


def close_payload(code: int, reason: bytes | str = b"") -> bytes:
    """RFC 6455, section 5.5.1."""
    return code.to_bytes(2) + (reason.encode() if isinstance(reason, str) else reason)


def accept_of(key: str) -> str:
    """The Sec-WebSocket-Accept for a Sec-WebSocket-Key."""
    return base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()


def handshake(target: str, method: str = "GET", /, **headers: str | None) -> bytes:
    """A client's handshake; `headers` replace the usual ones, and None takes one away."""
    fields: dict[str, str | None] = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec_WebSocket_Key": KEY,
        "Sec_WebSocket_Version": "13",
        **headers,
    }
    return request(method, target, None, **{name: value for name, value in fields.items() if value is not None})


class RawWebSocket:
    """The connection after a handshake. What the server sends is held to RFC 6455, section 5."""

    def __init__(self, connection: RawConnection) -> None:
        self.connection = connection
        self._has_closed = False

    def send(self, *frames: bytes) -> None:
        """Send frames as they are, in one piece."""
        self.connection.send(b"".join(frames))

    def send_close(self, payload: bytes = b"\x03\xe8", *after: bytes) -> None:
        """Begin the closing handshake, and send what follows in the same piece."""
        self._has_closed = True
        self.send(encode_frame(payload, Opcode.CLOSE), *after)

    async def frame(self, timeout_s: float = ANSWER_S) -> Frame:
        """The next frame. Raises Ended, and TimeoutError when it takes too long."""
        first, second = await self.connection.exactly(2, timeout_s)
        assert not first & 0x70, "a reserved bit is set"
        assert not second & 0x80, "a server must not mask"
        fin, opcode, size = bool(first & 0x80), first & 0x0F, second
        if size > 125:
            assert opcode < Opcode.CLOSE, "a control frame is too long"
            length_bytes = 2 if size == 126 else 8
            size = int.from_bytes(await self.connection.exactly(length_bytes))
            assert size > (125 if length_bytes == 2 else 0xFFFF), "the length takes more bytes than it needs"
        assert fin or opcode < Opcode.CLOSE, "a control frame is fragmented"
        return Frame(Opcode(opcode), await self.connection.exactly(size), fin)

    async def closed(self, within_s: float = CLOSE_S, *, passing_over: Container[bytes] = ()) -> Close:
        """How the server closes, and nothing but text messages of `passing_over` before.

        Unless it answers ours, the close is echoed; then the server has to end the TCP connection. Each has to happen
        within the given time. Raises Ended if the connection ends without a close frame.
        """
        while True:
            frame = await self.frame(within_s)
            if frame.opcode == Opcode.CLOSE:
                break
            assert frame.opcode == Opcode.TEXT, frame
            assert frame.payload in passing_over, frame
        if not self._has_closed:
            self.send_close(frame.payload[:2])
        assert await self.connection.rest(within_s) == b"", "something comes after the close frame"
        await self.connection.close()
        if not frame.payload:
            return Close(None)
        return Close(int.from_bytes(frame.payload[:2]), frame.payload[2:].decode())
