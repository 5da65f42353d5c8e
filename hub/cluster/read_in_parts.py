"""Reading what many rooms have missed, as of one moment, in parts: neither Redis nor this node stands still for it.

The parts are read one after the other, while events go on. Only what had happened when the first was read counts, for
all rooms alike: later events come over the link, which has subscribed before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from hub.cluster.chain import Entry
from hub.cluster.link import Down
from hub.cluster.shard_commands import READ_LIMIT, RoomRead, ShardCommands, ShardRead

ROOMS: Final = 250
"""Of a part: about a millisecond of Redis."""
ENTRIES: Final = 500
"""Of a part, at most: events may have many kilobytes."""
MOST: Final = 20_000
"""Entries in all. After an outage in which there were more, the rest of the rooms are told."""
TRIES: Final = 3
"""In each of which the epoch may change."""

Above = Callable[[str], int | None]
"""The number above which events of a room are wanted; ``None`` for only where it stands."""


async def read_in_parts(commands: ShardCommands, rooms: Sequence[str], above: Above) -> ShardRead:
    """Rooms, with their events above a number.

    A room of which more than READ_LIMIT events are missing, or that comes after MOST, has not all of them. Raises Down
    or Refused.
    """
    for _ in range(TRIES):
        first = await commands.read_part([], ENTRIES, None)
        read = await _read(commands, rooms, above, first)
        if read is not None:
            return ShardRead(first.base, first.head, read)
    raise Down("the epoch of the shard changes while it is read")


async def _read(commands: ShardCommands, names: Sequence[str], above: Above, first: ShardRead) -> list[RoomRead] | None:
    """``None`` if the epoch has changed meanwhile."""
    rooms: list[RoomRead] = []
    begun: list[Entry] = []
    """Of a room that has more than the last part had place for."""
    left = MOST
    while len(rooms) < len(names):
        asked = [(room, above(room) if left > 0 else None) for room in names[len(rooms) : len(rooms) + ROOMS]]
        if begun and left > 0:
            asked[0] = asked[0][0], begun[-1].number
        part = await commands.read_part(asked, ENTRIES, first.head)
        if part.base != first.base:
            return None
        found, count = list(part.rooms), sum(len(room.entries) for room in part.rooms)
        if begun:
            found[0] = RoomRead(found[0].last, [*begun, *found[0].entries])
        begun, left = [], left - count
        if count >= ENTRIES and left > 0 and _goes_on(found[-1]):
            begun = list(found.pop().entries)
        rooms += found
    return rooms


def _goes_on(room: RoomRead) -> bool:
    """Whether there may be more of a room to read."""
    return room.last is not None and 0 < len(room.entries) < READ_LIMIT and room.entries[-1].number < room.last
