"""How much GraphQL a node does at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hub.kernel.errors import Overloaded


class Slot:
    """The right to work, as one operation has it."""

    def __init__(self, free: asyncio.Semaphore) -> None:
        self._free = free
        self._held = False
        self._lenders = 0

    async def take(self) -> None:
        """Wait for the right."""
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
    """At most ``running`` at work, at most ``admitted`` at work or waiting. Fair: first come, first served."""

    def __init__(self, running: int, admitted: int) -> None:
        self._free = asyncio.Semaphore(running)
        self._left = admitted

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
        """The same for one event of a subscription: it waits however many are there. Its feed is what is bounded."""
        async with self._free:
            yield
