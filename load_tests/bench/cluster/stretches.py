"""From a history to stretches: the times during which a client was owed a room without a hole. No I/O.

A stretch begins when a client enters a room, and ends when it leaves it, or when it is told that it must read anew: a
connect that is not recovered. Over a recovered one it goes on.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum

from load_tests.bench.cluster.history import (
    AnyRecord,
    Client,
    Connected,
    Ended,
    EventId,
    Got,
    Joined,
    Joining,
    Leaving,
    Left,
    OfClient,
    Room,
)


class End(Enum):
    """How a stretch ended, which says what its last part owes."""

    LEFT = "left"
    TOLD = "told"
    RESTARTED = "connected again before the join was acknowledged"
    STILL_IN = "still a member when all was still"
    GONE = "not connected when all was still"


@dataclass(frozen=True, slots=True)
class Receipt:
    """An event that came, and where in the history."""

    id: EventId
    line: int


@dataclass(slots=True)
class Stretch:
    """One client in one room, from its join on."""

    client: Client
    room: Room
    begin: int
    """Its first line in the history."""
    joined_ms: float | None = None
    """When the join was acknowledged. What is sent after that is owed."""
    joined_line: int | None = None
    leaving_line: int | None = None
    """Where the client has asked to leave: nothing more is owed then."""
    received: list[Receipt] = field(default_factory=list)
    end: End = End.GONE
    end_line: int = 0


@dataclass(frozen=True, slots=True)
class Stray:
    """An event that came to a client which was not in its room."""

    client: Client
    room: Room
    id: EventId
    line: int


def stretches(history: Iterable[AnyRecord]) -> Iterator[Stretch | Stray]:
    """Every stretch, when it has ended, and every stray event. Those that no record ends come last, as ``GONE``."""
    clients: dict[Client, _Rooms] = {}
    line = -1
    for line, record in enumerate(history):
        if not isinstance(record, OfClient):
            continue
        rooms = clients.setdefault(record.c, {})
        match record:
            case Connected():
                yield from _reconnected(rooms, record, line)
            case Ended():
                for stretch in clients.pop(record.c).values():
                    yield _ended(stretch, End.STILL_IN if record.connected else End.GONE, line)
            case Got():
                if (stray := _got(rooms, record, line)) is not None:
                    yield stray
            case Joining() | Joined() | Leaving() | Left():
                if (left := _moved(rooms, record, line)) is not None:
                    yield left
            case _:
                pass
    for rooms in clients.values():
        for stretch in rooms.values():
            yield _ended(stretch, End.GONE, line)


_Rooms = dict[Room, Stretch]


def _moved(rooms: _Rooms, record: Joining | Joined | Leaving | Left, line: int) -> Stretch | None:
    """A step into a room, or out of it. Gives the stretch that has ended with it."""
    if isinstance(record, Joining):
        rooms.setdefault(record.room, Stretch(record.c, record.room, line))
        return None
    stretch = rooms.get(record.room)
    if stretch is None:
        return None
    if isinstance(record, Left):
        return _ended(rooms.pop(record.room), End.LEFT, line)
    if isinstance(record, Leaving) and stretch.leaving_line is None:
        stretch.leaving_line = line
    if isinstance(record, Joined) and stretch.joined_line is None:
        stretch.joined_ms, stretch.joined_line = record.t, line
    return None


def _got(rooms: _Rooms, record: Got, line: int) -> Stray | None:
    stretch = rooms.get(record.room)
    if stretch is None:
        return Stray(record.c, record.room, record.id, line)
    stretch.received.append(Receipt(record.id, line))
    return None


def _reconnected(rooms: _Rooms, record: Connected, line: int) -> Iterator[Stretch]:
    for room, stretch in list(rooms.items()):
        if not record.recovered:
            del rooms[room]
            yield _ended(stretch, End.TOLD, line)
        elif stretch.joined_line is None:
            # Nobody knows whether the join was done. The client asks again, and what it is owed begins there.
            rooms[room] = Stretch(stretch.client, room, line)
            yield _ended(stretch, End.RESTARTED, line)


def _ended(stretch: Stretch, end: End, line: int) -> Stretch:
    stretch.end, stretch.end_line = end, line
    return stretch
