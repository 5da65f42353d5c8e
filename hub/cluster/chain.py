"""Positions in the order of events, and whether a list of events has a hole. No I/O.

Every kept event has a number, which rises over all rooms of a shard, and names the number of the event before it in its
room. So a room's events are a chain, in which everybody can see that something is missing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
PAIRS: Final = [first + second for first in DIGITS for second in DIGITS]
"""Two digits at a time take half of the steps: every node writes the position of every event."""
MAX_DIGITS: Final = 13
"""Of a position in base 36: 64 bits."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A kept event of a room."""

    number: int
    before: int
    """Of the room's event before it; 0 for the first. Negative if that is forgotten: it was at most so much."""
    event: bytes


def is_complete(above: int, last: int | None, entries: Sequence[Entry], *, heard: int | None = None) -> bool:
    """Whether ``entries`` are all events of a room above a number, when its last one has the number ``last``.

    ``last`` is negative if it is forgotten: it was at most so much; ``None`` if nobody can tell. ``heard`` is a
    position up to which nothing of the room is missing, if that is more than ``above``. Exact whatever became of the
    others: trimmed, expired or evicted.
    """
    heard = above if heard is None else max(above, heard)
    if last is None:
        return False
    if last < 0:
        return -last <= heard
    if last <= above:
        return True
    if not entries or entries[-1].number != last:
        return False
    before = entries[0].before
    if before > above or -before > heard:
        return False
    return all(after.before == one.number for one, after in pairwise(entries))


def write_offset(positions: Sequence[int]) -> str:
    """The position in each shard, as clients keep it."""
    return ".".join(map(_in_base_36, positions))


def read_offset(text: object, shards: int) -> list[int] | None:
    """The positions of an offset; ``None`` for what is none of this cluster, from whoever may have made it up."""
    if not isinstance(text, str) or len(text) > shards * (MAX_DIGITS + 1):
        return None
    parts = text.split(".")
    if len(parts) != shards or not all(part and set(part) <= set(DIGITS) for part in parts):
        return None
    positions = [int(part, 36) for part in parts]
    return positions if all(position < 1 << 63 for position in positions) else None


def _in_base_36(number: int) -> str:
    digits = ""
    while number >= len(PAIRS):
        number, pair = divmod(number, len(PAIRS))
        digits = PAIRS[pair] + digits
    return (PAIRS[number] + digits).lstrip("0") or "0"
