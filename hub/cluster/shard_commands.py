"""What is asked of one shard: its functions, over a link that is attached first."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from hub.cluster.address import RedisAddress
from hub.cluster.chain import Entry
from hub.cluster.functions import SOURCE, named
from hub.cluster.link import Down, Link, Refused, Word
from hub.cluster.servers import Servers

AGAIN_S: Final = 0.05
"""Between two tries."""
READ_LIMIT: Final = 2000
"""Events of one room that are read at once. Whoever has missed more is told."""
KEPT_EVENTS: Final = 10_000
"""Of a room, about: XADD trims whole nodes of the stream."""
KEPT_MS: Final = 5 * 60_000
"""How long a room's events are kept after its last one: more than twice the time in which a client may come back."""

OTHER_SHARDS: Final = "SHARDS"
"""What the error begins with if the events in Redis are on another number of shards, which it says."""
FORGOTTEN: Final = ("NOHEAD", "Function not found", "LOADING")
"""In the errors of a server that lost its data or is reading it: after a new link, and so a new attach, it serves."""
ELSEWHERE: Final = ("MOVED ", "ASK ", "READONLY ", "CLUSTERDOWN ", "MASTERDOWN ")
"""What the errors begin with of a server that does not have the shard, any more or yet: a new link is to the one that
has. ASK is not followed: while a slot moves its keys are in two places, and publishing waits until all are in one."""
WAIT: Final = ("TRYAGAIN ",)
"""The same, of a server that still has some of them."""
ATTACH_S: Final = 2.0
"""Longest way through what comes before the commands. A server that hangs takes connections all the same."""

OF_THE_COMMAND: Final = ("ERR ", "WRONGTYPE ")
"""What errors begin with that concern a command, or its keys, and not the state of the server: it may never end."""


class NotAttached(Refused):
    """The server refused what comes before the commands."""


def ephemeral_by(sender: str) -> bytes:
    """What stands before an event that is not kept: its sender has served its own members with it already."""
    return b"V%b\n" % sender.encode()


@dataclass(frozen=True, slots=True)
class RoomRead:
    """What was read of a room: the number of its last event, and the entries above the number asked for."""

    last: int | None
    """Negative if it is forgotten: it was at most so much. ``None`` if nobody can tell any more."""
    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class ShardRead:
    """What was read of a shard, of one moment."""

    base: int
    head: int
    rooms: Sequence[RoomRead]


class ShardCommands:
    """Commands on one shard. They are repeated until they have run, or the time is up; each may run twice.

    The link is opened when it is needed, and again after it broke.
    """

    def __init__(self, index: int, servers: Servers, *, shards: int = 1, durable: bool = False) -> None:
        """``shards``: how many there are, for all nodes and for ever.

        ``durable``: the server has every write on its disk before it answers, so nothing is lost when it dies.
        """
        self.index = index
        self._shards = shards
        self.tag = f"{{s{index}}}"
        self.head, self.last, self.idle = (f"{self.tag}:{name}" for name in ("head", "last", "idle"))
        self._before_rooms = f"{self.tag}:c:"
        self._servers = servers
        self._durable = durable
        self._link: Link | None = None
        self.known = 0
        """The highest number that the shard is known to have given: no older than the link, or the last marker."""
        self._opening = asyncio.Lock()
        self._before: tuple[bytes, int] | None = None
        """The last link that served: the process at its other end, and its number there."""

    def stream(self, room: str) -> str:
        """The key of a room's events."""
        return f"{self.tag}:x:{room}"

    def channel(self, room: str) -> str:
        """Where a room's events are published."""
        return self._before_rooms + room

    def node_channel(self, node_id: str) -> str:
        """Where a node gets what is for it alone."""
        return f"{self.tag}:n:{node_id}"

    def room_of(self, channel: str) -> str | None:
        """The room of a channel; ``None`` for a node's."""
        before = self._before_rooms
        return channel[len(before) :] if channel.startswith(before) else None

    async def locate(self) -> RedisAddress:
        """The server that has the shard. Raises Down."""
        return await self._servers.locate(self.tag)

    async def link(self) -> Link:
        """The link, attached. Raises Down or Refused."""
        if self._link is None or self._link.closed:
            async with self._opening:
                if self._link is None or self._link.closed:
                    self._link = await self._attached()
        return self._link

    async def _attached(self) -> Link:
        link = await Link.open(await self.locate())
        try:
            async with asyncio.timeout(ATTACH_S):
                await self._attach(link)
        except Refused as error:
            link.close()
            raise NotAttached(str(error)) from None
        except TimeoutError:
            link.close()
            raise Down("the server does not answer") from None
        except BaseException:
            link.close()
            raise
        return link

    async def _attach(self, link: Link) -> None:
        """Before anything else on a connection: does this server still hold the epoch that is known?"""
        info: bytes = await link.call("INFO", "server")
        run = next(line.partition(b":")[2].strip() for line in info.splitlines() if line.startswith(b"run_id:"))
        if self._before is not None and self._before[0] == run:
            # TCP goes on sending what was written to a link that is closed here. What arrived after it was repeated
            # over this link would run once more, so Redis must not listen to that link any more.
            await link.call("CLIENT", "KILL", "ID", self._before[1])
        arguments = (run, int(self._durable), self._shards)
        attach: tuple[Word, ...] = ("FCALL", named("sparkle1_attach"), 1, self.head, *arguments)
        try:
            _, head = await link.call(*attach)
        except Refused as error:
            if "not found" not in str(error):
                raise
            await link.call("FUNCTION", "LOAD", "REPLACE", SOURCE)
            _, head = await link.call(*attach)
        self.saw(int(head))
        self._before = run, int(await link.call("CLIENT", "ID"))

    async def function(self, name: str, keys: Sequence[str], *arguments: Word, within_s: float = 5.0) -> Any:
        """The reply of a function that may run twice, by its name in the file. Raises Refused, and Down in the end."""
        loop = asyncio.get_running_loop()
        end = loop.time() + within_s
        while True:
            try:
                return await (await self.link()).call("FCALL", named(name), len(keys), *keys, *arguments)
            except Refused as error:
                if not self.is_worth_another_try(error) or loop.time() > end:
                    raise
            except Down:
                if loop.time() > end:
                    raise
            await asyncio.sleep(AGAIN_S)

    def is_worth_another_try(self, error: Refused) -> bool:
        """Whether this is no answer yet: the server has lost or is reading its data, or another has the shard."""
        if any(word in str(error) for word in FORGOTTEN) or str(error).startswith(ELSEWHERE):
            self.close()
            return True
        return str(error).startswith(WAIT)

    def may_never_end(self, error: Exception) -> bool:
        """Whether it is an error of the command itself, which is the same at every try."""
        return (
            isinstance(error, Refused)
            and not isinstance(error, NotAttached)
            and str(error).startswith(OF_THE_COMMAND)
            and not any(word in str(error) for word in FORGOTTEN)
        )

    def saw(self, number: int) -> None:
        """The shard has given a number."""
        self.known = max(self.known, number)

    def close(self) -> None:
        """Close the link; the next command opens another."""
        if self._link is not None:
            self._link.close()

    async def mark(self, node_id: str, token: str, rooms: Sequence[str] = (), within_s: float = 5.0) -> int:
        """Have a marker sent to a node's channel, in the order of the messages. Returns the head at that moment."""
        keys = [self.head, self.last, self.idle]
        _, head = await self.function(
            "sparkle1_mark", keys, self.node_channel(node_id), token, *rooms, within_s=within_s
        )
        self.saw(int(head))
        return int(head)

    async def read_part(self, wanted: Sequence[tuple[str, int | None]], most: int, upto: int | None) -> ShardRead:
        """Rooms, each with the number above which its events are wanted, ``None`` for only where it stands.

        As of the moment when ``upto`` was the last number, if one is given. With ``most`` entries it ends, perhaps not
        with the last one of its last room.
        """
        keys = [self.head, self.last, *(self.stream(room) for room, _ in wanted)]
        asked = itertools.chain.from_iterable((room, "" if above is None else above) for room, above in wanted)
        base, head, *rooms = await self.function("sparkle1_read_part", keys, most, "" if upto is None else upto, *asked)
        return ShardRead(int(base), int(head), [_room_read(last, found) for last, found in rooms])


def _room_read(last: bytes | None, found: Sequence[tuple[bytes, Sequence[bytes]]]) -> RoomRead:
    return RoomRead(None if last is None else int(last), _entries(found) if found else ())


def _entries(found: Sequence[tuple[bytes, Sequence[bytes]]]) -> list[Entry]:
    """``e`` the event, ``v`` the number before it, ``m`` the id of its message, in this order."""
    return [Entry(int(id.partition(b"-")[0]), int(fields[3]), fields[1]) for id, fields in found]
