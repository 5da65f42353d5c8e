"""Who may post in which room, without asking the database for every message."""

import asyncio
import logging
from collections import defaultdict
from typing import Final

from core_api.rooms.model import Standing
from core_api.rooms.store import RoomStore
from hub.kernel.events import Actor
from hub.kernel.ids import UserId
from hub.kernel.ports import Access

log = logging.getLogger(__name__)

REVIEW_S: Final = 0.5
"""Rights that were used are looked at again this often: one that is taken away is gone within a second, and a lively
room costs two queries a second, not one a message."""
KEPT_REVIEWS: Final = 120
"""Reviews for which a right is known that nobody uses: a minute."""

Pair = tuple[UserId, str]
"""A person and a room."""


class PostingRights:
    """What is known of the right to post of the people on this node.

    The first message of somebody asks the access rule. After that the answer is believed, and a review in the
    background asks again, for all who posted since the last one, at once.
    """

    def __init__(self, access: Access, store: RoomStore) -> None:
        self._access = access
        self._store = store
        self._known: dict[Pair, int] = {}
        """The review in which each right was last used."""
        self._used: set[Pair] = set()
        self._review = 0

    def are_known(self, actor: Actor, room_id: str) -> bool:
        """Whether it is known that the person may post there. If not, :meth:`check` finds out."""
        pair = actor.user_id, room_id
        if pair not in self._known:
            return False
        self._used.add(pair)
        return True

    async def check(self, actor: Actor, room_id: str) -> None:
        """Return if the person may post there. Raises NotFound or Forbidden."""
        if not self.are_known(actor, room_id):
            await self._access.check(actor, "comment", "room", room_id)
            self._known[actor.user_id, room_id] = self._review
            self._used.add((actor.user_id, room_id))

    def forget(self, user_id: UserId, room_id: str) -> None:
        """The person was put out: ask again."""
        self._known.pop((user_id, room_id), None)

    async def run(self) -> None:
        """Review for ever."""
        while True:
            await asyncio.sleep(REVIEW_S)
            try:
                await self.review()
            except Exception as error:  # the database is away: what is known stays until it is back
                log.warning("the rights to post are not reviewed: %r", error)

    async def review(self) -> None:
        """Forget the rights that somebody used and has no longer, and those that nobody used for long."""
        used, self._used = self._used, set()
        self._review += 1
        if used:
            try:
                lost = used - await self._still_may(used)
            except BaseException:
                self._used |= used  # asked again next time
                raise
            for pair in lost:
                self._known.pop(pair, None)
            for pair in used - lost:
                self._known[pair] = self._review
        for pair in [pair for pair, last in self._known.items() if self._review - last > KEPT_REVIEWS]:
            del self._known[pair]

    async def _still_may(self, pairs: set[Pair]) -> set[Pair]:
        standings = await self._store.standings(pairs)
        strangers: dict[UserId, set[UserId]] = defaultdict(set)
        for (user_id, _), standing in standings.items():
            if standing.role is None:
                strangers[standing.owner_id].add(user_id)
        hidden = {owner: await self._access.blocked_among(owner, users) for owner, users in strangers.items()}
        return {pair for pair, standing in standings.items() if _may_post(pair[0], standing, hidden)}


def _may_post(user_id: UserId, standing: Standing, hidden: dict[UserId, frozenset[str]]) -> bool:
    """As core_api.rooms.roles: members, and in a public room all whom its owner does not block or is blocked by."""
    if standing.role is not None:
        return True
    return standing.visibility == "public" and user_id not in hidden[standing.owner_id]
