"""Hints over Redis pub/sub, a channel for each document, on a connection of their own."""

import asyncio
import logging
import struct
from collections.abc import Callable, Iterable

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisClusterException, RedisError

from collab.log import Row

log = logging.getLogger(__name__)

PREFIX = "hub:collab:"
HEADER = struct.Struct("<QQ")
"""Before the packed updates: stream, number. Before a whisper: NO_STREAM, 0."""
NO_STREAM = 0
"""Streams are numbered from 1."""
CONFIRM_S = 0.5
"""How long to wait for a subscription: a joining client waits too, and the probe finds what was missed."""
POLL_S = 1.0
"""Of the reader, so that redis-py's socket timeout never takes a quiet channel for a dead one."""
PAUSE_S = 0.1
"""Between attempts to reconnect."""
LOST = (RedisError, RedisClusterException, OSError, RuntimeError)  # RuntimeError: uvloop, "the handler is closed"


def _ignore(*_: object) -> None:
    """Until the engine puts its own in place."""


class RedisHints:
    """Implements collab.hints.Hints."""

    def __init__(self, redis: Redis) -> None:
        self.receive: Callable[[Row], None] = _ignore
        self.overhear: Callable[[str, bytes], None] = _ignore
        self.reconnected: Callable[[], None] = _ignore
        self._redis = redis
        self._pubsub: PubSub | None = None
        self._wanted: dict[str, asyncio.Event] = {}
        """Channel → set when Redis has confirmed the subscription."""
        self._some_wanted = asyncio.Event()

    async def run(self) -> None:
        """See collab.hints.Hints. A new connection after each failure, since redis-py's own return is silent."""
        while True:
            await self._some_wanted.wait()
            pubsub = self._redis.pubsub()
            try:
                await self._subscribe_to_all(pubsub)
                self._pubsub = pubsub  # from here on `subscribe` sees to it
                self.reconnected()
                while True:
                    message = await pubsub.get_message(timeout=POLL_S)
                    if message is not None:
                        self._take(message["type"], message["channel"].decode(), message["data"])
            except LOST as error:
                log.warning("subscription to documents lost: %r", error)
            finally:
                self._pubsub = None
                await _close(pubsub)
            for confirmed in self._wanted.values():
                confirmed.clear()
            await asyncio.sleep(PAUSE_S)

    async def _subscribe_to_all(self, pubsub: PubSub) -> None:
        """Returns without having waited since it last looked: what became wanted meanwhile is among it."""
        asked: set[str] = set()
        while missing := self._wanted.keys() - asked:
            await pubsub.subscribe(*missing)
            asked |= missing

    async def subscribe(self, document_id: str) -> None:
        """See collab.hints.Hints."""
        confirmed = self._wanted.setdefault(PREFIX + document_id, asyncio.Event())
        self._some_wanted.set()
        try:
            async with asyncio.timeout(CONFIRM_S):
                if self._pubsub is not None:
                    await self._pubsub.subscribe(PREFIX + document_id)
                await confirmed.wait()
        except (*LOST, TimeoutError):
            log.info("no subscription to document %s yet", document_id)

    async def unsubscribe(self, document_id: str) -> None:
        """See collab.hints.Hints."""
        self._wanted.pop(PREFIX + document_id, None)
        if not self._wanted:
            self._some_wanted.clear()
        try:
            if self._pubsub is not None:
                await self._pubsub.unsubscribe(PREFIX + document_id)
        except LOST:
            log.info("document %s is not unsubscribed", document_id)

    async def publish(self, rows: Iterable[Row]) -> None:
        """See collab.hints.Hints."""
        await self._send((row.document_id, HEADER.pack(row.stream, row.number) + row.data) for row in rows)

    async def whisper(self, messages: Iterable[tuple[str, bytes]]) -> None:
        """See collab.hints.Hints."""
        await self._send((document_id, HEADER.pack(NO_STREAM, 0) + text) for document_id, text in messages)

    async def _send(self, messages: Iterable[tuple[str, bytes]]) -> None:
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for document_id, message in messages:
                    pipeline.execute_command("PUBLISH", PREFIX + document_id, message)
                await pipeline.execute()
        except LOST as error:
            log.info("other nodes were not told of changes or cursors: %r", error)

    def _take(self, kind: str, channel: str, data: bytes | int) -> None:
        if kind == "subscribe" and channel in self._wanted:
            self._wanted[channel].set()
        elif kind == "message" and isinstance(data, bytes) and len(data) > HEADER.size:
            stream, number = HEADER.unpack_from(data)
            document_id, text = channel.removeprefix(PREFIX), data[HEADER.size :]
            if stream == NO_STREAM:
                self.overhear(document_id, text)
            else:
                self.receive(Row(document_id, stream, number, text))


async def _close(pubsub: PubSub) -> None:
    try:
        await pubsub.aclose()  # type: ignore[no-untyped-call]
    except LOST:
        log.debug("a lost subscription could not be closed")
