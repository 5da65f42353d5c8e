"""Text and JSON from clients, checked to be what PostgreSQL stores and every client can read back."""

import math
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from hub.kernel.errors import InvalidPayload, PayloadTooLarge

END = r"(?![\s\S])"
"""End of the text. ``$`` also matches before a last line feed, and JSON Schema has no ``\\Z``."""
CHARACTER = r"[^\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]"
"""Tabs and line feeds are text. PostgreSQL stores no NUL, UTF-8 has no surrogates, and nothing shows the rest."""
Text = Annotated[str, Meta(pattern=f"^{CHARACTER}*{END}")]
VisibleText = Annotated[str, Meta(pattern=rf"^(?=[\s\S]*\S){CHARACTER}*{END}", description="not blank")]

MAX_DEPTH = 32
"""Levels of nesting: no editor writes more, and a recursive reader must not fall over what we store."""
INTEGERS = range(-(2**63), 2**63)
"""MessagePack and most languages have no larger ones."""


def encode_json(value: object, *, max_bytes: int, pointer: str) -> str:
    """``value`` as JSON text for a column of type ``json``, the same value when it is read back.

    Not ``jsonb``: that refuses U+0000, which is a legal character of JSON, and changes the order of keys. Raises
    InvalidPayload at ``pointer`` for what is no JSON (binary, NaN, lone surrogates, keys that are no text) or is nested
    deeper than MAX_DEPTH, PayloadTooLarge above ``max_bytes``.
    """
    if (fault := _fault(value)) is not None:
        raise InvalidPayload(f"{fault} (at {pointer})", errors=[{"pointer": pointer, "detail": fault}])
    try:
        encoded = msgspec.json.encode(value)
    except UnicodeEncodeError:
        fault = "Text must not contain lone surrogates"
        raise InvalidPayload(f"{fault} (at {pointer})", errors=[{"pointer": pointer, "detail": fault}]) from None
    if len(encoded) > max_bytes:
        raise PayloadTooLarge(f"{pointer} has {len(encoded)} bytes as JSON; the limit is {max_bytes}.")
    return encoded.decode()


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
