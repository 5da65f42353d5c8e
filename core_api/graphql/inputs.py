"""From GraphQL's arguments to the wire structs of REST, so that both have the same rules."""

from enum import Enum
from typing import Any, TypeVar

import msgspec
import strawberry

from hub.kernel import wire

S = TypeVar("S", bound=msgspec.Struct)


def read(given: object, shape: type[S]) -> S:
    """A struct out of the attributes of ``given`` that were given. Raises InvalidPayload with every violation."""
    values = {
        field.encode_name: value.value if isinstance(value, Enum) else value
        for field in msgspec.structs.fields(shape)
        if (value := getattr(given, field.name, strawberry.UNSET)) is not strawberry.UNSET
    }
    return check(shape, **values)


def check(shape: type[S], **values: Any) -> S:
    """A struct out of arguments, by their names on the wire. Raises InvalidPayload."""
    return wire.decode(values, shape)
