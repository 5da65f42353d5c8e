"""The access rule applied: asks the owner of a resource for the role, and the policy for the rest."""

from collections.abc import Iterable, Mapping, Set
from typing import Protocol

from core_api.accounts.policy import may
from hub.kernel.errors import Forbidden, NotFound
from hub.kernel.events import Actor
from hub.kernel.ids import UserId
from hub.kernel.ports import Roles


class Blocks(Protocol):
    """Who blocks whom."""

    async def blocked(self, one: str, other: str) -> bool:
        """Whether either blocks the other."""
        ...

    async def blocked_among(self, one: str, others: Set[str]) -> frozenset[str]:
        """Those of ``others`` who block ``one`` or are blocked by ``one``, in one query; in none for nobody."""
        ...

    async def blocked_pairs(self, pairs: Set[tuple[str, str]]) -> frozenset[tuple[str, str]]:
        """Those of ``pairs`` with a block between them, in one query; in none for no pairs."""
        ...


class AccessRule:
    """Implements hub.kernel.ports.Access.

    ``roles`` maps ``room``, ``document`` and ``content`` to whoever owns them. It is read at each check, so that the
    owners, which need the rule themselves, can be put in after it was made.
    """

    def __init__(self, roles: Mapping[str, Roles], blocks: Blocks) -> None:
        self._roles = roles
        self._blocks = blocks

    async def check(self, actor: Actor | None, action: str, resource: str, resource_id: str) -> None:
        """Return if it is allowed. Raises NotFound without any role, Forbidden if the role does not suffice."""
        role = await self._roles[resource].role(None if actor is None else actor.user_id, resource_id)
        if role is None:
            raise NotFound
        if not may(role, action):
            raise Forbidden("Sign in to do this." if actor is None else None)

    async def readable(self, user_id: UserId, resource: str, resource_ids: Iterable[str]) -> frozenset[str]:
        """Those of ``resource_ids`` that the user may read, in a few queries."""
        roles = await self._roles[resource].roles(user_id, set(resource_ids))
        return frozenset(resource_id for resource_id, role in roles.items() if may(role, "read"))

    async def blocked(self, one: str, other: str) -> bool:
        """Whether either of two users blocks the other."""
        return one != other and await self._blocks.blocked(one, other)

    async def blocked_among(self, one: str, others: Iterable[str]) -> frozenset[str]:
        """Those of ``others`` between whom and ``one`` there is a block."""
        return await self._blocks.blocked_among(one, set(others) - {one})

    async def blocked_pairs(self, pairs: Iterable[tuple[str, str]]) -> frozenset[tuple[str, str]]:
        """Those of ``pairs`` between whom there is a block."""
        return await self._blocks.blocked_pairs({(one, other) for one, other in pairs if one != other})
