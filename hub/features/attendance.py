"""Who is in a room: counted for the rooms of the cluster, told, and shown."""

from hub.features.core import Core, Feature
from presence.attendance.announcements import Announcements
from presence.attendance.handlers import attendance_events
from presence.attendance.members import RoomMembers
from presence.attendance.relay import AttendanceRelay
from presence.attendance.service import AttendanceService
from presence.attendance.store_redis import TRANSITIONS, RedisAttendanceStore
from presence.attendance.sweeper import AttendanceSweeper
from presence.transitions import Told
from presence.transitions_redis import RedisTransitions
from presence.watching import Watching


def feature(core: Core, watching: Watching) -> Feature:
    """Attendance. From here on ``core.rooms`` counts those on all nodes."""
    settings = core.settings.presence
    store = RedisAttendanceStore(core.redis, large=settings.large_room)
    transitions = RedisTransitions(core.redis, TRANSITIONS)
    told = Told(transitions, core.rooms, core.tasks)
    announcements = Announcements(core.rooms, told)
    service = AttendanceService(store, announcements, core.nodes, core.clock, settings)
    relay = AttendanceRelay(store, transitions, told, announcements, settings.overdue_s)
    sweeper = AttendanceSweeper(store, service, announcements, relay, core.nodes, core.clock, sweep_s=settings.sweep_s)
    core.rooms.attendance = service

    async def start() -> None:
        sweeper.start(core.tasks)

    return Feature(
        events=attendance_events(RoomMembers(store, watching, core.rooms)),
        starts=[start],
        drains=[service.drain],
        closes=[service.close],
    )
