"""The last packets of a stream, for whoever asks for one again."""

from typing import NamedTuple


class Kept(NamedTuple):
    """One packet as its publisher sent it. ``number`` is its extended sequence number."""

    number: int
    timestamp: int
    marker: int
    payload: bytes


class History:
    """A ring of packets. One is found by its extended number until ``size`` newer numbers have come."""

    def __init__(self, size: int) -> None:
        """``size`` is a power of two."""
        self._mask = size - 1
        self._ring: list[Kept | None] = [None] * size

    def add(self, packet: Kept) -> bool:
        """Keep a packet. False for one that is there already, or too old."""
        at = packet.number & self._mask
        there = self._ring[at]
        if there is not None and there.number >= packet.number:
            return False
        self._ring[at] = packet
        return True

    def find(self, number: int) -> Kept | None:
        """The packet with this number, if it is still there."""
        there = self._ring[number & self._mask]
        return there if there is not None and there.number == number else None
