"""How much GraphQL a node does at once, and for whom."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from hub.kernel.errors import Overloaded
from hub.kernel.ids import UserId


class Slot:
    """The right to work, as one operation has it."""

    def __init__(self, free: asyncio.Semaphore) -> None:
        self._free = free
        self._taking = asyncio.Lock()
        self._held = False
        self._lenders = 0

    async def take(self) -> None:
        """Wait for the right. Idempotent."""
        async with self._taking:  # of two fields that come back, one takes it for both
            if not self._held:
                await self._free.acquire()
                self._held = True

    def give_back(self) -> None:
        """Idempotent."""
        if self._held:
            self._held = False
            self._free.release()

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[None]:
        """Let others work while waiting for something slow; several fields of an operation may do so at once.

        Four people who talk to companions would otherwise keep everybody else from reading posts.
        """
        self._lenders += 1
        self.give_back()
        try:
            yield
        finally:
            self._lenders -= 1
        # Not after an error: there is little left to do then, and a cancelled task must not wait.
        if self._lenders == 0:
            await self.take()


class Slots:
    """At most ``running`` at work, at most ``admitted`` at work or waiting. Fair: first come, first served.

    Events of subscriptions have ``events`` slots of their own: a post that thousands are told of has as many checks
    to make, and whoever reads would wait behind all of them.
    """

    def __init__(self, running: int, admitted: int, events: int) -> None:
        self._free = asyncio.Semaphore(running)
        self._left = admitted
        self._events = asyncio.Semaphore(events)

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[Slot]:
        """Work inside a slot. Raises Overloaded at once if as many as are admitted are here already."""
        if self._left == 0:
            raise Overloaded("As many GraphQL operations as this node takes are under way.", retry_after=1)
        self._left -= 1
        slot = Slot(self._free)
        try:
            await slot.take()
            yield slot
        finally:
            slot.give_back()
            self._left += 1

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Work for an event. It waits, however many are there: what is bounded is the feed behind it."""
        async with self._events:
            yield


class Seats:
    """At most ``each`` connections of one person, and ``strangers`` of all who are not signed in.

    Strangers can be counted by nothing else: behind a proxy all have one address.
    """

    def __init__(self, each: int, strangers: int) -> None:
        self._each = each
        self._strangers = strangers
        self._taken: Counter[UserId | None] = Counter()

    @contextmanager
    def taken(self, user_id: UserId | None) -> Iterator[None]:
        """Be connected; ``None`` is a stranger. Raises Overloaded."""
        if self._taken[user_id] >= (self._strangers if user_id is None else self._each):
            raise Overloaded("There are too many connections of this kind.", retry_after=5)
        self._taken[user_id] += 1
        try:
            yield
        finally:
            self._taken[user_id] -= 1
            if not self._taken[user_id]:
                del self._taken[user_id]
