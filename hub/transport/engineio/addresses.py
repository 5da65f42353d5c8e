"""How many connections each address has open."""

from collections.abc import Collection


class Addresses:
    """Counts connections by address, so that one machine cannot take all that there are."""

    def __init__(self, limit: int, uncapped: Collection[str]) -> None:
        self._limit = limit
        self._uncapped = frozenset(uncapped)
        self._open: dict[str, int] = {}

    def enter(self, address: str) -> bool:
        """Count a connection, and say whether the address may have it. Leave when it is gone, in either case."""
        count = self._open[address] = self._open.get(address, 0) + 1
        return count <= self._limit or address in self._uncapped

    def leave(self, address: str) -> None:
        """A connection is gone."""
        count = self._open[address] - 1
        if count:
            self._open[address] = count
        else:
            del self._open[address]
