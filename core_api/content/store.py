"""What content keeps, as a Protocol. Ids are UUID strings; times come from the caller."""

from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from core_api.content.model import Post
from core_api.content.schema import Status
from hub.kernel.ids import UserId


@dataclass(frozen=True, slots=True)
class Standing:
    """What the access rule has to know of a post."""

    author_id: UserId
    status: Status


class PostStore(Protocol):
    """Posts. A method is one transaction; ``topic`` is an event for the outbox in it, ``None`` for no event.

    Deleted posts are absent everywhere, but keep their slugs.
    """

    async def add(self, post: Post, topic: str | None) -> Post:
        """Add a post and give it as stored: with its number, and with another slug if another post has this one."""
        ...

    async def replace(self, post: Post, topic: str | None) -> bool:
        """Put ``post`` in the place of the version before it. False, and nothing changed, if that is not current.

        Compare and set: of several at once with the same version exactly one gets True. Slug, author and creation
        time stay as they were.
        """
        ...

    async def delete(self, post: Post, now: datetime, topic: str | None) -> bool:
        """Mark a post as deleted, if it is still at this version."""
        ...

    async def post(self, reference: str) -> Post | None:
        """The post with this id or slug."""
        ...

    async def standing(self, post_id: str) -> Standing | None:
        """Author and status of a post."""
        ...

    async def standings(self, post_ids: Set[str]) -> dict[str, Standing]:
        """Author and status of many posts, by id. Those that do not exist are left out."""
        ...

    async def published(self, before: tuple[datetime, str] | None, limit: int) -> list[Post]:
        """Published posts, the latest publication first, ties by id, those behind ``before``."""
        ...

    async def by_author(self, author_id: str, before: int | None, limit: int, *, drafts: bool) -> list[Post]:
        """An author's posts, numbers below ``before``, the latest written first; drafts only if asked for."""
        ...
