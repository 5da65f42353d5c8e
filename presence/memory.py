"""Redis may lose what it knew of presence: noticing it, telling it again, and what readers may believe meanwhile."""

import asyncio
from collections.abc import Collection, Sequence
from typing import Protocol

from hub.kernel.errors import Unavailable
from hub.kernel.ids import UserId
from presence.model import Record
from presence.store import PresenceStore

WAIT_S = 5.0
"""Longest wait of a reader. A lost memory is noticed within a sweep of 0.5 s, and told again within two more."""


class Memory(Protocol):
    """Which parts of the users Redis knows all of. A part is whole when every live node has told all that it has of it.

    Until then somebody who is there, or held, may be missing. Methods raise Unavailable if Redis does not answer.
    """

    async def lost(self) -> frozenset[int]:
        """Parts of which Redis has lost what it knew, and was not told by this node since: see :meth:`told`."""
        ...

    async def told(self, parts: Collection[int]) -> None:
        """This node has told all that it has of these. Those that all live nodes have told are whole from now on.

        Call it with every sweep, with no parts too: a node that was waited for may have died.
        """
        ...

    async def whole(self, within_s: float) -> bool:
        """Wait until a sweep finds all parts whole, so long at most. Returns whether one did."""
        ...


class Reading:
    """Reads states of users, once the store knows all of them."""

    def __init__(self, store: PresenceStore, memory: Memory, wait_s: float = WAIT_S) -> None:
        self._store = store
        self._memory = memory
        self._wait_s = wait_s

    async def read(self, user_ids: Sequence[UserId], now_ms: int) -> list[Record]:
        """See PresenceStore.read. While a part of these users is not whole it waits: nobody in there may be missing.

        Raises Unavailable if Redis does not answer, or that takes too long.
        """
        loop = asyncio.get_running_loop()
        until_s = loop.time() + self._wait_s
        while True:
            records, is_whole = await self._store.look(user_ids, now_ms)
            if is_whole:
                return records
            if not await self._memory.whole(until_s - loop.time()):
                raise Unavailable("Presence is being put together again just now. Try again.")
