"""What keeps strangers from wearing out the chain's node: a limit for each address, and answers that many share."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from core_api.chain.settings import ChainSettings
from hub.kernel.addresses import counted
from hub.kernel.errors import HubError
from hub.kernel.http import Client
from hub.kernel.limits import Limit
from hub.kernel.ports import RateLimiter

T = TypeVar("T")


class ReadLimit:
    """How often one address may have the chain's node asked."""

    def __init__(self, limiter: RateLimiter, settings: ChainSettings) -> None:
        self._limiter = limiter
        self.limit = Limit.a_minute(settings.reads_per_minute)
        """Of one address and one kind of read at the door, and of all kinds together here."""

    async def take(self, client: Client) -> None:
        """Count a read. Raises RateLimited."""
        key = f"chain:read:{counted(client.address)}"
        await self._limiter.take(key, per_minute=self.limit.per_minute, burst=self.limit.burst)


class Shared(Generic[T]):
    """A read whose answer, or error, is given to everybody for ``life_s``; one asks, and the others wait for it."""

    def __init__(self, read: Callable[[], Awaitable[T]], *, life_s: float) -> None:
        self._read = read
        self._life_s = life_s
        self._asking = asyncio.Lock()
        self._answer: T | HubError | None = None
        self._until = 0.0

    async def get(self) -> T:
        """The answer, ``life_s`` old at most. Raises what the read raised."""
        async with self._asking:
            answer = self._answer
            if answer is None or time.monotonic() >= self._until:
                try:
                    answer = await self._read()
                except HubError as error:  # kept as well: a node that does not answer is not to be asked by each anew
                    answer = error
                self._answer, self._until = answer, time.monotonic() + self._life_s
        if isinstance(answer, HubError):
            raise answer.with_traceback(None)  # it would grow with each who gets it
        return answer
