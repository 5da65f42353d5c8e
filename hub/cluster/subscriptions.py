"""What one link to a shard is subscribed to: asked for in parts, confirmed, and known to be ours when it ends."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

import hiredis

from hub.cluster.link import Down, Link, Refused
from hub.cluster.shard_commands import ShardCommands

AT_ONCE: Final = 500
"""Channels of one command, before the next: of 30 000 at once the confirmations alone would take this node a tenth of a
second."""
CONFIRMED_S: Final = 5.0
"""Longest wait for Redis to confirm them."""


class Subscriptions:
    """To the channel of a node and those of rooms, over whatever link there is."""

    def __init__(self, commands: ShardCommands, node_channel: str) -> None:
        self._commands = commands
        self._node_channel = node_channel
        self.link: Link | None = None
        """The one over which all that there was to subscribe to has been asked for."""
        self.unsubscribed: Counter[str] = Counter()
        """Channels that we left ourselves: Redis Cluster says the same of channels whose slot has moved away."""
        self.unconfirmed: Counter[str] = Counter()
        """Rooms to which the link has not subscribed yet, with how many confirmations are to come: a room may be
        followed, left and followed again before the first. Until the last has come nothing says where it stands."""

    async def begin(self, link: Link, rooms: Collection[str], listener: Callable[[Any], None]) -> None:
        """Subscribe to all ``rooms``, which may change meanwhile, and return when Redis has confirmed it.

        ``listener`` gets the replies from then on; the link is held, with those that came before. Raises Down and
        Refused.
        """
        self.unsubscribed.clear()
        self.unconfirmed.clear()
        confirming = _Confirming(link, listener)
        await confirming.ask([self._node_channel])
        asked: set[str] = set()
        while new := [room for room in rooms if room not in asked]:
            for start in range(0, len(new), AT_ONCE):
                part = new[start : start + AT_ONCE]
                await confirming.ask([self._commands.channel(room) for room in part])
                asked.update(part)
        self.link = link  # from here on add() and remove() speak on it by themselves
        for room in asked.difference(rooms):
            self.remove(room)
        await confirming.finish()

    def end(self) -> None:
        """The link is gone."""
        self.link = None

    def add(self, room: str) -> None:
        """Subscribe to a room. Without a link the next one does it."""
        if self._say("SSUBSCRIBE", room):
            self.unconfirmed[room] += 1

    def remove(self, room: str) -> None:
        """Subscribe to it no more."""
        if self._say("SUNSUBSCRIBE", room):
            self.unsubscribed[self._commands.channel(room)] += 1

    def is_confirmed(self, room: str) -> bool:
        """Whether everything that is published to a room comes, if it was added."""
        return not self.unconfirmed[room]

    def confirmed(self, channel: str) -> str | None:
        """Redis has confirmed a subscription; to which room, if it is one."""
        room = self._commands.room_of(channel)
        if room is not None:
            _count_down(self.unconfirmed, room)
        return room

    def ended(self, channel: str) -> bool:
        """Redis says that a subscription has ended. False: we had not asked for that."""
        return _count_down(self.unsubscribed, channel)

    def _say(self, command: str, room: str) -> bool:
        if self.link is None or self.link.closed:
            return False
        self.link.send(command, self._commands.channel(room))
        return True


class _Confirming:
    """The replies to the first subscriptions of a link. Messages that come between them wait."""

    def __init__(self, link: Link, listener: Callable[[Any], None]) -> None:
        self._link = link
        self._listener = listener
        self._missing: set[str] = set()
        self._early: list[Any] = []
        self._confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._is_last = False
        self._error: Exception | None = None
        link.lost = lambda: self._fail(Down("the link broke"))
        link.listen(self._on_reply)

    async def ask(self, channels: Sequence[str]) -> None:
        """Subscribe to channels."""
        self._missing.update(channels)
        self._confirmed = asyncio.get_running_loop().create_future()
        self._link.send("SSUBSCRIBE", *channels)
        await self._wait()

    async def finish(self) -> None:
        """Hold the link from the last confirmation on, with everything that came before."""
        self._is_last = True
        self._confirmed = asyncio.get_running_loop().create_future()
        self._look()
        await self._wait()
        self._link.put_first(self._early)

    async def _wait(self) -> None:
        if self._error is not None:
            raise self._error
        try:
            async with asyncio.timeout(CONFIRMED_S):
                await self._confirmed
        except TimeoutError:
            raise Down("subscriptions are not confirmed") from None

    def _on_reply(self, reply: Any) -> None:
        if isinstance(reply, hiredis.ReplyError):
            self._fail(Refused(str(reply)))
        elif reply[0] == b"ssubscribe" and (channel := reply[1].decode()) in self._missing:
            self._missing.discard(channel)
            self._look()
        else:
            self._early.append(reply)

    def _look(self) -> None:
        if self._missing or self._confirmed.done():
            return
        if self._is_last:
            self._link.hold()
            self._link.listen(self._listener)
        self._confirmed.set_result(None)

    def _fail(self, error: Exception) -> None:
        self._error = self._error or error
        if not self._confirmed.done():
            self._confirmed.set_exception(error)


def _count_down(counter: Counter[str], name: str) -> bool:
    """One less, and no entry for none: names come and go without end. False if there was none."""
    if name not in counter:
        return False
    counter[name] -= 1
    if not counter[name]:
        del counter[name]
    return True
