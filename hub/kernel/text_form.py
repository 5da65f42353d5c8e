"""Which structs are read from JSON text, or written as it, in one step: without a plain value in between."""

from functools import cache
from typing import Any

import msgspec
from msgspec import inspect

PLAIN = (
    inspect.NoneType,
    inspect.BoolType,
    inspect.IntType,
    inspect.FloatType,
    inspect.StrType,
    inspect.LiteralType,
    inspect.DateTimeType,
    inspect.RawType,
)
"""What JSON has. Not bytes: in JSON text msgspec takes them for base64, where Socket.IO has attachments."""


@cache
def is_written_as_text(shape: type[msgspec.Struct]) -> bool:
    """Whether every value of ``shape`` is JSON: nothing in it is binary, or could be."""
    return _is_plain(inspect.type_info(shape), PLAIN)


@cache
def is_read_as_text(shape: type[msgspec.Struct]) -> bool:
    """Whether JSON text that fits ``shape`` gives the same as its plain value would.

    One difference remains where anything is taken (``Any``): an integer of more than 64 bits is one, and not a float.
    """
    return _is_plain(inspect.type_info(shape), (*PLAIN, inspect.AnyType))


def _is_plain(shape: inspect.Type, plain: tuple[type[inspect.Type], ...]) -> bool:
    """Recursive structs would never end here, and there are none on the wire."""

    def inner(parts: Any) -> bool:
        return all(_is_plain(part, plain) for part in parts)

    match shape:
        case inspect.StructType(fields=fields):
            return inner(field.type for field in fields)
        case inspect.Metadata(type=type):
            return _is_plain(type, plain)
        case inspect.UnionType(types=types):
            return inner(types)
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            return _is_plain(item, plain)
        case inspect.DictType(key_type=key, value_type=value):
            return inner((key, value))
        case _:
            return isinstance(shape, plain)
