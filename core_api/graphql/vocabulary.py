"""What the schema uses everywhere: its scalars, ``@auth`` and ``@rateLimit``, and Relay's word on pages."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NewType, Self, TypeVar

import strawberry
from msgspec import to_builtins
from strawberry.schema_directive import Location
from strawberry.types.field import StrawberryField

from hub.kernel.pages import Page, PageQuery

T = TypeVar("T")
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


@strawberry.schema_directive(locations=[Location.FIELD_DEFINITION], name="auth")
class Auth:
    """For those who are signed in; others get `unauthorized`."""


@strawberry.schema_directive(locations=[Location.FIELD_DEFINITION], name="rateLimit")
class RateLimit:
    """How often one user, or one address, may ask for it; more is `rate_limited`."""

    of: str
    per_minute: int
    burst: int


def auth(field: StrawberryField) -> StrawberryField:
    """Declare it of a field. The resolver refuses strangers, by ``Context.signed_in``; a test compares the two."""
    field.directives = [*field.directives, Auth()]
    return field


@strawberry.type
class PageInfo:
    """Where a page ends: give `endCursor` as `after` for the next one. Pages go forward only."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None

    @classmethod
    def of(cls, page: Page[T], query: PageQuery) -> Self:
        """From a page of REST."""
        return cls(
            has_next_page=page.page_info.has_next,
            has_previous_page=query.cursor is not None,
            start_cursor=None,
            end_cursor=page.page_info.next_cursor,
        )
