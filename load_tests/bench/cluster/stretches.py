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
    leaving: bool = False
    """Whether the client has asked to leave: nothing more is owed then."""
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
    open_ones: dict[Client, dict[Room, Stretch]] = {}
    line = -1
    for line, record in enumerate(history):
        match record:
            case Connected(c=client):
                yield from _reconnected(open_ones.setdefault(client, {}), record, line)
            case Joining(c=client, room=room):
                open_ones.setdefault(client, {}).setdefault(room, Stretch(client, room, line))
            case Joined(c=client, room=room):
                _joined(open_ones.setdefault(client, {}).get(room), record.t)
            case Leaving(c=client, room=room):
                if (leaving := open_ones.setdefault(client, {}).get(room)) is not None:
                    leaving.leaving = True
            case Left(c=client, room=room):
                if (left := open_ones.setdefault(client, {}).pop(room, None)) is not None:
                    yield _ended(left, End.LEFT, line)
            case Got(c=client, room=room, id=event):
                inside = open_ones.setdefault(client, {}).get(room)
                if inside is None:
                    yield Stray(client, room, event, line)
                else:
                    inside.received.append(Receipt(event, line))
            case Ended(c=client):
                for stretch in open_ones.pop(client, {}).values():
                    yield _ended(stretch, End.STILL_IN if record.connected else End.GONE, line)
            case _:
                pass
    for rooms in open_ones.values():
        for stretch in rooms.values():
            yield _ended(stretch, End.GONE, line)


def _joined(stretch: Stretch | None, at_ms: float) -> None:
    if stretch is not None and stretch.joined_ms is None:
        stretch.joined_ms = at_ms


def _reconnected(rooms: dict[Room, Stretch], record: Connected, line: int) -> Iterator[Stretch]:
    for room, stretch in list(rooms.items()):
        if not record.recovered:
            del rooms[room]
            yield _ended(stretch, End.TOLD, line)
        elif stretch.joined_ms is None:
            # Nobody knows whether the join was done. The client asks again, and what it is owed begins there.
            rooms[room] = Stretch(stretch.client, room, line)
            yield _ended(stretch, End.RESTARTED, line)


def _ended(stretch: Stretch, end: End, line: int) -> Stretch:
    stretch.end, stretch.end_line = end, line
    return stretch
