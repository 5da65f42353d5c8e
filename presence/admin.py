"""What the staff may see of presence: /admin/users/{id}/presence, for the role `admin` alone."""

import logging
from collections.abc import Awaitable, Callable

from hub.kernel.clock import Clock
from hub.kernel.errors import NotFound
from hub.kernel.events import Actor
from hub.kernel.http import RestApi
from hub.kernel.ids import UserId
from hub.kernel.limits import Limit
from hub.kernel.pages import Page, decode_cursor, page
from hub.kernel.wire import Uuid
from presence.admin_schema import HistoryQuery, KnownPresence, PastPresence
from presence.admin_views import known_presence, past_presence
from presence.history import HistoryStore
from presence.inspection import Inspector

log = logging.getLogger(__name__)

Exists = Callable[[str], Awaitable[bool]]
"""Whether there is a user with this id."""
LOOK = Limit(per_minute=120, burst=60)
"""A dashboard that asks every second."""


class Oversight:
    """The truth about a user, for those who may know it. Each look is logged with whose it was."""

    def __init__(
        self, inspector: Inspector, history: HistoryStore, exists: Exists, clock: Clock, history_days: int
    ) -> None:
        self._inspector = inspector
        self._exists = exists
        self._history = history
        self._clock = clock
        self._history_days = history_days

    async def presence(self, user_id: UserId, actor: Actor) -> KnownPresence:
        """A user with all devices and connections. Raises NotFound."""
        _log(actor, f"looks at the presence of {user_id}")
        await self._check(user_id)
        return known_presence(await self._inspector.look(user_id), self._clock.now_ms())

    async def history(self, user_id: UserId, query: HistoryQuery, actor: Actor) -> Page[PastPresence]:
        """How a user's presence changed, latest first. Raises NotFound, also where no history is kept."""
        _log(actor, f"looks at the past presence of {user_id}")
        await self._check(user_id)
        if not self._history_days:
            raise NotFound("The past of presence is not kept here: SPARKLE_PRESENCE_HISTORY_DAYS is 0.")
        before = None if query.cursor is None else decode_cursor(query.cursor, tuple[int])[0]
        found = await self._history.page(user_id, before=before, limit=query.limit + 1)
        return page(found, query.limit, past_presence, lambda past: (past.version,))

    async def _check(self, user_id: UserId) -> None:
        if not await self._exists(user_id):
            raise NotFound


def presence_admin_api(oversight: Oversight) -> RestApi:
    """``GET /admin/users/{id}/presence`` and what it was before."""
    api = RestApi("admin", role="admin")

    async def presence(user_id: Uuid, actor: Actor) -> KnownPresence:
        """Show all that is known of where a user is: status, devices and connections, also those that are held."""
        return await oversight.presence(UserId(user_id), actor)

    async def past(user_id: Uuid, query: HistoryQuery, actor: Actor) -> Page[PastPresence]:
        """List how the presence of a user changed, latest first."""
        return await oversight.history(UserId(user_id), query, actor)

    api.get("/admin/users/{userId}/presence", presence, limit=LOOK)
    api.get("/admin/users/{userId}/presence/history", past, limit=LOOK)
    return api


def _log(actor: Actor, what: str) -> None:
    log.info("admin %s %s", actor.user_id, what)
