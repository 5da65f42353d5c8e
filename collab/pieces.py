"""A large update cut into small ones that give the same document, each in causal order.

Yrs applies an update in one go, and holds the GIL. Most take it 0.5 µs for each part, but 20,000 deletions in a long
text 0.9 s, and 20,000 clients that set one key of a map 3.4 s. In pieces, others get their turn in between.
"""

import heapq
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from collab.decoding import BadUpdate, uint

PIECE: Final = 100
"""Parts of one piece. The dearest that were found take 170 µs each."""
LONGEST_DELETION: Final = 10_000
"""Units deleted at once, each perhaps an item of its own: 0.4 µs."""

MOST_DELETED: Final = 64 << 20
"""Units that one update may delete: as many letters as a document may have."""


@dataclass(frozen=True, slots=True)
class Part:
    """One struct of an update, as it is written."""

    client: int
    clock: int
    end: int
    needs: Sequence[tuple[int, int]]
    """Ids that it refers to."""
    data: bytes


@dataclass(frozen=True, slots=True)
class Deletion:
    """A range of deleted units."""

    client: int
    clock: int
    length: int


def pieces(parts: Sequence[Part], deletions: Sequence[Deletion]) -> Iterator[bytes]:
    """Small updates that together do what the parts and deletions of one do, for a document that has what they need.

    No client may come twice, apart from its consecutive parts. Parts that wait for each other in a circle are left out.
    """
    piece: dict[int, list[Part]] = {}
    count = 0
    for part in _in_causal_order(parts):
        piece.setdefault(part.client, []).append(part)
        count += 1
        if count == PIECE:
            yield _content(piece)
            piece, count = {}, 0
    if piece:
        yield _content(piece)
    ranges: list[Deletion] = []
    units = 0
    for deletion in (cut for whole in merged(deletions) for cut in _cut(whole)):
        if ranges and (len(ranges) == PIECE or units + deletion.length > LONGEST_DELETION):
            yield _deletions(ranges)
            ranges, units = [], 0
        ranges.append(deletion)
        units += deletion.length
    if ranges:
        yield _deletions(ranges)


def merged(deletions: Sequence[Deletion]) -> list[Deletion]:
    """The same units, each once: 100,000 ranges of all that there is are one. Raises BadUpdate if they are too many."""
    found: list[Deletion] = []
    for deletion in sorted(deletions, key=lambda deletion: (deletion.client, deletion.clock)):
        last = found[-1] if found else None
        if last is None or last.client != deletion.client or last.clock + last.length < deletion.clock:
            found.append(deletion)
        else:
            end = max(last.clock + last.length, deletion.clock + deletion.length)
            found[-1] = Deletion(last.client, last.clock, end - last.clock)
    if sum(deletion.length for deletion in found) > MOST_DELETED:
        raise BadUpdate(f"more than {MOST_DELETED} units are deleted")
    return found


def _in_causal_order(parts: Sequence[Part]) -> Iterator[Part]:
    queues = {client: deque(group) for client, group in groupby(parts, key=lambda part: part.client)}
    done = {client: queue[0].clock for client, queue in queues.items()}
    """Client → the clock up to which there is something: before the first part it is in the document."""
    blocked: dict[int, list[tuple[int, int]]] = {client: [] for client in queues}
    """Client → (clock that must be there, client that waits for it)."""
    ready = deque(queues)
    while ready:
        client = ready.popleft()
        queue = queues[client]
        while queue:
            lacking = next(((who, at) for who, at in queue[0].needs if at >= done.get(who, at + 1)), None)
            if lacking is not None:
                heapq.heappush(blocked[lacking[0]], (lacking[1], client))
                break
            part = queue.popleft()
            done[client] = part.end
            yield part
        waiting = blocked[client]
        while waiting and waiting[0][0] < done[client]:
            ready.append(heapq.heappop(waiting)[1])


def _cut(deletion: Deletion) -> Iterator[Deletion]:
    for first in range(0, deletion.length, LONGEST_DELETION):
        length = min(LONGEST_DELETION, deletion.length - first)
        yield Deletion(deletion.client, deletion.clock + first, length)


def _content(piece: dict[int, list[Part]]) -> bytes:
    data = [uint(len(piece))]
    for client, parts in piece.items():
        data += uint(len(parts)), uint(client), uint(parts[0].clock), *(part.data for part in parts)
    return b"".join(data) + b"\0"


def _deletions(ranges: Sequence[Deletion]) -> bytes:
    clients = [(client, list(group)) for client, group in groupby(ranges, key=lambda deletion: deletion.client)]
    data = [b"\0", uint(len(clients))]
    for client, group in clients:
        data += uint(client), uint(len(group))
        data += (uint(deletion.clock) + uint(deletion.length) for deletion in group)
    return b"".join(data)
