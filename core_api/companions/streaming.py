"""Text as it is generated: read without waiting for those who are told, told in few pieces, stopped when asked."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Literal

Tell = Callable[[str], Awaitable[None]]


class TooLong(Exception):
    """The text did not end within the limit of its generation."""


class Generation:
    """One run of something that generates text. Use it once, on the event loop that made it."""

    def __init__(self, *, limit_s: float, tell_every_s: float) -> None:
        self._limit_s = limit_s
        self._tell_every_s = tell_every_s
        self._parts: list[str] = []
        self._deadline: asyncio.Timeout | None = None
        self._changed = asyncio.Event()
        self._ended = asyncio.Event()
        self.stopped: Literal["cancelled", "failed"] | None = None
        """How it was stopped, if it was."""

    @property
    def text(self) -> str:
        """What has come so far."""
        return "".join(self._parts)

    def stop(self, ending: Literal["cancelled", "failed"]) -> None:
        """End it with the text so far; also before it has begun. The first call counts."""
        if self.stopped is None and not self._ended.is_set():
            self.stopped = ending
            if self._deadline is not None and not self._deadline.expired():
                self._deadline.reschedule(0)

    async def run(self, chunks: AsyncGenerator[str, None], tell: Tell) -> None:
        """Read ``chunks`` to their end, to the limit or until stopped, and close them.

        ``tell`` is called with all that came since the last call: at once for the first chunk, then at most once in
        ``tell_every_s``, and it has been told everything when this returns or raises. Raises TooLong past the limit,
        and whatever ``chunks`` raise; nothing once it was stopped.
        """
        # Both to their ends: what came before a failure is told all the same.
        for failure in await asyncio.gather(self._read(chunks), self._tell(tell), return_exceptions=True):
            if failure is not None:
                raise failure

    async def _read(self, chunks: AsyncGenerator[str, None]) -> None:
        try:
            async with asyncio.timeout(self._limit_s) as self._deadline, aclosing(chunks):
                if self.stopped is None:
                    async for chunk in chunks:
                        self._parts.append(chunk)
                        self._changed.set()
        except Exception as error:
            if self.stopped is not None:
                return
            # Not every TimeoutError is the limit's: the database has its own.
            if self._deadline is not None and self._deadline.expired():
                raise TooLong from error
            raise
        finally:
            self._ended.set()
            self._changed.set()

    async def _tell(self, tell: Tell) -> None:
        told = 0
        while not self._ended.is_set() or told < len(self._parts):
            await self._changed.wait()
            self._changed.clear()
            piece, told = "".join(self._parts[told:]), len(self._parts)
            if piece:
                await tell(piece)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._tell_every_s):
                        await self._ended.wait()  # the rest is told at once
