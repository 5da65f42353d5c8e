"""The connections of this node in rooms: when they come and go, what is stored of them, and how many there are."""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence

from hub.kernel.clock import Clock
from hub.kernel.errors import Unavailable
from hub.kernel.ids import ConnectionId, RoomName, UserId
from hub.kernel.ports import Nodes
from presence.attendance.announcements import Announcements
from presence.attendance.model import PARTS, Outcome, Seat, part_of
from presence.attendance.store import AttendanceStore
from presence.settings import PresenceSettings

log = logging.getLogger(__name__)


class AttendanceService:
    """Keeps the store in step with this node's connections. Implements hub.kernel.ports.Attendance.

    The connections in memory are the truth about this node. Whatever finds no Redis only logs: :meth:`reconcile` brings
    the store into step later, and also after Redis lost its memory or declared this node dead by mistake.
    """

    def __init__(
        self,
        store: AttendanceStore,
        announcements: Announcements,
        nodes: Nodes,
        clock: Clock,
        settings: PresenceSettings,
    ) -> None:
        self._store = store
        self._announcements = announcements
        self._nodes = nodes
        self._clock = clock
        self._hold_ms = round(settings.hold_s * 1000)
        self._moving_hold_ms = round(settings.moving_hold_s * 1000)
        self._here: list[dict[tuple[RoomName, ConnectionId], Seat]] = [{} for _ in range(PARTS)]
        self._stored: set[Seat] = set()
        """Those whose coming is in the store, and known to the others in the room."""
        self._missing: set[Seat] = set()
        """Those of them that the last look at the store did not find there."""
        self._unheld: list[Seat] = []
        """Those that were lost while the store did not answer."""

    async def arrived(self, room: RoomName, connections: Mapping[ConnectionId, UserId]) -> int:
        """See hub.kernel.ports.Attendance."""
        seats = [Seat(room, user_id, connection_id) for connection_id, user_id in connections.items()]
        for seat in seats:
            self._here[part_of(room)][room, seat.connection_id] = seat
        try:
            outcomes = await self._register(seats)
            # Two changes at once travel over two connections, and the earlier may come last. Whoever made it sees that
            # it does not hold any more.
            await self._hold([seat for seat in seats if not self._is_here(seat)])
            return await self._elsewhere(room, outcomes)
        except Unavailable as error:
            log.warning("who came to %s is not stored yet: %r", room, error)
            return 0

    async def left(self, room: RoomName, connection_ids: Collection[ConnectionId]) -> int:
        """See hub.kernel.ports.Attendance."""
        here = self._here[part_of(room)]
        seats = [seat for one in connection_ids if (seat := here.pop((room, one), None)) is not None]
        try:
            outcomes = await self._remove(seats)
            outcomes += await self._register([seat for seat in seats if self._is_here(seat)])
            return await self._elsewhere(room, outcomes)
        except Unavailable as error:
            log.warning("who left %s is stored as being there: %r", room, error)
            return 0

    async def lost(self, connection_id: ConnectionId, rooms: Iterable[RoomName]) -> None:
        """See hub.kernel.ports.Attendance."""
        gone = [self._here[part_of(room)].pop((room, connection_id), None) for room in rooms]
        await self._leave_behind([seat for seat in gone if seat is not None])

    async def elsewhere(self, room: RoomName) -> int:
        """See hub.kernel.ports.Attendance."""
        try:
            return await self._elsewhere(room, [])
        except Unavailable as error:
            log.warning("the connections in %s are counted on this node alone: %r", room, error)
            return 0

    async def hold_lost(self) -> None:
        """Hold what was lost while the store did not answer. From now on: their clients could not come back before.

        Raises Unavailable while it still does not.
        """
        if self._unheld:
            seats = list(self._unheld)
            await self._hold([seat for seat in seats if not self._is_here(seat)])
            del self._unheld[: len(seats)]

    async def reconcile(self, part: int) -> None:
        """Bring one part of the store into step with this node's connections. Raises Unavailable."""
        registered = await self._store.registered(self._nodes.node_id, part)
        here = self._here[part]
        absent = {seat for seat in here.values() if seat not in registered}
        # Of those that were stored, not at the first look: if this node was taken for dead, and all have been told that
        # its people left, it is about to find that out and to cut these connections.
        again = absent & self._missing
        new = absent - self._stored
        self._missing = {seat for seat in self._missing if part_of(seat.room) != part} | (absent - again - new)
        await self._register([*new])
        await self._register([*again], quietly=True)  # Redis lost its memory, and nobody was told that they left
        gone = [seat for seat in registered if (seat.room, seat.connection_id) not in here]
        await self._hold([*gone, *(seat for seat in new | again if not self._is_here(seat))])

    async def drain(self) -> None:
        """Clients are sent elsewhere from now on: who is lost has time to get there, and nobody sees them go."""
        self._hold_ms = self._moving_hold_ms

    async def close(self) -> None:
        """Leave all connections to the hold, as after :meth:`drain`.

        Call it before the node gives back its lease, or others bury its connections at once. Never raises.
        """
        await self.drain()
        seats = [seat for part in self._here for seat in part.values()]
        for part in self._here:
            part.clear()
        await self._leave_behind(seats)

    async def _leave_behind(self, seats: Sequence[Seat]) -> None:
        try:
            await self._hold(seats)
        except Unavailable:
            log.warning("%d lost connections are still in their rooms", len(seats))
            self._unheld += seats

    def _is_here(self, seat: Seat) -> bool:
        return (seat.room, seat.connection_id) in self._here[part_of(seat.room)]

    async def _register(self, seats: Sequence[Seat], *, quietly: bool = False) -> list[Outcome]:
        outcomes = await self._store.arrive(self._nodes.node_id, seats, self._clock.now_ms(), quietly=quietly)
        self._stored.update(seats)
        return await self._told(outcomes)

    async def _remove(self, seats: Sequence[Seat]) -> list[Outcome]:
        self._stored.difference_update(seats)
        return await self._told(await self._store.leave(self._nodes.node_id, seats, self._clock.now_ms()))

    async def _hold(self, seats: Sequence[Seat]) -> None:
        self._stored.difference_update(seats)
        now_ms = self._clock.now_ms()
        await self._store.hold(self._nodes.node_id, seats, now_ms + self._hold_ms, now_ms)

    async def _told(self, outcomes: list[Outcome]) -> list[Outcome]:
        for outcome in outcomes:
            if outcome.move is not None:
                await self._announcements.moved(outcome.move)
        return outcomes

    async def _elsewhere(self, room: RoomName, outcomes: Sequence[Outcome]) -> int:
        """Connections on other live nodes, as the last of the outcomes has it."""
        connections = outcomes[-1].connections if outcomes else await self._store.connections(room)
        live = await self._nodes.live()
        return sum(number for node, number in connections.items() if node in live and node != self._nodes.node_id)
