"""Socket.IO v5 packets, without I/O. Strict: what the protocol's own parser refuses raises ValueError here.

Source: the Socket.IO protocol, revision 5. A packet's encoded form is its WebSocket frames, those of attachments after
the first, as one bytes object: so nothing can get between them, and a broadcast is one write.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, Final, NoReturn

import msgspec
import orjson

from hub.transport.engineio.websocket import BINARY, frame

CONNECT: Final = 0
DISCONNECT: Final = 1
EVENT: Final = 2
ACK: Final = 3
CONNECT_ERROR: Final = 4
BINARY_EVENT: Final = 5
BINARY_ACK: Final = 6

RESERVED_EVENTS: Final = frozenset(
    {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}
)
"""Names that no client may send: stock python-socketio would run the application's own handlers for them."""
MAX_ATTACHMENTS: Final = 10
MAX_DEPTH: Final = 250
"""Levels of what has attachments: as many as orjson writes. Recursion is bounded by us and not by Python, whose limit
other packages change."""
MAX_ACK_DIGITS: Final = 15
"""Any number of so many digits is an integer in JavaScript."""
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
"""Half of a character, as JSON has it."""
_DIGITS: Final = frozenset(b"0123456789")
_TYPES: Final = [b"4%d" % number for number in range(BINARY_ACK + 1)]
"""Packet types with the Engine.IO type, MESSAGE, before them."""


class HalfCharacter:
    """In place of an event's payload with a lone surrogate.

    JavaScript makes such text whenever it slices a string within an emoji. No UTF-8 can hold it, so the payload is
    refused; closing the connection, as for what is no JSON at all, would make the client send it again for ever.
    """


HALF_CHARACTER = HalfCharacter()


class Packet:
    """A packet from a client. It is complete once it has its ``attachments``."""

    __slots__ = ("_parts", "attachments", "data", "id", "namespace", "size", "type")

    def __init__(
        self, type: int, namespace: str = "/", id: int | None = None, data: Any = None, attachments: int = 0
    ) -> None:
        self.type = type
        self.namespace = namespace
        self.id = id
        self.data = data
        self.attachments = attachments
        """How many are still to come."""
        self.size = 0
        """Bytes of a packet that has attachments, with those that have come."""
        self._parts: list[bytes] = []

    def add_attachment(self, data: bytes) -> None:
        """Take the next attachment; the last one puts all into their places. Raises ValueError for a bad place."""
        self.size += len(data)
        self._parts.append(data)
        self.attachments -= 1
        if not self.attachments:
            self.data = _restore(self.data, self._parts)


# ---------------------------------------------------------------- JSON


def decode_json(text: bytes) -> Packet:
    """A packet of the default parser, without its Engine.IO type. Raises ValueError."""
    kind, position = text[0] - 48 if text else -1, 1
    if not CONNECT <= kind <= BINARY_ACK:
        raise ValueError("an unknown packet type")
    packet = Packet(kind)
    if kind >= BINARY_EVENT:
        packet.attachments, position = _attachments(text)
        packet.size = 1 + len(text)
        packet.type -= BINARY_EVENT - EVENT
    if text[position : position + 1] == b"/":
        packet.namespace, position = _namespace(text, position)
    start = position
    while position < len(text) and text[position] in _DIGITS:
        position += 1
    if position - start > MAX_ACK_DIGITS:
        raise ValueError("an acknowledgement id that is too long")
    if position > start:
        packet.id = int(text[start:position])
    if position < len(text):
        packet.data = loads(text[position:]) if packet.type == EVENT else orjson.loads(text[position:])
    elif kind not in (CONNECT, DISCONNECT):
        raise ValueError("no payload")
    check(packet, has_data=position < len(text))
    return packet


def _attachments(text: bytes) -> tuple[int, int]:
    dash = text.find(b"-", 1, 5)
    digits = text[1:dash]
    if dash < 2 or not _DIGITS.issuperset(digits) or not 1 <= int(digits) <= MAX_ATTACHMENTS:
        raise ValueError("an illegal number of attachments")
    return int(digits), dash + 1


def _namespace(text: bytes, position: int) -> tuple[str, int]:
    comma = text.find(b",", position)
    stop = len(text) if comma < 0 else comma
    return text[position:stop].decode().partition("?")[0], stop + 1


def loads(text: bytes | memoryview) -> Any:
    """The value of a JSON text; of an event whose payload has a lone surrogate, ``[name, HALF_CHARACTER]``.

    Raises ValueError.
    """
    try:
        return orjson.loads(text)
    except ValueError:
        if _SURROGATE.search(text) is None:
            raise
        try:
            value = json.loads(bytes(text).decode(), parse_constant=_refuse)
        except RecursionError:
            raise ValueError("JSON that is nested too deeply") from None
        if not (isinstance(value, list) and value and _is_text(value[0])):
            raise
        return [value[0], HALF_CHARACTER]


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _is_text(value: Any) -> bool:
    try:
        return isinstance(value, str) and value.encode() is not None
    except UnicodeEncodeError:
        return False


def encode_json(type: int, namespace: str = "/", id: int | None = None, data: Any = None) -> bytes:
    """The frames of a packet. Raises TypeError for what is neither JSON nor bytes."""
    head = b"" if namespace == "/" else namespace.encode() + b","
    if id is not None:
        head += b"%d" % id
    if data is None:
        return frame(_TYPES[type] + head)
    try:
        return frame(_TYPES[type] + head + orjson.dumps(data))
    except TypeError:  # bytes, or keys that are no text: only data that has some pays for looking
        return _encode_rare(type, head, data)


def _encode_rare(type: int, head: bytes, data: Any) -> bytes:
    parts: list[bytes] = []
    text = orjson.dumps(_extract(data, parts), None, orjson.OPT_NON_STR_KEYS)
    if not parts:
        return frame(_TYPES[type] + head + text)
    first = b"%b%d-" % (_TYPES[type + BINARY_EVENT - EVENT], len(parts))
    return frame(first + head + text) + b"".join(frame(part, BINARY) for part in parts)


def event_of_text(name: str, payload: bytes, offset: str | None = None) -> bytes:
    """The frame of an event in the default namespace, whose payload is JSON text; with an offset of digits and dots."""
    if offset is None:
        return frame(b"42[%b,%b]" % (orjson.dumps(name), payload))
    return frame(b'42[%b,%b,"%b"]' % (orjson.dumps(name), payload, offset.encode()))


def ack_of_text(id: int, answer: bytes) -> bytes:
    """The frame of an acknowledgement in the default namespace, whose one argument is JSON text."""
    return frame(b"43%d[%b]" % (id, answer))


# ---------------------------------------------------------------- MessagePack


def decode_msgpack(data: bytes | bytearray) -> Packet:
    """A packet of socket.io-msgpack-parser: ``{type, nsp, data?, id?}``. Raises ValueError."""
    try:
        fields = _unpack(data)
    except (msgspec.DecodeError, RecursionError):
        raise ValueError("no MessagePack") from None
    if not isinstance(fields, dict):
        raise ValueError("a packet that is no map")
    kind, namespace, id = fields.get("type"), fields.get("nsp", "/"), fields.get("id")
    if type(kind) is not int or not CONNECT <= kind <= CONNECT_ERROR or not isinstance(namespace, str):
        raise ValueError("an unknown packet type, or no namespace")
    if id is not None and (type(id) is not int or not 0 <= id < 10**MAX_ACK_DIGITS):
        raise ValueError("an acknowledgement id that is no integer")
    packet = Packet(kind, namespace.partition("?")[0] or "/", id, fields.get("data"))
    check(packet, has_data=packet.data is not None)
    return packet


def _undefined(code: int, _data: memoryview) -> None:
    """notepack, which browsers encode with, writes ``undefined`` as extension 0. No other means anything to us."""
    if code != 0:
        raise ValueError(f"extension type {code}")


_unpack = msgspec.msgpack.Decoder(ext_hook=_undefined).decode
_pack = msgspec.msgpack.Encoder().encode


def encode_msgpack(type: int, namespace: str = "/", id: int | None = None, data: Any = None) -> bytes:
    """The frame of a packet; bytes need no attachments here."""
    fields: dict[str, Any] = {"type": type, "data": data, "nsp": namespace}
    if id is not None:
        fields["id"] = id
    return frame(_pack(fields), BINARY)


# ---------------------------------------------------------------- what both have in common


def check(packet: Packet, *, has_data: bool) -> None:
    """Raises ValueError if the data does not fit the type, or a client may not send it."""
    kind, data = packet.type, packet.data
    if kind == CONNECT:
        fits = isinstance(data, dict) or not has_data
    elif kind == DISCONNECT:
        fits = not has_data
    elif kind == EVENT:
        fits = isinstance(data, list) and bool(data) and _is_event_name(data[0])
    else:
        fits = kind == ACK and isinstance(data, list)  # only a server sends CONNECT_ERROR
    if not fits:
        raise ValueError("a payload that does not fit its packet")


def _is_event_name(name: Any) -> bool:
    return isinstance(name, str) and name not in RESERVED_EVENTS


def _restore(value: Any, parts: Sequence[bytes], depth: int = 0) -> Any:
    """Attachments in the places that wait for them."""
    if depth > MAX_DEPTH:
        raise ValueError("a payload with attachments that is nested too deeply")
    if isinstance(value, list):
        return [_restore(item, parts, depth + 1) for item in value]
    if isinstance(value, dict):
        if value.get("_placeholder") is True:
            number = value.get("num")
            if type(number) is not int or not 0 <= number < len(parts):
                raise ValueError("an attachment that is not there")
            return parts[number]
        return {key: _restore(item, parts, depth + 1) for key, item in value.items()}
    return value


def _extract(value: Any, parts: list[bytes], depth: int = 0) -> Any:
    """Places for attachments, which are put into ``parts``."""
    if depth > MAX_DEPTH:
        raise TypeError("data that is nested too deeply")
    if isinstance(value, bytes | bytearray | memoryview):
        parts.append(bytes(value))
        return {"_placeholder": True, "num": len(parts) - 1}
    if isinstance(value, list | tuple):
        return [_extract(item, parts, depth + 1) for item in value]
    if isinstance(value, dict):
        return {key: _extract(item, parts, depth + 1) for key, item in value.items()}
    return value
