"""One connection to Redis, with no hidden reconnect and no hidden retry: either would break exactness without a word.

redis-py repeats a command whose connection broke, and subscribes anew without saying that messages are missing. So the
path of events has this link, and redis-py serves everything else.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

import hiredis

from hub.cluster.address import RedisAddress

ANSWER_S: Final = 5.0
"""Longest wait for a reply. Replies are matched by their order, so after one that is late the link is of no use."""
LOOK_S: Final = 1.0
"""Between two looks at how long the oldest command waits: one timer for a link, and not one for each command."""

Word = bytes | str | int
Reply = Any
"""bytes, int, ``None``, or a list of them."""


class Down(ConnectionError):
    """The connection is gone. Whether the command ran is unknown."""


class Refused(Exception):
    """Redis answered with an error."""


class Batch:
    """Commands that were written together, and the replies that have come."""

    __slots__ = ("_missing", "_replies", "began", "done")

    def __init__(self, commands: int, done: asyncio.Future[list[Reply]], began: float) -> None:
        self._missing = commands
        self._replies: list[Reply] = []
        self.done = done
        self.began = began

    def take(self, reply: Reply) -> None:
        """One more reply; with the last one it is done."""
        self._replies.append(reply)
        self._missing -= 1
        if not self._missing and not self.done.done():  # else whoever asked has given up
            self.done.set_result(self._replies)


class Link(asyncio.Protocol):
    """A connection: commands and their replies in one order or, once :meth:`listen` was called, messages.

    Once closed it stays closed.
    """

    def __init__(self) -> None:
        self._reader = hiredis.Reader(notEnoughData=_NOTHING)
        self._transport: asyncio.Transport | None = None
        self._unsent: list[bytes] = []
        """Commands of this turn of the loop."""
        self._waiting: deque[Batch] = deque()
        """For each reply to come, the batch that it belongs to."""
        self._watch: asyncio.TimerHandle | None = None
        self._listener: Callable[[Reply], None] | None = None
        self._kept: deque[Reply] | None = None
        """Messages that came while the link is held."""
        self.closed = False
        self.lost: Callable[[], None] | None = None
        """Called once, when the connection has gone, in either way."""

    @classmethod
    async def open(cls, address: RedisAddress) -> Link:
        """A new connection, authenticated. Raises Down or Refused."""
        link = cls()
        try:
            async with asyncio.timeout(ANSWER_S):
                link._transport = await address.connect(lambda: link)
                for command in address.greetings:
                    await link.call(*command)
        except OSError as error:  # timeouts too
            link.close()
            raise Down(f"no connection to Redis: {error!r}") from None
        except BaseException:
            link.close()
            raise
        return link

    def send(self, *command: Word) -> None:
        """Write a command whose reply is a message. Raises Down."""
        if self.closed or self._transport is None:
            raise Down("the link to Redis is closed")
        self._write(hiredis.pack_command(command))  # type: ignore[arg-type] # any number of them

    async def call(self, *command: Word) -> Reply:
        """The reply to a command. Raises Down, or Refused with what Redis says."""
        [reply] = await self.call_many([command])
        if isinstance(reply, Exception):
            raise reply
        return reply

    def call_many(self, commands: Sequence[tuple[Word, ...]]) -> asyncio.Future[list[Reply]]:
        """The replies to commands that are written at once, to come: for each a value, Refused, or Down.

        More may be called meanwhile. Raises Down if the link is closed already.
        """
        if self.closed or self._transport is None:
            raise Down("the link to Redis is closed")
        loop = asyncio.get_running_loop()
        # Before anything is expected: what cannot be written has no reply, and would shift those of all others.
        packed = b"".join(map(hiredis.pack_command, commands))  # type: ignore[arg-type] # of any length
        batch = Batch(len(commands), loop.create_future(), loop.time())
        if not commands:
            batch.done.set_result([])
        self._waiting.extend([batch] * len(commands))
        self._write(packed)
        if self._watch is None:
            self._watch = loop.call_later(LOOK_S, self._look)
        return batch.done

    def _write(self, packed: bytes) -> None:
        """Write with all else that is written in this turn of the loop.

        Those who are woken up by the same reply go on in the same turn. A system call for each of them, which uvloop
        makes at once, takes longer than making the command and reading its reply.
        """
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._flush)
        self._unsent.append(packed)

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, []
        if not self.closed and self._transport is not None:
            self._transport.write(b"".join(unsent))

    def _look(self) -> None:
        loop, self._watch = asyncio.get_running_loop(), None
        if self._waiting and loop.time() - self._waiting[0].began > ANSWER_S:
            self.close()
        elif self._waiting:
            self._watch = loop.call_later(LOOK_S, self._look)

    # ---------------------------------------------------------------- messages

    def listen(self, listener: Callable[[Reply], None]) -> None:
        """Hand every reply from now on to ``listener``, also errors: the link is for subscriptions. In their order."""
        self._listener = listener

    def hold(self) -> None:
        """Hand over no message until :meth:`release`. Redis is slowed by TCP meanwhile."""
        if self._kept is None and self._transport is not None:
            self._kept = deque()
            self._transport.pause_reading()

    def put_first(self, messages: Collection[Reply]) -> None:
        """Have these handed over before all that wait. The link must be held."""
        if self._kept is None:
            raise RuntimeError("the link is not held")
        self._kept.extendleft(reversed(list(messages)))

    def release(self) -> None:
        """Go on, with what has come meanwhile first. A listener may hold the link again."""
        kept, self._kept = self._kept or deque(), None
        while kept and not self.closed:
            self._take(kept.popleft())
            if self._is_held:
                self.put_first(kept)
                return
        if not self.closed and self._transport is not None:
            self._transport.resume_reading()

    @property
    def _is_held(self) -> bool:
        return self._kept is not None

    # ---------------------------------------------------------------- the connection

    @property
    def is_closed(self) -> bool:
        """Whether it is over."""
        return self.closed

    def close(self) -> None:
        """Close it now. What was not answered stays unknown."""
        if self._transport is not None:
            self._transport.abort()
        self._gone()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._reader.feed(data)
        try:
            while not self.closed and (reply := self._reader.gets()) is not _NOTHING:
                self._take(reply)
        except hiredis.ProtocolError:
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._gone()

    def _take(self, reply: Reply) -> None:
        if self._listener is not None:
            if self._kept is None:
                self._listener(reply)
            else:
                self._kept.append(reply)
            return
        self._waiting.popleft().take(Refused(str(reply)) if isinstance(reply, hiredis.ReplyError) else reply)

    def _gone(self) -> None:
        if self.closed:
            return
        self.closed = True
        if self._watch is not None:
            self._watch.cancel()
        while self._waiting:
            self._waiting.popleft().take(Down("the link to Redis broke"))
        if self.lost is not None:
            self.lost()


_NOTHING: Final = object()
