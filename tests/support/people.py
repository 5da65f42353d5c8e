"""People in memory, and the real access rule over them: for tests of what belongs to somebody."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from core_api.accounts.access import AccessRule
from core_api.ports import UserBrief
from hub.kernel.events import Caller
from hub.kernel.ids import ConnectionId, SessionId, UserId, new_uuid
from hub.kernel.ports import Roles


@dataclass
class People:
    """Implements core_api.ports.Profiles and Follows. Whoever is made by :meth:`add` exists."""

    names: dict[str, str] = field(default_factory=dict)
    followers: dict[str, list[str]] = field(default_factory=dict)
    blocks: set[frozenset[str]] = field(default_factory=set)
    roles: dict[str, Roles] = field(default_factory=dict)

    def add(self, name: str) -> Caller:
        """A new person, on their first device."""
        user_id = UserId(new_uuid())
        self.names[user_id] = name
        return Caller(user_id, SessionId(new_uuid()), ConnectionId(f"{name}-1"))

    def access(self) -> AccessRule:
        """The access rule over ``roles`` and ``blocks``."""
        return AccessRule(self.roles, self)

    def block(self, one: Caller, other: Caller) -> None:
        self.blocks.add(frozenset({one.user_id, other.user_id}))

    async def blocked(self, one: str, other: str) -> bool:
        return frozenset({one, other}) in self.blocks

    async def blocked_among(self, one: str, others: Iterable[str]) -> frozenset[str]:
        return frozenset([other for other in others if await self.blocked(one, other)])

    async def blocked_pairs(self, pairs: Iterable[tuple[str, str]]) -> frozenset[tuple[str, str]]:
        return frozenset([pair for pair in pairs if await self.blocked(*pair)])

    async def briefs(self, user_ids: Iterable[str]) -> dict[str, UserBrief]:
        known = {user_id: self.names[user_id] for user_id in user_ids if user_id in self.names}
        return {user_id: UserBrief(id=user_id, username=name, display_name="") for user_id, name in known.items()}

    async def exists(self, user_id: str) -> bool:
        return user_id in self.names

    async def follower_ids(self, author_id: str, after: str | None, limit: int) -> list[str]:
        return [one for one in sorted(self.followers.get(author_id, ())) if one > (after or "")][:limit]


def second_device(caller: Caller) -> Caller:
    """The same session over another connection."""
    return Caller(caller.user_id, caller.session_id, ConnectionId(f"{caller.connection_id}-second"))
