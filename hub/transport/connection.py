"""One connection of this node: who it speaks for, its rooms, and its events in the order they came."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hub.kernel.ids import RoomName
from hub.kernel.ports import Admission, Gate
from hub.transport.socketio_server import HubSocketServer

MAX_IN_FLIGHT = 32
"""Events of one connection handled at once. The next one is not read from the socket until one is done, so a client
that sends faster than its handlers work is slowed by TCP and holds no memory here."""


class UnderWay:
    """How much is under way, and its end to wait for."""

    def __init__(self) -> None:
        self._count = 0
        self._nothing = asyncio.Event()
        self._nothing.set()

    def begin(self) -> None:
        """One more."""
        self._count += 1
        self._nothing.clear()

    def end(self) -> None:
        """One less."""
        self._count -= 1
        if not self._count:
            self._nothing.set()

    async def settled(self) -> None:
        """Wait until nothing is under way."""
        await self._nothing.wait()


class Connection:
    """One connection: who it speaks for, its rooms, and what of it is being handled."""

    def __init__(self, server: HubSocketServer, gate: Gate, admission: Admission) -> None:
        self.server = server
        self.gate = gate
        self.caller = admission.caller
        self.expires_at_ms = admission.expires_at_ms
        self.rooms: set[RoomName] = set()
        self.told = False
        """Whether the features have been told of it, and so must be told of its end."""
        self.begun = asyncio.Event()
        """Set once the connect hooks are done: events wait for that."""
        self.in_flight = asyncio.Semaphore(MAX_IN_FLIGHT)
        self.under_way = UnderWay()
        self._tails: dict[str, asyncio.Event] = {}

    @asynccontextmanager
    async def in_order(self, key: str | None) -> AsyncIterator[None]:
        """Wait until every earlier event with the same key has completed. ``None`` waits for nothing."""
        if key is None:
            yield
            return
        before, done = self._tails.get(key), asyncio.Event()
        self._tails[key] = done
        try:
            if before is not None:
                await before.wait()
            yield
        finally:
            done.set()
            if self._tails.get(key) is done:
                del self._tails[key]
