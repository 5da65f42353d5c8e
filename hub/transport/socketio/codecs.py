"""The two parsers of Socket.IO, as an endpoint uses them, and the forms in which clients are sent events."""

from collections.abc import Callable
from typing import Any, Protocol

from hub.transport.socketio.packets import Packet, decode_json, decode_msgpack, encode_json, encode_msgpack


class Encode(Protocol):
    """Makes the frames of a packet, all in one."""

    def __call__(self, type: int, namespace: str = "/", id: int | None = None, data: Any = None) -> bytes:
        """Raises TypeError for data that the parser cannot write."""
        ...


class Codec:
    """A parser: what it makes of text messages and of binary ones, and how it writes."""

    __slots__ = ("binary", "encode", "name", "text")

    def __init__(
        self,
        name: str,
        encode: Encode,
        *,
        text: Callable[[bytes], Packet] | None = None,
        binary: Callable[[bytes | bytearray], Packet] | None = None,
    ) -> None:
        self.name = name
        self.encode = encode
        self.text = text
        """Decodes a text message; ``None`` if the parser has none."""
        self.binary = binary
        """Decodes a binary message that is no attachment."""

    def __repr__(self) -> str:
        return f"<Codec {self.name}>"


JSON = Codec("json", encode_json, text=decode_json)
MSGPACK = Codec("msgpack", encode_msgpack, binary=decode_msgpack)


class Form:
    """How a client is sent events: by which parser, and whether with the offset of what it may miss."""

    __slots__ = ("codec", "offsets")

    def __init__(self, codec: Codec, *, offsets: bool) -> None:
        self.codec = codec
        self.offsets = offsets

    def __repr__(self) -> str:
        return f"<Form {self.codec.name}{'' if self.offsets else ', no offsets'}>"


FORMS = {(codec, offsets): Form(codec, offsets=offsets) for codec in (JSON, MSGPACK) for offsets in (True, False)}
"""All there are, by their two properties."""
COMMON = FORMS[JSON, True]
"""That of nearly every client."""
