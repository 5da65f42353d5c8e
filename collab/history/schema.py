"""History on the wire."""

from datetime import datetime

from hub.kernel.wire import Wire


class ContributionView(Wire):
    """What one person changed within five minutes."""

    user_id: str
    began_at: datetime
    ended_at: datetime
    changes: int
    """Updates: a typed letter is about one."""
    bytes: int
