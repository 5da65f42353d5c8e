"""Keyset pages: a list that neither skips nor repeats a row while others are added."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta

from hub.kernel.errors import InvalidPayload
from hub.kernel.wire import Wire

T = TypeVar("T")
R = TypeVar("R")

MAX_LIMIT = 100
Limit = Annotated[int, Meta(ge=1, le=MAX_LIMIT, description="entries a page")]


class PageQuery(Wire):
    """Query of every list: how many, and after which cursor."""

    limit: Limit = 20
    cursor: Annotated[str, Meta(max_length=400)] | None = None


class PageInfo(Wire):
    """Where the next page begins."""

    next_cursor: str | None
    has_next: bool


class Page(Wire, Generic[T]):
    """One page of a list."""

    data: list[T]
    page_info: PageInfo


def encode_cursor(*position: Any) -> str:
    """An opaque cursor of the sort key of the last row: strings, numbers, datetimes."""
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).rstrip(b"=").decode()


def decode_cursor(cursor: str, shape: type[T]) -> T:
    """The sort key in ``cursor``, as ``shape`` (a tuple type). Raises InvalidPayload if it is none of ours.

    A forged cursor moves the page and nothing else, since access is part of every query.
    """
    try:
        raw = base64.b64decode(_padded(cursor), altchars=b"-_", validate=True)
        return msgspec.json.decode(raw, type=shape)
    except (binascii.Error, UnicodeError, msgspec.DecodeError):
        message = "The cursor is not one of this list."
        raise InvalidPayload(message, errors=[{"pointer": "/cursor", "detail": message}]) from None


def _padded(cursor: str) -> bytes:
    return cursor.encode("ascii") + b"=" * (-len(cursor) % 4)


def page(rows: Sequence[R], limit: int, view: Callable[[R], T], position: Callable[[R], tuple[Any, ...]]) -> Page[T]:
    """A page out of ``limit + 1`` rows: the extra one only says that there is more."""
    kept, more = rows[:limit], len(rows) > limit
    cursor = encode_cursor(*position(kept[-1])) if more else None
    return Page(data=[view(row) for row in kept], page_info=PageInfo(next_cursor=cursor, has_next=more))
