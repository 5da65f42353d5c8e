"""What this node has told of calls: it is owed no more as soon as Redis has the events, and not before."""

from collections.abc import Iterable

from hub.kernel.ports import Rooms
from signaling.call.outcome import Owing
from signaling.store import CallStore


class Told:
    """Takes changes off what is owed, many at a time: a round trip for each would cost as much as the change.

    A node that dies before leaves them to the relays of the others, which publish nothing that was published.
    """

    def __init__(self, store: CallStore, rooms: Rooms) -> None:
        self._store = store
        self._rooms = rooms
        self._waiting: set[Owing] = set()

    def add(self, owed: Iterable[Owing]) -> None:
        """These were told just now, or need not be."""
        self._waiting.update(owed)

    def __contains__(self, owing: Owing) -> bool:
        """Whether this node has told of it, and has not said so yet."""
        return owing in self._waiting

    async def settle(self) -> None:
        """Have what was told so far owed no more. Raises Unavailable; then the next call goes on with it."""
        told = frozenset(self._waiting)
        if told:
            await self._rooms.flushed()
            await self._store.told(told)
            self._waiting -= told
