"""The rule of who sees whom applied: asks the store how people stand to each other, and the rule for the rest."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from core_api.accounts.privacy import Privacy, Relation, visibility
from hub.kernel.ids import UserId
from hub.kernel.sight import Circle, Visibility

Pair = tuple[UserId, UserId]
"""A viewer, and whom they look at."""


class Standings(Protocol):
    """Who stands to whom how, and wants to be seen by whom."""

    async def relations(self, pairs: Sequence[Pair]) -> Mapping[Pair, tuple[Privacy, Relation]]:
        """For each pair the settings of the second and the relation of the two, in one query.

        Missing where the second has no account, or it is deleted.
        """
        ...


class Relations(Standings, Protocol):
    """The same, and who is in whose circle."""

    async def circle(self, user_id: UserId, circle: Circle, limit: int) -> list[UserId]:
        """The accounts in somebody's circle, those followed last first."""
        ...


class SightRule:
    """Implements hub.kernel.sight.Sight."""

    def __init__(self, relations: Relations) -> None:
        self._relations = relations

    async def seen_by(self, viewer: UserId, user_ids: Iterable[UserId]) -> dict[UserId, Visibility]:
        """What ``viewer`` sees of each of these users."""
        seen = await self._of([(viewer, user_id) for user_id in user_ids])
        return {user_id: visible for (_, user_id), visible in seen.items()}

    async def shown_to(self, user_id: UserId, viewers: Iterable[UserId]) -> dict[UserId, Visibility]:
        """What each of these viewers sees of ``user_id``."""
        seen = await self._of([(viewer, user_id) for viewer in viewers])
        return {viewer: visible for (viewer, _), visible in seen.items()}

    async def circle(self, user_id: UserId, circle: Circle, limit: int) -> list[UserId]:
        """The people in somebody's circle."""
        return await self._relations.circle(user_id, circle, limit)

    async def _of(self, pairs: Sequence[Pair]) -> dict[Pair, Visibility]:
        others = [pair for pair in pairs if pair[0] != pair[1]]
        known = await self._relations.relations(others) if others else {}
        seen = {pair: visibility(*known[pair]) if pair in known else Visibility.NOTHING for pair in others}
        return seen | {pair: Visibility.EVERYTHING for pair in pairs if pair[0] == pair[1]}
