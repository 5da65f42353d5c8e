"""What an update brings, what it builds on, and how much work it is."""

from collections.abc import Sequence

import msgspec

from collab.pieces import LONGEST_DELETION, PIECE
from collab.state_vector import Clocks


class Update(msgspec.Struct):
    """What an update brings, and what it builds on."""

    brings: list[tuple[int, int, int]] = []
    """(client, first clock, clock past the last): new content."""
    needs: list[tuple[int, int]] = []
    """(client, clock) of neighbours and parents that the content refers to."""
    deletes: list[tuple[int, int]] = []
    """(client, clock past the last) of what it deletes."""
    skips: bool = False
    """It says itself that it leaves something out."""
    structs: int = 0
    """Items and other parts that its content consists of."""
    ranges: int = 0
    """Ranges of what it deletes."""
    deleted: int = 0
    """Units in them."""
    levels: int = 0
    """The longest chain of shared types in one another that it creates."""
    pieces: Sequence[bytes] | None = None
    """What it was cut into, unless it is small."""

    @property
    def small(self) -> bool:
        """Whether Yrs takes it in at once, in a few ms at most."""
        return self.structs + self.ranges <= PIECE and self.deleted <= LONGEST_DELETION

    @property
    def empty(self) -> bool:
        """Whether it changes no document at all: what clients send that have nothing to send."""
        return not (self.brings or self.deletes or self.skips)

    def gap(self, clocks: Clocks) -> bool:
        """Whether a document with these clocks lacks something that this builds on."""
        if self.skips:
            return True
        after: Clocks = {}
        for client, first, end in self.brings:
            have = after.get(client) or clocks.get(client, 0)
            if first > have:
                return True
            after[client] = max(end, have)
        for client, clock in self.needs:
            if clock >= (after.get(client) or clocks.get(client, 0)):
                return True
        return any(end > (after.get(client) or clocks.get(client, 0)) for client, end in self.deletes)

    def has_news(self, clocks: Clocks) -> bool:
        """Whether it brings content that a document with these clocks lacks."""
        return any(end > clocks.get(client, 0) for client, _, end in self.brings)

    def advance(self, clocks: Clocks) -> bool:
        """Count the new content in ``clocks``.

        Returns whether there was the beginning of what one client did, and not its end.
        """
        partly_known = False
        for client, first, end in self.brings:
            have = clocks.get(client, 0)
            if end > have:
                partly_known = partly_known or first < have
                clocks[client] = end
        return partly_known
