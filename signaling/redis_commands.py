"""How calls speak to Redis: over a link of their own, or by redis-py where a Redis Cluster has the keys.

redis-py takes 0.1 to 0.2 ms of CPU for a command, and a set-up has ten of them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha1
from typing import Any, Protocol

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError

from hub.kernel.errors import Unavailable

Word = bytes | str | int
UNAVAILABLE = "Calls cannot be reached just now."
LOST = (OSError, RuntimeError)  # RuntimeError: uvloop, "the handler is closed"


class Script:
    """A function of Lua, which runs atomically."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = sha1(text.encode(), usedforsecurity=False).hexdigest()
        """As Redis knows it."""


class Commands(Protocol):
    """Runs commands on Redis. Both raise Unavailable if it does not answer, or answers with an error."""

    async def run(self, *command: Word) -> Any:
        """The reply to one command."""
        ...

    async def call(self, script: Script, key: str, *arguments: Word) -> Any:
        """What a script answers; ``key`` is its one key."""
        ...


class RedisLink(Protocol):
    """A connection to Redis that repeats nothing and does not come back by itself. Implemented in hub.cluster.link."""

    @property
    def is_closed(self) -> bool:
        """Whether it is gone."""
        ...

    def call_many(self, commands: Sequence[tuple[Word, ...]]) -> asyncio.Future[list[Any]]:
        """The replies to commands, to come; errors among them as exceptions. Raises OSError."""
        ...

    def close(self) -> None:
        """Close it. Idempotent."""
        ...


class LinkedCommands:
    """Implements Commands on a server that has all keys. A link that broke is opened anew with the next command."""

    def __init__(self, open_link: Callable[[], Awaitable[RedisLink]]) -> None:
        """``open_link`` raises OSError."""
        self._open_link = open_link
        self._opening = asyncio.Lock()
        self._link: RedisLink | None = None
        self._is_over = False

    async def run(self, *command: Word) -> Any:
        """See Commands."""
        reply = await self._reply(command)
        if isinstance(reply, Exception):
            raise Unavailable(UNAVAILABLE) from reply
        return reply

    async def call(self, script: Script, key: str, *arguments: Word) -> Any:
        """See Commands."""
        reply = await self._reply(("EVALSHA", script.sha, 1, key, *arguments))
        if isinstance(reply, Exception) and str(reply).startswith("NOSCRIPT"):  # it has not run
            reply = await self._reply(("EVAL", script.text, 1, key, *arguments))
        if isinstance(reply, Exception):
            raise Unavailable(UNAVAILABLE) from reply
        return reply

    async def _reply(self, command: tuple[Word, ...]) -> Any:
        try:
            link = self._link
            if link is None or link.is_closed:
                link = await self._open()
            [reply] = await link.call_many([command])
        except LOST as error:
            raise Unavailable(UNAVAILABLE) from error
        return reply

    async def _open(self) -> RedisLink:
        async with self._opening:
            if self._link is None or self._link.is_closed:
                if self._is_over:
                    raise ConnectionError("closed")
                self._link = await self._open_link()
            return self._link

    async def close(self) -> None:
        """Speak no more: sweepers that are still at it find Redis unavailable, and open no other link."""
        self._is_over = True
        async with self._opening:
            if self._link is not None:
                self._link.close()


class ClientCommands:
    """Implements Commands by redis-py, which finds the server of each key."""

    def __init__(self, redis: Redis) -> None:
        self._redis: Any = redis  # which types none of its commands by name

    async def run(self, *command: Word) -> Any:
        """See Commands."""
        try:
            return await self._redis.execute_command(*command)
        except (RedisError, OSError) as error:
            raise Unavailable(UNAVAILABLE) from error

    async def call(self, script: Script, key: str, *arguments: Word) -> Any:
        """See Commands."""
        try:
            try:
                return await self._redis.execute_command("EVALSHA", script.sha, 1, key, *arguments)
            except NoScriptError:
                return await self._redis.execute_command("EVAL", script.text, 1, key, *arguments)
        except (RedisError, OSError) as error:
            raise Unavailable(UNAVAILABLE) from error
