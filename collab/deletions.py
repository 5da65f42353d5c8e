"""What an update without content deletes, compared with what is deleted already.

A client that comes back answers with everything that was ever deleted, whatever it is asked for: Yjs has no clock of
deletions. Stored each time, the deletions of a long-lived document would be most of its log.
"""

from bisect import bisect_right
from collections.abc import Iterator
from typing import Final

from collab.decoding import MAX_CLIENT_ID, Reader

NO_CONTENT: Final = 0
"""The first byte of an update that only deletes: it has structs of no client."""
Ranges = dict[int, list[tuple[int, int]]]
"""Client → the clocks that are deleted: beginnings and ends, in order, not touching each other."""


def only_deletes(update: bytes) -> bool:
    """Whether a valid update brings no content."""
    return update[0] == NO_CONTENT


def are_among(update: bytes, other: bytes) -> bool:
    """Whether ``other`` deletes all that ``update`` does. Both are valid and only delete."""
    known = _merged(other)
    return all(_is_within(known.get(client, []), start, end) for client, start, end in _ranges(update))


def _ranges(update: bytes) -> Iterator[tuple[int, int, int]]:
    reader = Reader(update)
    reader.byte()
    for _ in range(reader.count(2)):
        client = reader.uint(MAX_CLIENT_ID)
        for _ in range(reader.count(2)):
            start = reader.uint()
            yield client, start, start + reader.uint()


def _merged(update: bytes) -> Ranges:
    merged: Ranges = {}
    for client, start, end in sorted(_ranges(update)):
        ranges = merged.setdefault(client, [])
        if ranges and start <= ranges[-1][1]:
            ranges[-1] = ranges[-1][0], max(end, ranges[-1][1])
        else:
            ranges.append((start, end))
    return merged


def _is_within(ranges: list[tuple[int, int]], start: int, end: int) -> bool:
    at = bisect_right(ranges, start, key=lambda one: one[0]) - 1
    return at >= 0 and end <= ranges[at][1]
