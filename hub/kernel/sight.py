"""How much of each other's presence people see, as a port: the one answer that sockets, REST and GraphQL share."""

from collections.abc import Iterable
from enum import IntEnum, StrEnum
from typing import Protocol

from hub.kernel.ids import UserId


class Visibility(IntEnum):
    """What somebody sees of another's presence. Each includes what is before it."""

    NOTHING = 0
    """Absence: the same as of an id that nobody has."""
    STATUS = 1
    """Whether they are there, how, and on which devices; not when they were last seen."""
    EVERYTHING = 2


class Circle(StrEnum):
    """People who belong to somebody, by the lists that the hub keeps."""

    FOLLOWING = "following"
    FRIENDS = "friends"
    """Those whom the person follows, and who follow the person."""


class Sight(Protocol):
    """Who sees whom. Implemented in core_api.accounts.

    Blocks and privacy settings decide, as they are when it is asked. Everybody sees everything of themselves. Nobody
    sees anything of an id that no account has. Whoever is invisible stays so: that is for presence to know.
    """

    async def seen_by(self, viewer: UserId, user_ids: Iterable[UserId]) -> dict[UserId, Visibility]:
        """What ``viewer`` sees of each of these users. One query, however many they are."""
        ...

    async def shown_to(self, user_id: UserId, viewers: Iterable[UserId]) -> dict[UserId, Visibility]:
        """What each of these viewers sees of ``user_id``. One query, however many they are."""
        ...

    async def circle(self, user_id: UserId, circle: Circle, limit: int) -> list[UserId]:
        """The people in somebody's circle, those followed last first, ``limit`` at most."""
        ...
