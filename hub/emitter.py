"""Pushing into the hub from other programs: what they emit is kept, ordered and recovered like the hub's own events.

For workers and scripts that see the hub's Redis and no node::

    async with Emitter("redis://localhost") as emitter:
        emitter.emit("content:42", "content:updated", {"contentId": "42"})

Whoever can write to Redis can do all of this: nothing here asks who may. Servers of Node are reached by
:class:`NodeEmitter`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import msgspec
from redis.asyncio import Redis

from hub.cluster.link import Down, Link, Refused
from hub.cluster.outlet import Outlet
from hub.cluster.servers import Servers, servers_of
from hub.cluster.shard_commands import ShardCommands
from hub.kernel.delivery import Delivery
from hub.kernel.errors import Unavailable
from hub.kernel.ids import RoomName, new_ulid
from hub.kernel.tasks import Tasks

_write = msgspec.json.Encoder().encode


class Emitter:
    """Emits into the rooms of a hub: ``user:{id}``, ``session:{id}``, ``room:{id}``, ``content:{id}``, ``doc:{id}``, …

    Nothing waits for Redis but :meth:`flushed`, and the end of the ``async with``. What is emitted goes in the order of
    the calls. While Redis is away it waits, 32 MiB of it; what has to be given up then is found missing by every node,
    and told to the members of its room.
    """

    def __init__(self, redis_url: str) -> None:
        """``redis_url`` is the hub's REDIS_URL. Raises ValueError for what is none."""
        self._servers = servers_of(redis_url)
        self._tasks = Tasks()
        self._commands: list[ShardCommands] = []
        self._outlet: Outlet | None = None

    async def __aenter__(self) -> Self:
        """Raises Unavailable if Redis does not answer, or no hub has used it yet."""
        shards = await _shards(self._servers)
        self._commands = [ShardCommands(index, self._servers, shards=shards) for index in range(shards)]
        self._outlet = Outlet(self._commands, f"emitter {new_ulid()}")
        self._outlet.start(self._tasks)
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self.flushed()
        finally:
            await self._tasks.close()
            for commands in self._commands:
                commands.close()

    def emit(self, rooms: str | Iterable[str], event: str, payload: Any, *, volatile: bool = False) -> None:
        """Send an event to everybody in any of these rooms, once each.

        ``payload`` is what msgspec writes as JSON, or has bytes in it, which arrive as binary. ``volatile`` is for what
        is worth nothing later: it is not kept, and dropped for those that do not keep up. Raises TypeError for a
        payload that cannot be sent.
        """
        names = [RoomName(room) for room in ([rooms] if isinstance(rooms, str) else rooms)]
        plain = msgspec.to_builtins(payload, builtin_types=(bytes,))
        text = None if _has_bytes(plain) else _write(plain)
        self._started().emit(Delivery(names, event, text, plain if text is None else None, volatile=volatile))

    def evict(self, room: str, *, of: str) -> None:
        """Take every connection that is in ``of`` out of ``room``, on every node."""
        self._started().command(RoomName(room), "evict", of)

    def disconnect(self, room: str, event: str | None = None, payload: Any = None) -> None:
        """Close every connection in ``room`` for good, after a last event if one is given."""
        self._started().command(RoomName(room), "disconnect", event, msgspec.to_builtins(payload))

    async def flushed(self) -> None:
        """Wait until everything that was emitted is in Redis, or given up."""
        await self._started().flushed()

    def _started(self) -> Outlet:
        if self._outlet is None:
            raise RuntimeError("enter the emitter first: async with Emitter(…)")
        return self._outlet


class NodeEmitter:
    """Emits to Socket.IO servers of Node that have @socket.io/redis-adapter, and to those that listen to them.

    Nothing of it is kept. Source: @socket.io/redis-emitter 5.1.
    """

    def __init__(self, redis: Redis, *, key: str = "socket.io", namespace: str = "/") -> None:
        """``key`` is the adapter's option of that name."""
        self._redis = redis
        self._channel = f"{key}#{namespace}#"
        self._namespace = namespace

    async def emit(
        self,
        event: str,
        *arguments: Any,
        to: str | Iterable[str] = (),
        beside: Iterable[str] = (),
        volatile: bool = False,
    ) -> None:
        """Send an event to everybody in any of the rooms ``to`` (none: to all), but to nobody in one of ``beside``.

        Raises what redis-py raises.
        """
        rooms = [to] if isinstance(to, str) else list(to)
        packet = {"type": 2, "data": [event, *arguments], "nsp": self._namespace}
        options = {"rooms": rooms, "except": list(beside), "flags": {"volatile": True} if volatile else {}}
        channel = f"{self._channel}{rooms[0]}#" if len(rooms) == 1 else self._channel
        await self._redis.publish(channel, msgspec.msgpack.encode(["emitter", packet, options]))


async def _shards(servers: Servers) -> int:
    """On how many shards the events of the hub are."""
    first = ShardCommands(0, servers)
    try:
        link = await Link.open(await first.locate())
        try:
            number = await link.call("HGET", first.head, "shards")
        finally:
            link.close()
    except (Down, Refused) as error:
        raise Unavailable("Redis does not answer.") from error
    if number is None:
        raise Unavailable("No hub has used this Redis yet.")
    return int(number)


def _has_bytes(value: Any) -> bool:
    match value:
        case bytes():
            return True
        case dict():
            return any(map(_has_bytes, value.values()))
        case list():
            return any(map(_has_bytes, value))
    return False
