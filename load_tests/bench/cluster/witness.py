"""The order of each room, as Redis has it: read from the streams while it happens, so that nothing is trimmed."""

import asyncio
import contextlib
import re
from collections.abc import Callable, Sequence
from typing import cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from load_tests.bench.cluster.history import EventId, Room

LOOK_S = 0.2
MESSAGE = re.compile(rb'"id":"(-?\d+-\d+)"')
"""The body's id in the JSON text of an event. Other events of a room have none."""


class Witness:
    """Reads what was published since its last look."""

    def __init__(self, redis_url: str, rooms: Sequence[Room], record: Callable[[Room, EventId, int], None]) -> None:
        """``record`` is given each message once: room, id, number."""
        self._redis_url = redis_url
        self._read: dict[Room, bytes] = dict.fromkeys(rooms, b"-")
        self._keys: dict[Room, bytes] = {}
        self._record = record
        self._looking = asyncio.Lock()

    async def run(self) -> None:
        """Look for ever. While Redis is away there is nothing to see."""
        while True:
            with contextlib.suppress(RedisError, OSError):
                await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Read what is new. Raises RedisError or OSError."""
        async with self._looking, Redis.from_url(self._redis_url) as redis:
            for room in self._read:
                if key := await self._key(redis, room):
                    await self._read_on(redis, room, key)

    async def _key(self, redis: Redis, room: Room) -> bytes | None:
        if room not in self._keys:
            async for key in redis.scan_iter(match=f"{{s*}}:x:{room}", count=1000):
                self._keys[room] = key
        return self._keys.get(room)

    async def _read_on(self, redis: Redis, room: Room, key: bytes) -> None:
        found = await redis.xrange(key, min=self._read[room].decode())
        for entry, fields in cast("list[tuple[bytes, dict[bytes, bytes]]]", found):
            self._read[room] = b"(" + entry
            if message := MESSAGE.search(fields[b"e"]):
                self._record(room, message[1].decode(), int(entry.partition(b"-")[0]))
