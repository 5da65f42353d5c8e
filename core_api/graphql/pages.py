"""Relay connections on the keyset pages of the services."""

from typing import TypeVar

import strawberry

from core_api.graphql import inputs
from hub.kernel.pages import Limit, Page, PageQuery
from hub.kernel.wire import Wire

T = TypeVar("T")
DEFAULT_FIRST = 10


class Slice(Wire):
    """The arguments of a connection."""

    first: Limit
    after: str | None


@strawberry.type
class PageInfo:
    """Where a page ends: give `endCursor` as `after` for the next one. Pages go forward only."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


def page_query(first: int, after: str | None) -> PageQuery:
    """The arguments of a connection as a service takes them. Raises InvalidPayload unless ``first`` is 1 to 100."""
    asked = inputs.check(Slice, first=first, after=after)
    return PageQuery(limit=asked.first, cursor=asked.after)


def page_info(page: Page[T], query: PageQuery) -> PageInfo:
    """Relay's view of a page."""
    return PageInfo(
        has_next_page=page.page_info.has_next,
        has_previous_page=query.cursor is not None,
        start_cursor=None,
        end_cursor=page.page_info.next_cursor,
    )
