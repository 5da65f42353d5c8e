"""Hints over Redis pub/sub, a channel for each document, on two links of their own: one to speak, one to listen.

redis-py takes 0.1 to 0.2 ms of CPU for each message in either direction, which was a fifth of what a change cost.
"""

import asyncio
import logging
import struct
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Protocol

from collab.log import Row

log = logging.getLogger(__name__)

PREFIX = "hub:collab:"
HEADER = struct.Struct("<QQ")
"""Before the packed updates: stream, number. Before a whisper: NO_STREAM, 0."""
NO_STREAM = 0
"""Streams are numbered from 1."""
CONFIRM_S = 0.5
"""How long to wait for a subscription: a joining client waits too, and the probe finds what was missed."""
PAUSE_S = 0.1
"""Between attempts to reconnect."""
AT_ONCE = 500
"""Channels of one command."""
LOST = (OSError, RuntimeError)  # RuntimeError: uvloop, "the handler is closed"


class RedisLink(Protocol):
    """A connection to Redis that repeats nothing and does not come back by itself. Implemented in hub.cluster.link."""

    lost: Callable[[], None] | None
    """Called once, when the connection is gone."""

    @property
    def is_closed(self) -> bool:
        """Whether it is."""
        ...

    def send(self, *command: bytes | str | int) -> None:
        """Write a command whose reply is a message. Raises OSError."""
        ...

    def call_many(self, commands: Sequence[tuple[bytes | str | int, ...]]) -> asyncio.Future[list[Any]]:
        """The replies to commands, to come. Raises OSError."""
        ...

    def listen(self, listener: Callable[[Any], None]) -> None:
        """Hand over all that comes from now on."""
        ...

    def close(self) -> None:
        """Close it. Idempotent."""
        ...


def _ignore(*_: object) -> None:
    """Until the engine puts its own in place."""


class RedisHints:
    """Implements collab.hints.Hints."""

    def __init__(self, open_link: Callable[[], Awaitable[RedisLink]]) -> None:
        """``open_link`` raises OSError."""
        self.receive: Callable[[Row], None] = _ignore
        self.overhear: Callable[[str, bytes], None] = _ignore
        self.reconnected: Callable[[], None] = _ignore
        self._open_link = open_link
        self._opening = asyncio.Lock()
        self._is_over = False
        self._speaking: RedisLink | None = None
        self._listening: RedisLink | None = None
        self._wanted: dict[str, asyncio.Event] = {}
        """Channel → set when Redis has confirmed the subscription."""
        self._some_wanted = asyncio.Event()
        self._last_asked = ""
        """The channel whose confirmation ends those of a new link."""

    async def run(self) -> None:
        """See collab.hints.Hints."""
        while True:
            await self._some_wanted.wait()
            try:
                await self._listen()
            except LOST as error:
                log.debug("no subscription to documents: %r", error)
            log.warning("subscription to documents lost")
            for confirmed in self._wanted.values():
                confirmed.clear()
            await asyncio.sleep(PAUSE_S)

    async def close(self) -> None:
        """Speak no more, and open no other link to it. The link that listens is closed with :meth:`run`."""
        self._is_over = True
        async with self._opening:
            if self._speaking is not None:
                self._speaking.close()

    async def _listen(self) -> None:
        """Until the link is gone. Raises OSError if there is none."""
        link = await self._open_link()
        gone = asyncio.Event()
        link.lost = gone.set
        try:
            link.listen(self._take)
            self._listening = link  # from here on `subscribe` sees to it, and what became wanted before is among these
            channels = list(self._wanted)
            self._last_asked = channels[-1] if channels else ""
            for first in range(0, len(channels), AT_ONCE):
                link.send("SUBSCRIBE", *channels[first : first + AT_ONCE])
            await gone.wait()
        finally:
            self._listening = None
            link.close()

    async def subscribe(self, document_id: str) -> None:
        """See collab.hints.Hints."""
        channel = PREFIX + document_id
        confirmed = self._wanted.setdefault(channel, asyncio.Event())
        self._some_wanted.set()
        self._tell("SUBSCRIBE", channel)
        try:
            async with asyncio.timeout(CONFIRM_S):
                await confirmed.wait()
        except TimeoutError:
            log.info("no subscription to document %s yet", document_id)

    async def unsubscribe(self, document_id: str) -> None:
        """See collab.hints.Hints."""
        self._wanted.pop(PREFIX + document_id, None)
        if not self._wanted:
            self._some_wanted.clear()
        self._tell("UNSUBSCRIBE", PREFIX + document_id)

    def _tell(self, command: str, channel: str) -> None:
        if self._listening is not None:
            try:
                self._listening.send(command, channel)
            except LOST:
                log.info("%s %s comes with the next link", command, channel)

    async def publish(self, rows: Iterable[Row]) -> None:
        """See collab.hints.Hints."""
        await self._send((row.document_id, HEADER.pack(row.stream, row.number) + row.data) for row in rows)

    async def whisper(self, messages: Iterable[tuple[str, bytes]]) -> None:
        """See collab.hints.Hints."""
        await self._send((document_id, HEADER.pack(NO_STREAM, 0) + text) for document_id, text in messages)

    async def _send(self, messages: Iterable[tuple[str, bytes]]) -> None:
        commands = [("PUBLISH", PREFIX + document_id, message) for document_id, message in messages]
        try:
            replies = await (await self._speaker()).call_many(commands)
        except LOST as error:
            log.info("other nodes were not told of changes or cursors: %r", error)
            return
        if refused := [reply for reply in replies if isinstance(reply, Exception)]:
            log.warning("Redis publishes no changes or cursors: %s", refused[0])

    async def _speaker(self) -> RedisLink:
        async with self._opening:
            if self._speaking is None or self._speaking.is_closed:
                if self._is_over:
                    raise ConnectionError("closed")
                self._speaking = await self._open_link()
            return self._speaking

    def _take(self, reply: Any) -> None:
        if not isinstance(reply, list):
            log.warning("Redis refuses a subscription to documents: %s", reply)
            return
        kind, channel, data = reply
        name = channel.decode()
        if kind == b"message":
            if len(data) <= HEADER.size:
                return
            stream, number = HEADER.unpack_from(data)
            document_id, text = name[len(PREFIX) :], data[HEADER.size :]
            if stream == NO_STREAM:
                self.overhear(document_id, text)
            else:
                self.receive(Row(document_id, stream, number, text))
        elif kind == b"subscribe" and name in self._wanted:
            self._wanted[name].set()
            if name == self._last_asked:
                self._last_asked = ""
                self.reconnected()
