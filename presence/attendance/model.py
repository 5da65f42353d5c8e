"""What attendance knows: connections in rooms, and the people that they add up to."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from hub.kernel.ids import ConnectionId, NodeId, RoomName, UserId
from presence.transitions import EntryId

PARTS: Final = 16
"""Rooms are divided into this many parts, each a hash tag in Redis, as users are in presence.model."""


def part_of(room: RoomName) -> int:
    """The part a room belongs to, the same on every node."""
    return zlib.crc32(room.encode()) % PARTS


@dataclass(frozen=True, slots=True)
class Seat:
    """A connection in a room."""

    room: RoomName
    user_id: UserId
    connection_id: ConnectionId


@dataclass(frozen=True, slots=True)
class Move:
    """A person entered a room with their first connection, or left it with their last one."""

    seat: Seat
    joined: bool
    version: int
    """Rises with every move in the room. Of one person's moves the highest is the latest."""
    entry: EntryId | None
    """Where it is kept until it has been told. ``None``: nobody is to be told of it, the room is large."""
    asked_s: float = field(default=0.0, compare=False)
    """When the store was asked for it, ``time.monotonic()``. It is no older than that."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a room when a connection came or went."""

    move: Move | None
    """``None``: the person was, or is, there by another connection."""
    connections: Mapping[NodeId, int]
    """Connections in the room by node, those of dead nodes too, and without lost ones."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many people are in a large room, which is to be told."""

    room: RoomName
    people: int
    version: int
    """That of the latest move in the room."""
    entry: EntryId | None = None
    """Where it is kept until it has been told."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in a room."""

    user_id: UserId
    arrival: int
    """Rises from one arrival to the next; the version of the move."""


@dataclass(frozen=True, slots=True)
class Window:
    """Some of the people in a room, in the order in which they came."""

    people: int
    """In the room, all of them."""
    version: int
    """That of the latest move in the room. 0: nobody was ever there."""
    shown: tuple[Person, ...]
