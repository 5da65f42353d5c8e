"""What the staff may see of presence: /admin/users/{id}/presence, for the role `admin` alone."""

import logging

from hub.kernel.errors import NotFound
from hub.kernel.events import Actor
from hub.kernel.http import RestApi
from hub.kernel.ids import UserId
from hub.kernel.limits import Limit
from hub.kernel.pages import Page, decode_cursor, page
from hub.kernel.wire import Uuid
from presence.admin_schema import HistoryQuery, PastPresence
from presence.history import HistoryStore, Past
from presence.views import STATUS_NAMES

log = logging.getLogger(__name__)

LOOK = Limit(per_minute=120, burst=60)
"""A dashboard that asks every second."""


class Oversight:
    """The truth about a user, for those who may know it. Each look is logged with whose it was."""

    def __init__(self, history: HistoryStore, history_days: int) -> None:
        self._history = history
        self._history_days = history_days

    async def history(self, user_id: UserId, query: HistoryQuery, actor: Actor) -> Page[PastPresence]:
        """How a user's presence changed, latest first. Raises NotFound where no history is kept."""
        _log(actor, f"looks at the past presence of {user_id}")
        if not self._history_days:
            raise NotFound("The past of presence is not kept here: SPARKLE_PRESENCE_HISTORY_DAYS is 0.")
        before = None if query.cursor is None else decode_cursor(query.cursor, tuple[int])[0]
        found = await self._history.page(user_id, before=before, limit=query.limit + 1)
        return page(found, query.limit, _past, lambda past: (past.version,))


def presence_admin_api(oversight: Oversight) -> RestApi:
    """``GET /admin/users/{id}/presence`` and what it was before."""
    api = RestApi("admin", role="admin")

    async def past_presence(user_id: Uuid, query: HistoryQuery, actor: Actor) -> Page[PastPresence]:
        """List how the presence of a user changed, latest first."""
        return await oversight.history(UserId(user_id), query, actor)

    api.get("/admin/users/{userId}/presence/history", past_presence, limit=LOOK)
    return api


def _past(past: Past) -> PastPresence:
    return PastPresence(at=past.at, status=STATUS_NAMES[past.status], version=past.version)


def _log(actor: Actor, what: str) -> None:
    log.info("admin %s %s", actor.user_id, what)
