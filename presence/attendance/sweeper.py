"""The clockwork of attendance: holds run out, dead nodes are buried, counts are told, and what others left untold."""

from hub.kernel.clock import Clock
from hub.kernel.ports import Nodes
from hub.kernel.tasks import Running, Tasks
from presence.attendance.announcements import Announcements
from presence.attendance.model import PARTS
from presence.attendance.relay import AttendanceRelay
from presence.attendance.service import AttendanceService
from presence.attendance.store import AttendanceStore
from presence.rounds import DeadNodes, Standstill, go_round


class AttendanceSweeper:
    """Sweeps on every node. Whichever comes first makes a move, and tells of it; the store sees to that."""

    def __init__(
        self,
        store: AttendanceStore,
        service: AttendanceService,
        announcements: Announcements,
        relay: AttendanceRelay,
        nodes: Nodes,
        clock: Clock,
        *,
        sweep_s: float,
    ) -> None:
        self._store = store
        self._service = service
        self._announcements = announcements
        self._relay = relay
        self._dead = DeadNodes(nodes)
        self._standstill = Standstill()
        self._clock = clock
        self._sweep_s = sweep_s
        self._next_part = 0

    def start(self, tasks: Tasks) -> Running:
        """Sweep until cancelled, whatever happens to Redis."""
        return tasks.start(go_round(self.sweep, self._sweep_s, "attendance"), name="attendance sweeper")

    async def sweep(self) -> None:
        """Do what is due. Raises Unavailable if Redis does not answer; the next call goes on where this one stopped."""
        await self._service.hold_lost()
        async for move in self._store.expire(self._clock.now_ms()):
            await self._announcements.moved(move)
        for node_id in await self._dead.among(await self._store.nodes()):
            async for move in self._store.bury(node_id, self._clock.now_ms()):
                await self._announcements.moved(move)
        for count in await self._store.due(self._clock.now_ms()):
            self._announcements.counted(count)
        await self._relay.relay()
        if self._standstill.is_recent():
            return
        # One part a sweep: all of them in 8 s, and 10 000 connections are not compared in one turn of the loop.
        await self._service.reconcile(self._next_part)
        self._next_part = (self._next_part + 1) % PARTS
