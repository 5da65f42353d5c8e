"""The socket side of rooms: the events room:*."""

from core_api.rooms.live import LiveRooms
from core_api.rooms.schema import Attendance, RoomRef, Send
from hub.kernel.events import Caller, EventRouter
from hub.kernel.limits import Limit

MESSAGES = Limit(per_minute=3600, burst=300)
"""Volatile ones carry cursors and games, 30 a second on two devices. A kept one is a row; 60 a second are no load."""


def room_events(live: LiveRooms) -> EventRouter:
    """Entering, leaving, sending. What one connection does in one room completes in the order it arrived."""
    router = EventRouter(restores={"room": live.restore})

    async def enter(caller: Caller, payload: RoomRef) -> Attendance:
        return await live.enter(caller, payload.room_id)

    async def leave(caller: Caller, payload: RoomRef) -> Attendance:
        return await live.leave(caller, payload.room_id)

    def by_room(payload: RoomRef | Send) -> str:
        return f"room:{payload.room_id}"

    router.on("room:join", RoomRef, enter, order=by_room)
    router.on("room:leave", RoomRef, leave, order=by_room)
    router.on("room:send", Send, live.send, order=by_room, limit=MESSAGES)
    return router
