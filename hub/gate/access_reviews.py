"""Looking again at what connections may still read, after somebody has lost access: a block, a role taken away."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Final, Protocol

from hub.kernel.ids import ConnectionId, RoomName, UserId
from hub.kernel.tasks import Tasks

log = logging.getLogger(__name__)

RESOURCES: Final = {"room": "room", "content": "content", "doc": "document"}
"""What the access rule calls that whose rooms begin so. Other rooms are nobody's to read or not."""
AGAIN_S: Final = 0.5
"""Wait after a review that failed, since the database or Redis is away. Who is in a room stays there until then."""

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
    """Reviews the connections of this node, in the background.

    It takes a few queries a person, in however many rooms they are. What somebody joins during a review, the feature
    checks after the joining.
    """

    def __init__(self, local: LocalRooms, access: Access, expel: Mapping[str, Expel], tasks: Tasks) -> None:
        """``expel`` has an entry for each kind of resource that is reviewed; it is read at each review."""
        self._local = local
        self._access = access
        self._expel = expel
        self._tasks = tasks
        self._asked: dict[RoomName, bool] = {}
        """Reviews under way, and whether another was asked for since they began."""

    def begin(self, of: RoomName) -> None:
        """Review the connections here that are in ``of`` (a user's room), and those alone. Returns at once.

        It is repeated until it has succeeded, or none of them is left.
        """
        if of in self._asked:
            self._asked[of] = True
        elif self._local.members(of):
            self._asked[of] = True
            self._tasks.start(self._run(of), name="review of access")

    async def _run(self, of: RoomName) -> None:
        try:
            while self._asked[of] and self._local.members(of):
                self._asked[of] = False
                try:
                    await self.review(of)
                except Exception as error:  # whatever it is: somebody is where they may not be
                    log.warning("access of %s is reviewed again in %g s: %r", of, AGAIN_S, error)
                    self._asked[of] = True
                    await asyncio.sleep(AGAIN_S)
        finally:
            del self._asked[of]

    async def review(self, of: RoomName) -> None:
        """The review itself. Raises what the access rule and the features raise; then it is not complete."""
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
