"""The wire of what the staff may see of presence."""

from datetime import datetime

from hub.kernel.pages import PageQuery
from hub.kernel.wire import Wire
from presence.schema import ShownStatus


class HistoryQuery(PageQuery):
    """Query of ``GET /admin/users/{id}/presence/history``."""


class PastPresence(Wire):
    """A change of somebody's presence, or of a device of theirs."""

    at: datetime
    status: ShownStatus
    """From then on: the truth, ``invisible`` included."""
    version: int
