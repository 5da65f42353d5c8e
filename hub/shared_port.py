"""The port that nodes share: a node that has gone deaf leaves it to the others, with its clients.

Readiness alone diverts nobody from a port that the kernel shares out (SO_REUSEPORT): closing the listener does.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

log = logging.getLogger(__name__)

LOOK_S: Final = 0.25
CERTAIN: Final = 2
"""Looks in a row that have to agree: a node that was stopped for a while hears again a moment after it goes on."""


class Listener(Protocol):
    """What listens on the port."""

    def close(self) -> None:
        """Listen no more. Connections stay."""
        ...


class SharedPort:
    """Listens while this node hears the others. If nobody hears anything, it stays: a deaf node is better than none.

    Its clients are sent away when it goes, and have on another node what they have missed.
    """

    def __init__(
        self,
        listen: Callable[[], Awaitable[Listener]],
        *,
        hears: Callable[[], bool],
        has_ready_peer: Callable[[], Awaitable[bool]],
        send_away: Callable[[], Awaitable[None]],
    ) -> None:
        self._listen = listen
        self._hears = hears
        self._has_ready_peer = has_ready_peer
        self._send_away = send_away
        self._listener: Listener | None = None
        self._differs = 0
        """Looks in a row that spoke for the other state."""

    @property
    def is_open(self) -> bool:
        """Whether it listens."""
        return self._listener is not None

    async def open(self) -> None:
        """Listen. Raises OSError."""
        self._listener = await self._listen()

    def close(self) -> None:
        """Listen no more. Harmless if it does not."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    async def watch(self) -> None:
        """Open and close it as it should be, for ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
            except OSError as error:
                log.warning("the shared port cannot be listened on: %s", error)

    async def look(self) -> None:
        """Look once. Raises OSError when it should listen and cannot."""
        self._differs = 0 if self._hears() is self.is_open else self._differs + 1
        if self._differs < CERTAIN:
            return
        if not self.is_open:
            await self.open()
            log.info("this node hears the others again, and takes clients")
        elif await self._has_ready_peer() and not self._hears():
            log.warning("this node does not hear the others: it leaves the shared port and its clients to them")
            self.close()
            await self._send_away()
