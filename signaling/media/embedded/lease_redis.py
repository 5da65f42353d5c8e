"""Which media servers are alive and which room is on which, agreed on through Redis.

A server beats its lease; with it stands how nodes reach it, and the key that they show, which is new at every start. So
whoever can read the hub's Redis may command its media servers, and nothing has to be configured.

A room is placed on a server by whoever needs it first. When a lease has run out, one node at a time takes the rooms of
that server, and moves their calls; if it dies in the middle, another does it again.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from hub.kernel.errors import Unavailable

SERVERS = "{media}:servers"
ABOUT = "{media}:about"
DEAD = "{media}:dead"
LEASE_MS = 3_000
"""A server that stands still is dead after 2 to 3 s. Nobody sees or hears anything meanwhile, so it is short; a move
costs a second of media, so it is not shorter."""
BEAT_S = 0.75
TAKEN_MS = 5_000
"""How long a dead server is left to the node that took it."""
PLACED_MS = 24 * 3_600_000
"""Only cleans up behind a crash, like the claim of a pair."""

# Time is Redis's own. Answers whether the lease was still there, or this is the first beat: else others have taken the
# rooms, or Redis has lost its memory and with it where they are. One that has run out and that nobody took is renewed:
# after an outage of Redis all have.
_BEAT = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[4] == 'held' and not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
return 1
"""
_LIVE = """
local time = redis.call('TIME')
local answer = {}
for _, server in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], time[1] * 1000 + math.floor(time[2] / 1000), '+inf')) do
  answer[#answer + 1] = server
  answer[#answer + 1] = redis.call('HGET', KEYS[2], server)
end
return answer
"""
# A server is noted as dead before its lease is forgotten, in one step; it is forgotten altogether by ``buried``.
_TAKE_DEAD = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, server in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - 1)) do
  redis.call('ZREM', KEYS[1], server)
  redis.call('HDEL', KEYS[2], server)
  redis.call('ZADD', KEYS[3], now, server)
end
local taken = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now)
for _, server in ipairs(taken) do redis.call('ZADD', KEYS[3], now + ARGV[1], server) end
return taken
"""
_PLACE = """
local there = redis.call('GET', KEYS[1])
if there and there ~= ARGV[1] then return there end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return ARGV[2]
"""
_KEYS = [SERVERS, ABOUT, DEAD]


class Address(msgspec.Struct, frozen=True):
    """How a media server is reached."""

    url: str
    key: str
    load: int = 0
    """Streams that it sends."""


@contextmanager
def _reachable() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        raise Unavailable("Media servers cannot be looked for just now.") from error


class Lease:
    """A server's own lease. After ``beat`` was False it needs another name: ``renew``."""

    def __init__(self, redis: Redis, url: str) -> None:
        self._redis = redis
        self._url = url
        self._beat = redis.register_script(_BEAT)
        self.renew()

    def renew(self) -> None:
        """Be another server, with another key. To be followed by ``beat``."""
        self._held = False
        self.name = secrets.token_hex(8)
        self.key = secrets.token_urlsafe(32)

    async def beat(self, load: int) -> bool:
        """Go on for LEASE_MS. False if others took it for dead, and its rooms are elsewhere. Raises Unavailable."""
        about = msgspec.json.encode(Address(self._url, self.key, load))
        with _reachable():
            before = "held" if self._held else "none"
            self._held = bool(await self._beat(keys=_KEYS, args=[self.name, LEASE_MS, about, before]))
        return self._held

    async def release(self) -> None:
        """Be dead at once, so that the rooms are moved now. Raises Unavailable."""
        with _reachable():
            await self._redis.zadd(SERVERS, {self.name: 0}, xx=True)


class MediaServers:
    """The servers and the places of rooms, as nodes see them."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._live = redis.register_script(_LIVE)
        self._take_dead = redis.register_script(_TAKE_DEAD)
        self._place = redis.register_script(_PLACE)

    async def live(self) -> dict[str, Address]:
        """The servers by name. Raises Unavailable."""
        with _reachable():
            answer = cast("list[bytes]", await self._live(keys=_KEYS))
        return {
            name.decode(): msgspec.json.decode(about, type=Address)
            for name, about in zip(answer[::2], answer[1::2], strict=True)
        }

    async def place(self, room: str) -> Address:
        """The server of a room; the one with the least to do, if it has none that is alive. Raises Unavailable."""
        live = await self.live()
        if not live:
            raise Unavailable("There is no media server.", retry_after=1)
        with _reachable():
            name = _text(await self._redis.get(_room(room)))
            if name not in live:
                best = min(live, key=lambda one: live[one].load)
                # The index first: a room that is in it and not on the server is moved once too often, and not never.
                await self._redis.sadd(_rooms(best), room)
                holder = await self._place(keys=[_room(room)], args=[name, best, PLACED_MS])
                name = cast("bytes", holder).decode()
        if name not in live:  # placed by somebody who sees a server that has come just now
            raise Unavailable("The media server is not known yet.", retry_after=1)
        return live[name]

    async def where(self, room: str) -> Address | None:
        """The server of a room, None if it has none that is alive. Raises Unavailable."""
        with _reachable():
            name = _text(await self._redis.get(_room(room)))
        return (await self.live()).get(name) if name else None

    async def forget(self, room: str) -> None:
        """The room is over. Raises Unavailable."""
        with _reachable():
            name = _text(await self._redis.getdel(_room(room)))
            if name:
                await self._redis.srem(_rooms(name), room)

    async def take_dead(self) -> list[tuple[str, list[str]]]:
        """Servers that have died, with the rooms that they had. Nobody else gets them for some seconds.

        To be followed by ``buried``. Raises Unavailable.
        """
        with _reachable():
            names = [name.decode() for name in await self._take_dead(keys=_KEYS, args=[TAKEN_MS])]
            return [(name, sorted(_text(room) for room in await self._redis.smembers(_rooms(name)))) for name in names]

    async def buried(self, name: str) -> None:
        """All rooms of a dead server have been looked after. Raises Unavailable."""
        with _reachable():
            await self._redis.delete(_rooms(name))
            await self._redis.zrem(DEAD, name)


def _text(answer: bytes | str | None) -> str:
    return answer.decode() if isinstance(answer, bytes) else answer or ""


def _room(room: str) -> str:
    return f"{{c:{room}}}:media"


def _rooms(server: str) -> str:
    return f"{{media}}:rooms:{server}"
