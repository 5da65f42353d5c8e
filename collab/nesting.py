"""How deep shared types lie in one another, within one update.

Yrs deletes a type and what is in it by recursion, so a chain of types that many small updates build overflows its
stack: some 20,000 levels do with the usual 8 MiB. Only an item that creates a type can make a chain longer.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from collab.decoding import BadUpdate

MAX_NESTING: Final = 10_000
"""Levels that a document may have: a tenth of what a stack of 64 MiB was tested with. Text editors make some ten.

What is counted between two compactions is no more than a bound (see Document.nesting), and grows by two or three with
each paragraph: so the limit has room for thousands of them.
"""


@dataclass(frozen=True, slots=True)
class Item:
    """What one item of an update says about its place."""

    client: int
    clock: int
    end: int
    """The clock past its last unit."""
    reference: tuple[int, int] | None
    """The id of its parent or, if ``inherits``, of a neighbour that has the same parent. None: a named root."""
    inherits: bool
    creates_type: bool


def levels(items: Sequence[Item]) -> int:
    """The longest chain of types in one another that these items create; what they lie in elsewhere is not counted.

    For the items of a whole document that is its depth. Raises BadUpdate if items refer to each other in a circle.
    """
    places = _Places(items)
    inside: dict[int, int] = {}
    """Number of an item → how many types of these items it lies in."""
    deepest = 0
    for number in range(len(items)):
        chain: list[int] = []
        at: int | None = number
        while at is not None and at not in inside:
            inside[at] = -1  # under way
            chain.append(at)
            at = places.find(items[at].reference)
        if at is not None and inside[at] < 0:
            raise BadUpdate("items refer to each other in a circle")
        for member in reversed(chain):
            above = places.find(items[member].reference)
            inside[member] = 0 if above is None else inside[above] + (not items[member].inherits)
        if items[number].creates_type:
            deepest = max(deepest, inside[number] + 1)
    return deepest


class _Places:
    """Finds an item by the id of any of its units."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items
        self._numbers: dict[int, list[int]] = {}
        for number, item in sorted(enumerate(items), key=lambda entry: entry[1].clock):
            self._numbers.setdefault(item.client, []).append(number)
        self._clocks = {
            client: [items[number].clock for number in numbers] for client, numbers in self._numbers.items()
        }

    def find(self, reference: tuple[int, int] | None) -> int | None:
        """The number of the item, unless it lies elsewhere."""
        if reference is None or reference[0] not in self._clocks:
            return None
        place = bisect_right(self._clocks[reference[0]], reference[1]) - 1
        if place < 0:
            return None
        number = self._numbers[reference[0]][place]
        return number if reference[1] < self._items[number].end else None
