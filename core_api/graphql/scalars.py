"""Scalars, as REST writes them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NewType

import strawberry
from msgspec import to_builtins

BigInt = NewType("BigInt", int)
"""What does not fit the 32 bits of GraphQL's own Int: versions that are milliseconds, chain ids."""

SCALARS: Final[Mapping[object, Any]] = {
    datetime: strawberry.scalar(
        name="DateTime",
        serialize=to_builtins,
        description="RFC 3339, in UTC, as REST writes it: `2026-01-31T12:00:00Z`",
    ),
    BigInt: strawberry.scalar(name="BigInt", description="An integer of at most 53 bits, as a JSON number."),
}
