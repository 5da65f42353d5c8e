"""A Rooms that remembers: for unit tests of services, without sockets and Redis."""

from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field

from hub.kernel.delivery import Delivery
from hub.kernel.ids import ConnectionId, RoomName
from hub.kernel.ports import Listener, Screen
from hub.kernel.wire import ServerEvent, to_wire


@dataclass
class RecordedRooms:
    """Implements hub.kernel.ports.Rooms in memory and records what was sent."""

    members: dict[RoomName, set[ConnectionId]] = field(default_factory=dict)
    emitted: list[tuple[list[RoomName], ServerEvent]] = field(default_factory=list)
    sent: list[tuple[ConnectionId, ServerEvent]] = field(default_factory=list)
    sent_ids: set[tuple[RoomName, str]] = field(default_factory=set)
    notes: dict[tuple[ConnectionId, RoomName], bytes] = field(default_factory=dict)
    skipped: list[ConnectionId | None] = field(default_factory=list)
    disconnected: list[RoomName] = field(default_factory=list)
    reviewed: list[RoomName] = field(default_factory=list)
    listeners: dict[RoomName, list[Listener]] = field(default_factory=dict)
    screens: dict[str, Screen] = field(default_factory=dict)

    def expect(self, _room: RoomName) -> AbstractContextManager[None]:
        return nullcontext()

    async def join(self, connection_id: ConnectionId, room: RoomName) -> int:
        self.members.setdefault(room, set()).add(connection_id)
        return len(self.members[room])

    @asynccontextmanager
    async def joining(self, connection_id: ConnectionId, room: RoomName) -> AsyncIterator[None]:
        await self.join(connection_id, room)
        yield

    async def note(self, connection_id: ConnectionId, room: RoomName, note: bytes) -> None:
        self.notes[connection_id, room] = note

    async def leave(self, connection_id: ConnectionId, room: RoomName) -> int:
        self.members.get(room, set()).discard(connection_id)
        return len(self.members.get(room, ()))

    def is_member(self, connection_id: ConnectionId, room: RoomName) -> bool:
        return connection_id in self.members.get(room, ())

    async def member_count(self, room: RoomName) -> int:
        return len(self.members.get(room, ()))

    async def emit(
        self,
        rooms: RoomName | Iterable[RoomName],
        event: ServerEvent,
        *,
        skip: ConnectionId | None = None,
        id: str | None = None,
        age_s: float = 0.0,
    ) -> None:
        to = [RoomName(rooms)] if isinstance(rooms, str) else list(rooms)
        if id is not None:
            to = [room for room in to if age_s < 0.5 or (room, id) not in self.sent_ids]
            self.sent_ids.update((room, id) for room in to)
        if to:
            self.emit_volatile(to, event, skip=skip)

    def emit_volatile(
        self, rooms: RoomName | Iterable[RoomName], event: ServerEvent, *, skip: ConnectionId | None = None
    ) -> None:
        to = [rooms] if isinstance(rooms, str) else list(rooms)
        screen = self.screens.get(event.event)
        if screen is not None and not screen(Delivery.of(to, event, skip, volatile=True)):
            return
        self.emitted.append((to, event))
        self.skipped.append(skip)
        for room in self.emitted[-1][0]:
            for listener in self.listeners.get(room, ()):
                listener(event.event, to_wire(event))

    async def flushed(self) -> None:
        """Nothing waits here."""

    async def emit_local(
        self,
        rooms: RoomName | Iterable[RoomName],
        event: ServerEvent,
        *,
        skip: ConnectionId | None = None,
        volatile: bool = False,
    ) -> None:
        self.emitted.append(([rooms] if isinstance(rooms, str) else list(rooms), event))
        self.skipped.append(skip)

    async def send(self, connection_id: ConnectionId, event: ServerEvent) -> None:
        self.sent.append((connection_id, event))

    @asynccontextmanager
    async def listen(self, room: RoomName, listener: Listener) -> AsyncIterator[None]:
        self.listeners.setdefault(room, []).append(listener)
        try:
            yield
        finally:
            self.listeners[room].remove(listener)

    def screen(self, event: type[ServerEvent], screen: Screen) -> None:
        self.screens[event.event] = screen

    async def disconnect(self, room: RoomName, *, farewell: ServerEvent | None = None) -> None:
        self.disconnected.append(room)

    async def evict(self, room: RoomName, *, of: RoomName) -> None:
        self.members.get(room, set()).difference_update(self.members.get(of, set()))

    async def review(self, of: RoomName, *, in_: RoomName | None = None) -> None:
        self.reviewed.append(of)

    def events_to(self, room: RoomName) -> list[ServerEvent]:
        """What was sent to a room, in order."""
        return [event for rooms, event in self.emitted if room in rooms]
