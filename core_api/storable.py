"""Text and JSON from clients, checked to be what PostgreSQL stores and every client can read back."""

import math
from typing import Annotated, Any

import msgspec
import orjson
from msgspec import Meta

from hub.kernel.errors import InvalidPayload, PayloadTooLarge
from hub.kernel.wire import END

CHARACTER = r"[^\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]"
"""Tabs and line feeds are text. PostgreSQL stores no NUL, UTF-8 has no surrogates, and nothing shows the rest."""
Text = Annotated[str, Meta(pattern=f"^{CHARACTER}*{END}")]
VisibleText = Annotated[str, Meta(pattern=rf"^(?=[\s\S]*\S){CHARACTER}*{END}", description="not blank")]

MAX_DEPTH = 32
"""Levels of nesting: no editor writes more, and a recursive reader must not fall over what we store."""
INTEGERS = range(-(2**63), 2**63)
"""MessagePack and most languages have no larger ones."""


def encode_json(value: object, *, max_bytes: int, pointer: str) -> bytes:
    """``value`` as JSON text for a column of type ``json``, the same value when it is read back.

    Not ``jsonb``: that refuses U+0000, which is a legal character of JSON, and changes the order of keys. Raises
    InvalidPayload at ``pointer`` for what is no JSON (binary, NaN, lone surrogates, keys that are no text) or is nested
    deeper than MAX_DEPTH, PayloadTooLarge above ``max_bytes``.
    """
    encoded = _encode_plain(value)
    if encoded is None:
        encoded = _encode_checked(value, pointer)
    if len(encoded) > max_bytes:
        raise PayloadTooLarge(f"{pointer} has {len(encoded)} bytes as JSON; the limit is {max_bytes}.")
    return encoded


def _encode_plain(value: object) -> bytes | None:
    """``value`` as JSON if that shows by itself that there is nothing to object to; ``None`` for a closer look.

    orjson refuses all but numbers that are not finite, which it writes as null, and depth.
    """
    try:
        encoded = orjson.dumps(value, None, orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_STRICT_INTEGER)
    except TypeError:
        return None
    if encoded.count(b"[") + encoded.count(b"{") >= MAX_DEPTH or b"null" in encoded:
        return None
    return encoded


def _encode_checked(value: object, pointer: str) -> bytes:
    fault = _fault(value)
    if fault is None:
        try:
            return msgspec.json.encode(value)
        except UnicodeEncodeError:
            fault = "Text must not contain lone surrogates"
    raise InvalidPayload(f"{fault} (at {pointer})", errors=[{"pointer": pointer, "detail": fault}])


def _fault(value: object) -> str | None:
    """What makes ``value`` no JSON, or ``None``. Level by level: recursion is what a deep value would break."""
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for item in level:
            match item:
                case dict():
                    if not all(isinstance(key, str) for key in item):
                        return "Keys must be text"
                    below.extend(item.values())
                case list():
                    below.extend(item)
                case float() if not math.isfinite(item):
                    return "Numbers must be finite"
                case int() if item not in INTEGERS:
                    return "Integers must fit 64 bits"
                case str() | int() | float() | None:  # bool is an int
                    pass
                case _:
                    return "Binary data is no JSON"
        if not below:
            return None
        level = below
    return f"Nested deeper than {MAX_DEPTH} levels"
