"""The opening handshake of RFC 6455 (section 4.2), without I/O."""

import base64
import binascii
import hashlib
import re
from typing import Final
from urllib.parse import parse_qsl

from hub.transport.engineio.websocket import ProtocolError

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY_BYTES: Final = 16
VERSION: Final = b"13"
_HEADER: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[^\x00-\x08\x0a-\x1f\x7f]*").fullmatch
"""A header line (RFC 9112, section 5): a token, a colon at once, and a value without control characters."""
_ONCE: Final = frozenset({b"host", b"origin", b"sec-websocket-key", b"sec-websocket-version"})
"""Headers of which two say two things."""
_MOST_PARAMETERS: Final = 32


class RequestHead:
    """The head of an HTTP/1.1 GET, taken strictly. ``headers`` has lower-case names; of duplicates the first counts.

    Raises ProtocolError for what is no such head, or has a header twice that may come once.
    """

    __slots__ = ("headers", "path", "query", "query_string", "text")

    def __init__(self, head: bytes) -> None:
        self.text = head
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
            if not _HEADER(line):
                raise ProtocolError("a malformed header")
            name, _, value = line.partition(b":")
            name = name.lower()
            if self.headers.setdefault(name, value := value.strip()) is not value and name in _ONCE:
                raise ProtocolError("a header that comes twice")

    def header(self, name: bytes) -> str:
        """A header's value, or an empty text."""
        return self.headers.get(name, b"").decode("latin-1")

    @property
    def wants_websocket(self) -> bool:
        """Whether it asks for a WebSocket, however badly."""
        return b"websocket" in _tokens(self.headers.get(b"upgrade", b""))

    @property
    def has_our_version(self) -> bool:
        """Whether it asks for the version of RFC 6455, which is the only one."""
        return self.headers.get(b"sec-websocket-version") == VERSION

    def websocket_answer(self) -> bytes | None:
        """The 101 response, or ``None`` if this is no proper WebSocket handshake. No extension is ever accepted.

        Compression is not: for small packets it saves little, and costs 100 KB a connection.
        """
        key = self.headers.get(b"sec-websocket-key", b"")
        if (
            not self.wants_websocket
            or b"upgrade" not in _tokens(self.headers.get(b"connection", b""))
            or not self.has_our_version
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
