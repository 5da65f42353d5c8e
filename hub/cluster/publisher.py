"""Publishing to one shard: in order, each event once, nothing given up without a word."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import time
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from hub.cluster.functions import named
from hub.cluster.link import Down, Link, Refused, Reply, Word
from hub.cluster.shard_commands import AGAIN_S, KEPT_EVENTS, KEPT_MS, ShardCommands

log = logging.getLogger(__name__)

MAX_WAITING_BYTES: Final = 32 << 20
"""Of events that wait for Redis. Beyond it the oldest are given up, and the members of their rooms are told."""
EPHEMERAL_BEHIND_BYTES: Final = 1 << 20
"""Behind more than this an ephemeral event would come too late to be of use, and push out kept ones."""
SLOW_S: Final = 0.5
"""What another node may publish too is searched for first when it has waited for longer. The other waits a second."""
MARGIN_S: Final = 2.0
"""By so much further back it is searched for: clocks differ, and that of Redis says how old an event is."""
MAX_BATCH: Final = 200
"""Sent without waiting for the replies."""
MAX_REFUSALS: Final = 20
"""Of one event, for an error that concerns it alone: a second, after which the others have waited long enough."""
SPACING_S: Final = 0.001
"""Between two batches. What comes after a pause goes at once; a stream of events is worth a millisecond of waiting,
since a write for each of them would cost more than all the rest of publishing."""


class Outgoing(NamedTuple):
    """An event to publish to a room. Without an id it is ephemeral: nobody keeps it, and no try is repeated."""

    room: str
    event: bytes
    message_id: str | None
    since_s: float = math.inf
    """Since when another node may have published it, monotonic; ``inf``: none may. See hub.kernel.ports.Rooms.emit."""


def new_message_id() -> str:
    """What a repeated try is recognised by."""
    return os.urandom(12).hex()


class Publisher:
    """A queue to one shard. ``publish`` never blocks and never raises.

    Events of this node arrive in the order of the calls. A kept event whose reply was lost is published again only if
    it is not in its room's stream. If the beginning of that has gone meanwhile, nobody can tell, and it is given up. An
    event that is given up breaks the chain of its room, so that every node, and everybody who resumes, finds that
    something is missing.
    """

    def __init__(self, commands: ShardCommands) -> None:
        self._commands = commands
        self._waiting: deque[Outgoing] = deque()
        self._waiting_bytes = 0
        self._wake = asyncio.Event()
        self._queued = 0
        """Events queued since the start."""
        self._done = 0
        """So many of them, the first, are in Redis or given up."""
        self._waiters: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._broken: set[str] = set()
        """Rooms of which an event was given up, and whose members do not know it yet."""
        self._has_failed = False
        self.given_up = 0
        """Kept events given up, since the start."""

    def publish(self, outgoing: Outgoing) -> None:
        """Queue an event."""
        if outgoing.message_id is None and self._waiting_bytes > EPHEMERAL_BEHIND_BYTES:
            return
        self._waiting.append(outgoing)
        self._waiting_bytes += len(outgoing.event)
        self._queued += 1
        while self._is_full and len(self._waiting) > 1:
            self._give_up(self._take())
        self._wake.set()

    @property
    def _is_full(self) -> bool:
        return self._waiting_bytes > MAX_WAITING_BYTES

    def _take(self) -> Outgoing:
        outgoing = self._waiting.popleft()
        self._waiting_bytes -= len(outgoing.event)
        return outgoing

    async def flushed(self) -> None:
        """Wait until everything that was published so far is in Redis, or given up and its room told.

        What is published meanwhile is not waited for, so it ends also where publishing never does.
        """
        if self._done < self._queued:
            done = asyncio.get_running_loop().create_future()
            self._waiters.append((self._queued, done))
            await done

    async def run(self) -> None:
        """Publish for ever."""
        loop = asyncio.get_running_loop()
        next_at = loop.time()
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._waiting or self._broken:
                    if (early_s := next_at - loop.time()) > 0:
                        await asyncio.sleep(early_s)
                    await self._next()
                    self._wake_waiters()
                    next_at = loop.time() + SPACING_S
        finally:
            self._commands.close()

    def _wake_waiters(self) -> None:
        if self._broken:
            return
        # Between two batches. In the middle of one its own events are older than any that was given up from the queue.
        self._done = self._queued - len(self._waiting)
        while self._waiters and self._waiters[0][0] <= self._done:
            _, done = self._waiters.popleft()
            if not done.done():  # who waited may have been cancelled
                done.set_result(None)

    async def _next(self) -> None:
        batch = [self._take() for _ in range(min(MAX_BATCH, len(self._waiting)))]
        try:
            await self._publish(batch)
        except Exception:  # a bug of ours: the next events must not wait for it, and the members have to be told
            log.exception("events were not published on shard %d", self._commands.index)
            for outgoing in batch:
                self._give_up(outgoing)
            await asyncio.sleep(AGAIN_S)

    async def _publish(self, batch: Sequence[Outgoing]) -> None:
        above = None
        try:
            await self._tell_broken()
            link = await self._commands.link()
            above = self._commands.known
            done = await self._send(link, batch)
        except (Down, Refused) as error:
            self._failed(error)
            done = 0
            await asyncio.sleep(AGAIN_S)
        left = [outgoing for outgoing in batch[done:] if outgoing.message_id is not None]
        for outgoing in left:
            await self._repeat(outgoing, above)

    async def _send(self, link: Link, batch: Sequence[Outgoing]) -> int:
        """Publish at once. Returns how many have arrived; the others may have, in their order."""
        if not batch:
            return 0
        if all(outgoing.message_id is None for outgoing in batch):
            replies: Reply = await link.call_many([self._ephemeral(outgoing) for outgoing in batch])
        else:
            # One call: if Redis refuses an event, its memory being full for a moment, none behind it may overtake it.
            [replies] = await link.call_many([self._call(batch)])
        if isinstance(replies, Exception):
            self._failed(replies)
            return 0
        for done, reply in enumerate(replies):
            if isinstance(reply, Exception):
                self._failed(reply)
                return done
            self._saw(reply)
        return len(batch)

    async def _repeat(self, outgoing: Outgoing, above: int | None) -> None:
        """Publish what may have arrived before, unless it is found above a number that was known before the first try.

        ``None``: there was none.
        """
        refusals = 0
        while True:
            try:
                link = await self._commands.link()
                call = self._call([outgoing], above)
                above = self._commands.known if above is None else above
                [reply] = await link.call(*call)
                if reply is None:
                    self.given_up += 1  # and its room has been told
                self._saw(reply)
            except (Down, Refused) as error:
                self._failed(error)
                refusals += self._commands.may_never_end(error)
                if self._is_full or refusals >= MAX_REFUSALS:
                    self._give_up(outgoing)
                    return
                await asyncio.sleep(AGAIN_S)
            else:
                return

    def _failed(self, error: Exception) -> None:
        level = logging.DEBUG if self._has_failed else logging.WARNING  # there are 20 tries a second
        log.log(level, "an event was not published on shard %d yet: %s", self._commands.index, error)
        self._has_failed = True
        if isinstance(error, Refused):
            self._commands.is_worth_another_try(error)

    def _ephemeral(self, outgoing: Outgoing) -> tuple[Word, ...]:
        """What publishes an event that is not kept."""
        return "SPUBLISH", self._commands.channel(outgoing.room), outgoing.event

    def _call(self, batch: Sequence[Outgoing], above: int | None = None) -> tuple[Word, ...]:
        """What publishes these; with ``above``, unless its room's stream has an event above that number."""
        to, known = self._commands, "" if above is None else above
        keys: list[Word] = [to.head, to.last]
        arguments: list[Word] = [KEPT_EVENTS, KEPT_MS]
        for room, event, message_id, since_s in batch:
            if message_id is None:
                arguments += to.channel(room), event, "", "", "", ""
                continue
            waited_s = time.monotonic() - since_s
            within: Word = round((waited_s + MARGIN_S) * 1000) if waited_s > SLOW_S else ""
            keys.append(to.stream(room))
            arguments += to.channel(room), event, message_id, room, known, within
        return "FCALL", named("sparkle1_publish"), len(keys), *keys, *arguments

    def _saw(self, reply: Reply) -> None:
        self._has_failed = False
        if isinstance(reply, bytes):
            self._commands.saw(int(reply))

    def _give_up(self, outgoing: Outgoing) -> None:
        if outgoing.message_id is not None:
            self.given_up += 1
            self._broken.add(outgoing.room)

    async def _tell_broken(self) -> None:
        if not self._broken:
            return
        # Taken first: an event that is given up meanwhile is one more that has to be told.
        rooms, self._broken = self._broken, set()
        keys = [self._commands.head, self._commands.last]
        places = [word for room in sorted(rooms) for word in (self._commands.channel(room), room)]
        try:
            self._saw(await self._commands.function("sparkle1_give_up", keys, *places))
        except BaseException:
            self._broken |= rooms
            raise
