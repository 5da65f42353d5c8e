"""Sockets and events as the Admin UI is shown them, without secrets and no longer than somebody reads.

What is not known to be harmless stays here: of headers and query parameters only those listed leave the server, of
events nothing under a key that sounds like a secret.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from hub.kernel.clock import from_ms

if TYPE_CHECKING:
    from hub.transport.engineio.request import Request
    from hub.transport.socketio.socket import Socket

HEADERS: Final = (
    *("host", "origin", "user-agent", "accept-language", "accept-encoding", "x-request-id"),
    *("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "cf-connecting-ip"),
)
QUERY: Final = ("EIO", "transport", "t")
MAX_TEXT: Final = 200
"""Characters of a header, a room or a name."""
MAX_ROOMS: Final = 100
MAX_CHARACTERS: Final = 2000
"""Of the arguments of one event."""
VALUE_CHARACTERS: Final = 8
"""What a value counts beside its text, so that many empty ones come to an end too."""
MAX_DEPTH: Final = 6
HIDDEN: Final = "(hidden)"
CUT: Final = "…"

_HEADER_KEYS = [(name, name.encode()) for name in HEADERS]
_SECRET = re.compile(
    r"token|passw|secret|authori[sz]ation|cookie|api_?-?key|ticket|credential|private_?-?key|mnemonic|jwt|session_?id",
    re.IGNORECASE,
)
_JWT = re.compile(r"(Bearer\s|eyJ[\w-]+\.[\w-]+\.)", re.IGNORECASE)
_CLIENT_KEY = os.urandom(16)


class Since(NamedTuple):
    """What is remembered of a socket's beginning, for later the request is gone."""

    ms: int
    address: str


def client_id(session_sid: str) -> str:
    """What the sockets of one client have in common: no way back to the session's id, which is a bearer secret."""
    return hashlib.blake2b(session_sid.encode(), key=_CLIENT_KEY, digest_size=8).hexdigest()


def describe(socket: Socket, since: Since, data: Mapping[str, Any]) -> dict[str, Any]:
    """A socket as ``all_sockets`` and ``socket_connected`` have it."""
    session = socket.client.session
    return {
        "id": socket.sid,
        "clientId": client_id(session.sid),
        "transport": transport_of(socket),
        "nsp": text(socket.namespace),
        "data": dict(data),
        "handshake": _handshake(socket.client.request, since),
        "rooms": [socket.sid, *(text(room) for room in islice(socket.rooms, MAX_ROOMS))],
    }


def transport_of(socket: Socket) -> str:
    """``websocket`` or ``polling``."""
    return "polling" if socket.client.session.connection is None else "websocket"


def _handshake(request: Request | None, since: Since) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "address": since.address,
        "headers": {},
        "query": {},
        "issued": since.ms,
        "time": timestamp(from_ms(since.ms)),
        "secure": False,
        "xdomain": False,
        "url": "",
    }
    if request is not None:
        head = request.head
        headers = {name: text(head.header(key)) for name, key in _HEADER_KEYS if key in head.headers}
        shown |= {
            "headers": headers,
            "query": {name: text(head.query[name]) for name in QUERY if name in head.query},
            "secure": headers.get("x-forwarded-proto") == "https",
            "xdomain": "origin" in headers,
            "url": text(head.path),
        }
    return shown


def timestamp(moment: datetime) -> str:
    """A moment as JavaScript writes it: the page shows it as it comes."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def text(value: Any, limit: int = MAX_TEXT) -> str:
    """A text that can be encoded, cut after ``limit`` characters."""
    whole = value if isinstance(value, str) else str(value)
    shown = whole if len(whole) <= limit else whole[:limit] + CUT
    return shown if shown.isascii() else shown.encode(errors="replace").decode()


def event(arguments: list[Any]) -> list[Any]:
    """An event's name and arguments, within MAX_CHARACTERS."""
    sketch = _Sketch()
    return [text(arguments[0]), *sketch.items(arguments[1:], 0)]


class _Sketch:
    """Copies values until the characters are used up."""

    def __init__(self) -> None:
        self._left = MAX_CHARACTERS

    def items(self, values: list[Any] | tuple[Any, ...], depth: int) -> list[Any]:
        shown: list[Any] = []
        for value in values:
            if self._left <= 0:
                return [*shown, CUT]
            shown.append(self._value(value, depth))
        return shown

    def _value(self, value: Any, depth: int) -> Any:
        self._left -= VALUE_CHARACTERS
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, str):
            return HIDDEN if _JWT.match(value) else self._text(value)
        if isinstance(value, bytes | bytearray | memoryview):
            return f"({len(value)} bytes)"
        return self._nested(value, depth + 1) if depth < MAX_DEPTH else CUT

    def _nested(self, value: Any, depth: int) -> Any:
        if isinstance(value, list | tuple):
            return self.items(value, depth)
        if isinstance(value, dict):
            return self._map(value, depth)
        return timestamp(value) if isinstance(value, datetime) else f"({type(value).__name__})"

    def _map(self, values: dict[Any, Any], depth: int) -> dict[str, Any]:
        shown: dict[str, Any] = {}
        for key, value in values.items():
            if self._left <= 0:
                shown[CUT] = CUT
                return shown
            name = self._text(str(key))
            shown[name] = HIDDEN if _SECRET.search(name) else self._value(value, depth)
        return shown

    def _text(self, value: str) -> str:
        shown = text(value, max(0, min(len(value), self._left)))
        self._left -= len(shown)
        return shown
