"""Attendance of a node, put together as the composition root does, over rooms and nodes of any kind."""

from redis.asyncio import Redis

from hub.kernel.clock import Clock, SystemClock
from hub.kernel.ports import Nodes, Rooms
from hub.kernel.tasks import Tasks
from presence.attendance.announcements import Announcements
from presence.attendance.relay import AttendanceRelay
from presence.attendance.service import AttendanceService
from presence.attendance.store_redis import TRANSITIONS, RedisAttendanceStore
from presence.attendance.sweeper import AttendanceSweeper
from presence.settings import PresenceSettings
from presence.transitions import Told
from presence.transitions_redis import RedisTransitions


class NodeAttendance:
    """The service, and the sweeper, which tests have sweep."""

    def __init__(
        self,
        redis: Redis,
        rooms: Rooms,
        nodes: Nodes,
        tasks: Tasks,
        clock: Clock | None = None,
        settings: PresenceSettings | None = None,
    ) -> None:
        clock, settings = clock or SystemClock(), settings or PresenceSettings()
        self.store = RedisAttendanceStore(redis, large=settings.large_room)
        self.transitions = RedisTransitions(redis, TRANSITIONS)
        self.told = Told(self.transitions, rooms, tasks)
        self.announcements = Announcements(rooms, self.told)
        self.service = AttendanceService(self.store, self.announcements, nodes, clock, settings)
        self.relay = AttendanceRelay(self.store, self.transitions, self.told, self.announcements, settings.overdue_s)
        self.sweeper = AttendanceSweeper(
            self.store, self.service, self.announcements, self.relay, nodes, clock, sweep_s=settings.sweep_s
        )
