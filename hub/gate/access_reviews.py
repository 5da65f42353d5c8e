"""Looking again at what connections may still read, after somebody has lost access: a block, a role taken away."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Final, Protocol

from hub.kernel.ids import ConnectionId, RoomName, UserId

RESOURCES: Final = {"room": "room", "content": "content", "doc": "document"}
"""What the access rule calls that whose rooms begin so. Other rooms are nobody's to read or not."""

Expel = Callable[[str, UserId], Awaitable[None]]
"""Puts every connection of a person out of the room of a resource, on all nodes. Idempotent."""


class LocalRooms(Protocol):
    """The connections of this node, by room. Implemented in hub.transport."""

    def members(self, room: RoomName) -> frozenset[ConnectionId]:
        """The connections of this node in ``room``."""
        ...

    def rooms_of(self, connection_id: ConnectionId) -> Collection[str]:
        """The rooms of a connection; none of one that is gone."""
        ...


class Access(Protocol):
    """The access rule, for many resources at once. Implemented in core_api.accounts."""

    async def readable(self, user_id: UserId, resource: str, resource_ids: Iterable[str]) -> frozenset[str]:
        """Those of ``resource_ids`` that the user may read."""
        ...


class AccessReviews:
    """Implements hub.gate.reviews.Reviewer, for rooms of users.

    It takes a few queries a person, in however many rooms they are. What somebody joins during a review, the feature
    checks after the joining.
    """

    def __init__(self, local: LocalRooms, access: Access, expel: Mapping[str, Expel]) -> None:
        """``expel`` has an entry for each kind of resource that is reviewed; it is read at each review."""
        self._local = local
        self._access = access
        self._expel = expel

    def concerns(self, of: RoomName) -> bool:
        """Whether a connection of this person is here."""
        return of.startswith("user:") and bool(self._local.members(of))

    async def review(self, of: RoomName) -> None:
        """Put whoever is in ``of`` out of what they may not read. Raises what the rule and the features raise."""
        for (user_id, resource), ids in self._joined(of).items():
            for resource_id in ids - await self._access.readable(user_id, resource, ids):
                await self._expel[resource](resource_id, user_id)

    def _joined(self, of: RoomName) -> Mapping[tuple[UserId, str], set[str]]:
        """What is to be looked at: the resources in whose rooms people are, by person and kind."""
        joined: defaultdict[tuple[UserId, str], set[str]] = defaultdict(set)
        for connection_id in self._local.members(of):
            rooms = [room.partition(":") for room in self._local.rooms_of(connection_id)]
            user_id = next((UserId(name) for kind, _, name in rooms if kind == "user"), None)
            for kind, _, name in rooms:
                if user_id is not None and kind in RESOURCES:
                    joined[user_id, RESOURCES[kind]].add(name)
        return joined
