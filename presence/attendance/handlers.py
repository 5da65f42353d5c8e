"""The client event of attendance."""

from hub.kernel.events import EventRouter
from hub.kernel.limits import Limit
from presence.attendance.members import RoomMembers
from presence.schema import AskMembers

WINDOWS = Limit(per_minute=300, burst=100)
"""A client that shows a list reads a few at once; a room of 10 000 people is 100 of them."""


def attendance_events(members: RoomMembers) -> EventRouter:
    """``presence:members``. It waits for what the connection does to the same room, such as joining it."""
    router = EventRouter()
    router.on(
        "presence:members",
        AskMembers,
        members.members,
        order=lambda asked: asked.room,
        limit=WINDOWS,
        automatic=True,
    )
    return router
