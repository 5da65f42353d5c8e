"""Values in lib0's encoding ("any"), and JSON as Yjs writes it."""

import json
import math
import struct
from typing import Any

from collab.decoding import BadUpdate, Reader, uint
from collab.update import MAX_DEPTH

INT_BITS = 31
"""lib0 writes whole numbers up to this as integers, and others as floats."""
UNDEFINED, NULL, INTEGER, FLOAT32, FLOAT64, BIGINT, FALSE, TRUE, STRING, OBJECT, ARRAY, BYTES = range(127, 115, -1)
CONSTANTS = {UNDEFINED: None, NULL: None, FALSE: False, TRUE: True}


def units(text: str) -> int:
    """The length of a string in UTF-16 units, which is what Yjs counts."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def from_json(text: str) -> Any:
    """The value of a JSON text. Raises BadUpdate; ``undefined`` is none of JSON's, but of Yjs'."""
    if text == "undefined":
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise BadUpdate("a value is no JSON") from None


def to_json(value: Any) -> str:
    """A value as JSON text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def skip(reader: Reader, depth: int = 0) -> None:
    """Pass over a value."""
    if depth > MAX_DEPTH:
        raise BadUpdate("values are nested too deep")
    tag = reader.byte()
    if tag in (STRING, BYTES):
        reader.raw()
    elif tag == INTEGER:
        while reader.byte() > 127:
            pass
    elif tag in (BIGINT, FLOAT64):
        reader.skip(8)
    elif tag == FLOAT32:
        reader.skip(4)
    elif tag == OBJECT:
        for _ in range(reader.count(2)):
            reader.raw()
            skip(reader, depth + 1)
    elif tag == ARRAY:
        for _ in range(reader.count(1)):
            skip(reader, depth + 1)
    elif tag not in (TRUE, FALSE, NULL, UNDEFINED):
        raise BadUpdate(f"a value of kind {tag}")


def read(reader: Reader, depth: int = 0) -> Any:
    """A value, as JSON has it: ``undefined`` is null, and bytes are refused. Raises BadUpdate."""
    if depth > MAX_DEPTH:
        raise BadUpdate("values are nested too deep")
    tag = reader.byte()
    if tag in CONSTANTS:
        return CONSTANTS[tag]
    value: Any
    match tag:
        case 125:
            value = signed(reader)
        case 124:
            (value,) = struct.unpack(">f", take(reader, 4))
        case 123:
            (value,) = struct.unpack(">d", take(reader, 8))
        case 122:
            value = int.from_bytes(take(reader, 8), "big", signed=True)
        case 119:
            value = reader.raw().decode()
        case 118:
            value = {reader.raw().decode(): read(reader, depth + 1) for _ in range(reader.count(2))}
        case 117:
            value = [read(reader, depth + 1) for _ in range(reader.count(1))]
        case _:
            raise BadUpdate(f"a value of kind {tag} where JSON is wanted")
    return value


def write(value: Any) -> bytes:
    """A JSON value in lib0's encoding, byte for byte as lib0 writes it."""
    match value:
        case None:
            return bytes([NULL])
        case bool():
            return bytes([TRUE if value else FALSE])
        case str():
            data = value.encode()
            return bytes([STRING]) + uint(len(data)) + data
        case list():
            return bytes([ARRAY]) + uint(len(value)) + b"".join(write(one) for one in value)
        case dict():
            parts = [bytes([OBJECT]), uint(len(value))]
            for name, one in value.items():
                data = name.encode()
                parts += uint(len(data)), data, write(one)
            return b"".join(parts)
    return _number(value)


def _number(value: float) -> bytes:
    whole = isinstance(value, int) or value.is_integer()
    if whole and abs(value) < 2**INT_BITS and not (value == 0 and math.copysign(1, value) < 0):
        return bytes([INTEGER]) + write_signed(int(value))
    number = float(value)
    try:
        if struct.unpack(">f", narrow := struct.pack(">f", number))[0] == number:
            return bytes([FLOAT32]) + narrow
    except OverflowError:
        pass
    return bytes([FLOAT64]) + struct.pack(">d", number)


def take(reader: Reader, length: int) -> bytes:
    """The next bytes."""
    reader.skip(length)
    return reader.data[reader.at - length : reader.at]


def signed(reader: Reader) -> int:
    """A number with a sign: six bits in the first byte, seven in each that follows."""
    byte = reader.byte()
    value, shift, negative = byte & 63, 6, bool(byte & 64)
    while byte > 127:
        byte = reader.byte()
        value |= (byte & 127) << shift
        shift += 7
        if shift > 62:
            raise BadUpdate("a number is too long")
    return -value if negative else value


def write_signed(value: int, *, negative: bool | None = None) -> bytes:
    """The inverse of :func:`signed`. ``negative`` is for a zero that has a sign, which lib0 uses as a mark."""
    sign = value < 0 if negative is None else negative
    value = abs(value)
    encoded = bytearray([(128 if value > 63 else 0) | (64 if sign else 0) | value & 63])
    value >>= 6
    while value:
        encoded.append((128 if value > 127 else 0) | value & 127)
        value >>= 7
    return bytes(encoded)
