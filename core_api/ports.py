"""What the domains of the core API need of each other, as Protocols; the composition root gives the implementations."""

from collections.abc import Iterable
from typing import Protocol

from hub.kernel.ids import RoomName, UserId
from hub.kernel.wire import Uuid, Wire

POSTS_FEED = RoomName("feed:posts")
"""Where every published post is told, for code that listens. Clients can neither join nor name it."""


class UserBrief(Wire):
    """A person as shown beside what they made: the author of a post, the member of a room."""

    id: Uuid
    username: str
    display_name: str
    """Empty where the person chose none: show the username then."""


class Follows(Protocol):
    """Who follows whom. Implemented in core_api.accounts."""

    async def follower_ids(self, author_id: str, after: str | None, limit: int) -> list[str]:
        """Followers of ``author_id`` with an id above ``after``, ascending, at most ``limit``.

        For paging through a fan-out: pass the last id of a page as ``after`` until a page is empty. Nobody who blocks
        the author, or is blocked by them, is among them. Somebody who follows meanwhile may be missed.
        """
        ...


class Profiles(Protocol):
    """What everybody may know of a person. Implemented in core_api.accounts."""

    async def briefs(self, user_ids: Iterable[str]) -> dict[str, UserBrief]:
        """The people with these ids (UUID strings), by id, in one query. Unknown and deleted ones are missing."""
        ...

    async def exists(self, user_id: str) -> bool:
        """Whether there is a person with this id (a UUID string)."""
        ...


class Suspensions(Protocol):
    """Accounts that nobody may use. Implemented in core_api.accounts. Both raise NotFound, and are harmless twice."""

    async def suspend(self, user_id: UserId, reason: str) -> bool:
        """Let nobody use an account: its tokens are refused and its connections closed. False: it is so already."""
        ...

    async def unsuspend(self, user_id: UserId) -> bool:
        """Let it be used again. False: it may be used already."""
        ...
