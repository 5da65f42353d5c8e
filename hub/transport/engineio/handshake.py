"""The opening handshake of RFC 6455 (section 4.2), without I/O."""

import base64
import binascii
import hashlib
from typing import Final
from urllib.parse import parse_qsl

from hub.transport.engineio.websocket import ProtocolError

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY_BYTES: Final = 16
_MOST_PARAMETERS: Final = 32


class RequestHead:
    """The head of an HTTP/1.1 GET. ``headers`` has lower-case names; of duplicates the first counts.

    Raises ProtocolError for what is no such head.
    """

    __slots__ = ("headers", "path", "query", "query_string")

    def __init__(self, head: bytes) -> None:
        first, *lines = head.split(b"\r\n")
        try:
            method, target, version = first.split(b" ")
            path, _, query = target.decode("ascii").partition("?")
            parameters = _parameters(query)
        except ValueError:  # UnicodeDecodeError is one
            raise ProtocolError("not a request line") from None
        if method != b"GET" or version != b"HTTP/1.1":
            raise ProtocolError("not an HTTP/1.1 GET")
        self.path = path
        self.query_string = query
        self.query = parameters
        self.headers: dict[bytes, bytes] = {}
        for line in lines:
            name, colon, value = line.partition(b":")
            if not colon or not name or name != name.strip():
                raise ProtocolError("a malformed header")
            self.headers.setdefault(name.lower(), value.strip())

    def header(self, name: bytes) -> str:
        """A header's value, or an empty text."""
        return self.headers.get(name, b"").decode("latin-1")

    def websocket_answer(self) -> bytes | None:
        """The 101 response, or ``None`` if this is no proper WebSocket handshake. No extension is ever accepted.

        Compression is not: for small packets it saves little, and costs 100 KB a connection.
        """
        key = self.headers.get(b"sec-websocket-key", b"")
        if (
            self.headers.get(b"upgrade", b"").lower() != b"websocket"
            or b"upgrade" not in _tokens(self.headers.get(b"connection", b""))
            or self.headers.get(b"sec-websocket-version") != b"13"
            or not _is_key(key)
        ):
            return None
        accept = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
        return (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )


def _parameters(query: str) -> dict[str, str]:
    """The parameters of a query. Those of Engine.IO need no decoding, which takes as long as the rest of the head."""
    if "%" in query or "+" in query:
        return dict(parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS))
    pairs = query.split("&", _MOST_PARAMETERS)
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs) if name}


def _tokens(value: bytes) -> set[bytes]:
    return {token.strip() for token in value.lower().split(b",")}


def _is_key(key: bytes) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == _KEY_BYTES
    except binascii.Error:
        return False
