"""Rooms over all nodes: who is in them here, and what reaches their members here and elsewhere."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Protocol

from hub.cluster.bus import Bus
from hub.cluster.records import Records
from hub.kernel.delivery import Delivery
from hub.kernel.errors import Unavailable
from hub.kernel.ids import ConnectionId, RoomName, UserId
from hub.kernel.ports import Attendance, Listener, Screen
from hub.kernel.tasks import Tasks
from hub.kernel.wire import ServerEvent, to_wire

log = logging.getLogger(__name__)

ATTENDED = ("content:", "room:", "doc:")
"""Rooms of which clients are shown who, and how many, are in them. The others (user, session, watch lists) have no
attendance in Redis: a client that watches 500 people would cost 500 writes."""


NAMED = 5
"""Rooms that a line of the log names, of perhaps thousands."""


class LocalRooms(Protocol):
    """The connections of this node, by room. Implemented in hub.transport."""

    def join(self, connection_id: ConnectionId, room: RoomName) -> None:
        """Add a connection. One that is gone is not added."""
        ...

    def leave(self, connection_id: ConnectionId, room: RoomName) -> None:
        """Remove a connection."""
        ...

    def members(self, room: RoomName) -> frozenset[ConnectionId]:
        """The connections of this node in ``room``."""
        ...

    def count(self, room: RoomName) -> int:
        """How many they are."""
        ...

    def rooms_of(self, connection_id: ConnectionId) -> Collection[str]:
        """The rooms of a connection; none of one that is gone."""
        ...

    def user_of(self, connection_id: ConnectionId) -> UserId | None:
        """Whose connection it is; ``None`` of one that is gone."""
        ...

    def drop(self, connection_id: ConnectionId) -> None:
        """Close the transport of one connection."""
        ...

    def succeed(self, connection_id: ConnectionId, earlier: Sequence[ConnectionId]) -> None:
        """A connection is the one that these were: what is not for one of them is not for it."""
        ...

    def is_member(self, connection_id: ConnectionId, room: RoomName) -> bool:
        """Whether the connection is in ``room``."""
        ...

    def deliver(self, delivery: Delivery) -> None:
        """Send an event to every connection here that is in any of its rooms, once each."""
        ...

    def send(self, connection_id: ConnectionId, event: str, payload: Any) -> None:
        """Send a named event to one connection. Nothing happens if it is gone."""
        ...

    def disconnect(self, room: RoomName, event: str | None, payload: Any) -> None:
        """Close the connections in ``room`` for good, after a farewell event if one is given."""
        ...

    def cut(self, rooms: Iterable[RoomName] | None) -> None:
        """Close the transports of the connections in these rooms, or of all: their clients come back by themselves."""
        ...


class ClusterRooms:
    """Implements hub.kernel.ports.Rooms and hub.cluster.bus.Members.

    A room is followed on the bus as long as it has a member here, or is to have one, or somebody listens to it. Whoever
    comes into a room or goes out of it, for whatever reason, is told to the attendance.
    """

    def __init__(self, local: LocalRooms, bus: Bus, records: Records, tasks: Tasks) -> None:
        self._local = local
        self._bus = bus
        self._records = records
        self._tasks = tasks
        self._listeners: dict[RoomName, list[Listener]] = {}
        self._screens: dict[str, Screen] = {}
        """By the name of the event."""
        self._entered: Counter[RoomName] = Counter()
        """Rooms that connections are on their way into, and how many."""
        self.attendance: Attendance | None = None
        """Counts those on other nodes, and tells who comes and goes. Without it those here count."""
        self.reviewer: Callable[[RoomName], None] | None = None
        """Begins a review of the connections here that are in a room, and returns at once."""
        bus.serve(self)

    async def join(self, connection_id: ConnectionId, room: RoomName) -> int:
        """See hub.kernel.ports.Rooms."""
        if not self.is_member(connection_id, room):
            await self._record(connection_id, room, await self.enter(connection_id, [room]))
        return await self._came(room, [connection_id])

    @asynccontextmanager
    async def joining(self, connection_id: ConnectionId, room: RoomName) -> AsyncIterator[None]:
        """See hub.kernel.ports.Rooms."""
        if self.is_member(connection_id, room):
            yield
            return
        joined = await self.enter(connection_id, [room])
        # A task, so that its command is in one write with those of whoever goes on here.
        recorded = asyncio.get_running_loop().create_task(self._record(connection_id, room, joined))
        try:
            yield
        finally:
            await recorded

    async def _record(self, connection_id: ConnectionId, room: RoomName, joined: Mapping[RoomName, int]) -> None:
        """Have it kept that a connection is in a room. Raises Unavailable, and then it is not in it."""
        try:
            await self._records.moved(connection_id, joined)
        except Unavailable:
            self._local.leave(connection_id, room)
            self._let_go(room)
            raise

    @contextmanager
    def expect(self, room: RoomName) -> Iterator[None]:
        """See hub.kernel.ports.Rooms."""
        self._entered[room] += 1
        try:
            self._bus.begin(room)
            yield
        finally:
            self._done_entering(room)

    async def enter(
        self, connection_id: ConnectionId, rooms: Iterable[RoomName], *, at_least: Sequence[int] = ()
    ) -> dict[RoomName, int]:
        """Put a connection into rooms that are followed then, at one moment. Gives the position of each at that moment.

        ``at_least``: not before this node stands there. Raises Unavailable if Redis does not answer, ValueError if
        nobody ever stood there.
        """
        rooms = list(rooms)
        self._entered.update(rooms)
        try:
            if len(rooms) == 1:  # mostly, and a task for it would cost as much as the rest
                await self._bus.follow(rooms[0])
            else:
                await asyncio.gather(*(self._bus.follow(room) for room in rooms))
            if at_least and not await self._bus.catch_up(at_least):
                raise ValueError("a position that was never given")
            # Not before: what goes to several rooms is sent to a member of two of them as it comes to the first.
            for room in rooms:
                self._local.join(connection_id, room)
            return {room: self._bus.position_of(room) for room in rooms}
        finally:
            for room in rooms:
                self._done_entering(room)

    def _done_entering(self, room: RoomName) -> None:
        self._entered[room] -= 1
        if not self._entered[room]:
            del self._entered[room]
        self._let_go(room)  # the connection may have gone meanwhile

    async def note(self, connection_id: ConnectionId, room: RoomName, note: bytes) -> None:
        """See hub.kernel.ports.Rooms."""
        try:
            await self._records.note(connection_id, room, note)
        except Unavailable:
            log.info("a note on %s is not kept", room)

    async def leave(self, connection_id: ConnectionId, room: RoomName) -> int:
        """See hub.kernel.ports.Rooms."""
        if self.is_member(connection_id, room):  # else it may have gone, and be in the room when it comes back
            await self._records.moved(connection_id, {room: None})
        self._local.leave(connection_id, room)
        self._let_go(room)
        return await self._went(room, [connection_id])

    async def forsake(self, connection_id: ConnectionId) -> None:
        """Take a connection out of all its rooms."""
        rooms = [RoomName(room) for room in self._local.rooms_of(connection_id)]
        for room in rooms:
            self._local.leave(connection_id, room)
        await self.left(connection_id, rooms)

    def attend(self, connection_id: ConnectionId, rooms: Iterable[RoomName]) -> None:
        """Have a connection that came back with its rooms known to be in them, in the background."""

        async def come() -> None:
            for room in rooms:
                await self._came(room, [connection_id])

        self._tasks.start(come(), name="attendance of one that came back")

    def succeed(self, connection_id: ConnectionId, earlier: Sequence[ConnectionId]) -> None:
        """See LocalRooms."""
        self._local.succeed(connection_id, earlier)

    def replaced(self, room: RoomName, connection_id: ConnectionId) -> None:
        """The client of a connection in ``room`` has come back over another one: whatever node has it, closes it."""
        self._bus.command(room, "replaced", connection_id)

    async def left(self, connection_id: ConnectionId, rooms: Collection[RoomName]) -> None:
        """A connection went away with its rooms."""
        for room in rooms:
            self._let_go(room)
        if self.attendance is not None:
            await self.attendance.lost(connection_id, [room for room in rooms if room.startswith(ATTENDED)])

    def _let_go(self, room: RoomName) -> None:
        """Follow a room no more if nobody here is in it, is entering it, or listens to it."""
        if not self._local.count(room) and room not in self._entered and room not in self._listeners:
            self._bus.leave(room)

    def is_member(self, connection_id: ConnectionId, room: RoomName) -> bool:
        """See hub.kernel.ports.Rooms."""
        return self._local.is_member(connection_id, room)

    async def member_count(self, room: RoomName) -> int:
        """See hub.kernel.ports.Rooms."""
        attendance = self._attendance_of(room)
        elsewhere = 0 if attendance is None else await attendance.elsewhere(room)
        return self._local.count(room) + elsewhere

    # ---------------------------------------------------------------- out

    async def emit(
        self,
        rooms: RoomName | Iterable[RoomName],
        event: ServerEvent,
        *,
        skip: ConnectionId | None = None,
        id: str | None = None,
        age_s: float = 0.0,
    ) -> None:
        """See hub.kernel.ports.Rooms."""
        delivery = Delivery.of(_list(rooms), event, skip)
        delivery.id, delivery.age_s = id, age_s
        self._bus.emit(delivery)

    def emit_volatile(
        self, rooms: RoomName | Iterable[RoomName], event: ServerEvent, *, skip: ConnectionId | None = None
    ) -> None:
        """See hub.kernel.ports.Rooms."""
        self._bus.emit(Delivery.of(_list(rooms), event, skip, volatile=True))

    async def flushed(self) -> None:
        """See hub.kernel.ports.Rooms."""
        await self._bus.flushed()

    async def emit_local(
        self,
        rooms: RoomName | Iterable[RoomName],
        event: ServerEvent,
        *,
        skip: ConnectionId | None = None,
        volatile: bool = False,
    ) -> None:
        """See hub.kernel.ports.Rooms."""
        self._hand_over(Delivery.of(_list(rooms), event, skip, volatile=volatile))

    async def send(self, connection_id: ConnectionId, event: ServerEvent) -> None:
        """See hub.kernel.ports.Rooms."""
        self._local.send(connection_id, event.event, to_wire(event))

    async def disconnect(self, room: RoomName, *, farewell: ServerEvent | None = None) -> None:
        """See hub.kernel.ports.Rooms."""
        name, payload = (None, None) if farewell is None else (farewell.event, to_wire(farewell))
        self._bus.command(room, "disconnect", name, payload)

    async def evict(self, room: RoomName, *, of: RoomName) -> None:
        """See hub.kernel.ports.Rooms."""
        # In the order of that room: what was said before still comes, and whoever comes back is seen to have been put
        # out, and where.
        self._bus.command(room, "evict", of)

    async def review(self, of: RoomName, *, in_: RoomName | None = None) -> None:
        """See hub.kernel.ports.Rooms."""
        if in_ is None:
            self._bus.command(of, "review")
        else:
            self._bus.command(in_, "review", of)

    def screen(self, event: type[ServerEvent], screen: Screen) -> None:
        """See hub.kernel.ports.Rooms."""
        self._screens[event.event] = screen

    @asynccontextmanager
    async def listen(self, room: RoomName, listener: Listener) -> AsyncIterator[None]:
        """See hub.kernel.ports.Rooms."""
        self._listeners.setdefault(room, []).append(listener)
        try:
            await self._bus.follow(room)
            yield
        finally:
            listeners = self._listeners[room]
            listeners.remove(listener)
            if not listeners:
                del self._listeners[room]
                self._let_go(room)

    # ---------------------------------------------------------------- in

    def deliver(self, delivery: Delivery) -> None:
        """See hub.cluster.bus.Members."""
        screen = self._screens.get(delivery.event)
        if screen is None or screen(delivery):
            self._hand_over(delivery)

    def _hand_over(self, delivery: Delivery) -> None:
        if self._listeners:
            for room in delivery.rooms:
                for listener in self._listeners.get(room, ()):
                    listener(delivery.event, delivery.payload)
        self._local.deliver(delivery)

    def command(self, room: RoomName, name: str, arguments: list[Any]) -> None:
        """See hub.cluster.bus.Members."""
        match name, arguments:
            case "disconnect", [event, payload]:
                self._local.disconnect(room, event, payload)
            case "evict", [of]:
                put_out = self._put_out(room, RoomName(of))
                self._tasks.start(self._were_put_out(put_out, room), name="evicted")
            case "replaced", [connection_id]:
                self._local.drop(ConnectionId(connection_id))
            case "review", [*of]:
                if self.reviewer is not None:
                    self.reviewer(RoomName(of[0]) if of else room)
            case _:
                log.warning("unknown command %r from another node: is it of another version?", name)

    def missed(self, rooms: Sequence[RoomName]) -> None:
        """See hub.cluster.bus.Members. Their clients come back, and see by themselves what they have missed."""
        log.warning("events are lost for members of %d rooms; they are told: %s", len(rooms), rooms[:NAMED])
        self._local.cut(rooms)

    async def bring_in(self, room: RoomName, of: RoomName) -> int:
        """Put the connections of this node that are in ``of`` into ``room`` too, and say how many they are.

        Raises Unavailable if Redis does not answer.
        """
        self._entered[room] += 1
        try:
            await self._bus.follow(room)
            came = [one for one in self._local.members(of) if not self._local.is_member(one, room)]
            for connection_id in came:
                self._local.join(connection_id, room)
            position = self._bus.position_of(room)
            here = sum(self._local.is_member(one, room) for one in self._local.members(of))
        finally:
            self._done_entering(room)
        try:
            await asyncio.gather(*(self._records.moved(one, {room: position}) for one in came))
        except Unavailable:
            for connection_id in came:  # whoever comes back would not be in it
                self._local.leave(connection_id, room)
            self._let_go(room)
            raise
        await self._came(room, came)
        return here

    async def take_out(self, room: RoomName, of: RoomName) -> int:
        """Take the connections of this node that are in ``of`` out of ``room``, and say how many were in it."""
        put_out = self._put_out(room, of)
        await self._were_put_out(put_out, room)
        return len(put_out)

    def _put_out(self, room: RoomName, of: RoomName) -> Sequence[ConnectionId]:
        here = [one for one in self._local.members(of) if self._local.is_member(one, room)]
        for connection_id in here:
            self._local.leave(connection_id, room)
        if here:
            self._let_go(room)
        return here

    async def _were_put_out(self, connection_ids: Sequence[ConnectionId], room: RoomName) -> None:
        await self._went(room, connection_ids)
        for connection_id in connection_ids:
            try:
                await self._records.moved(connection_id, {room: None})
            except Unavailable:
                log.info("a connection was put out of %s; should it come back, its access is looked at again", room)

    async def _came(self, room: RoomName, connection_ids: Iterable[ConnectionId]) -> int:
        """Connections of this node are in a room now, unless they are gone. Returns those in it on all nodes."""
        elsewhere = 0
        if (attendance := self._attendance_of(room)) is not None:
            here = [one for one in connection_ids if self.is_member(one, room)]
            people = {one: user_id for one in here if (user_id := self._local.user_of(one)) is not None}
            elsewhere = await attendance.arrived(room, people)
        return self._local.count(room) + elsewhere

    async def _went(self, room: RoomName, connection_ids: Collection[ConnectionId]) -> int:
        """Connections of this node are in a room no longer. Returns those left in it on all nodes."""
        elsewhere = 0
        if (attendance := self._attendance_of(room)) is not None:
            elsewhere = await attendance.left(room, connection_ids)
        return self._local.count(room) + elsewhere

    def _attendance_of(self, room: RoomName) -> Attendance | None:
        return self.attendance if room.startswith(ATTENDED) else None


def _list(rooms: RoomName | Iterable[RoomName]) -> list[RoomName]:
    return [rooms] if isinstance(rooms, str) else list(rooms)
