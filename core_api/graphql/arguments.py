"""From GraphQL's arguments to the wire structs of REST, so that both have the same rules."""

from enum import Enum
from typing import Any, TypeVar

import msgspec
import strawberry

from hub.kernel import wire
from hub.kernel.pages import Limit, PageQuery
from hub.kernel.wire import Wire

S = TypeVar("S", bound=msgspec.Struct)
DEFAULT_FIRST = 10


class Slice(Wire):
    """The arguments of a connection."""

    first: Limit
    after: str | None


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


def page_query(first: int, after: str | None) -> PageQuery:
    """The arguments of a connection as a service takes them. Raises InvalidPayload unless ``first`` is 1 to 100."""
    asked = check(Slice, first=first, after=after)
    return PageQuery(limit=asked.first, cursor=asked.after)
