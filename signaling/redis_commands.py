"""How calls speak to Redis: over a link, or by redis-py where a Redis Cluster has the keys.

redis-py takes 0.1 to 0.2 ms of CPU for a command, and a set-up has ten of them. What can be sent at once is: most of
what a command costs is to be woken up by its reply. So the link is that of the bus (hub.cluster.lent_link), and where
the room of a call stands is asked in the same write in which the call is changed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha1
from typing import Any, NamedTuple, Protocol

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


class Asked(NamedTuple):
    """One of several commands. With a script the words are its one key and its arguments."""

    words: tuple[Word, ...]
    script: Script | None = None


class Commands(Protocol):
    """Runs commands on Redis. All raise Unavailable if it does not answer, or answers with an error."""

    async def run(self, *command: Word) -> Any:
        """The reply to one command."""
        ...

    async def call(self, script: Script, key: str, *arguments: Word) -> Any:
        """What a script answers; ``key`` is its one key."""
        ...

    async def many(self, *asked: Asked) -> list[Any]:
        """The replies to several commands that run in this order, sent at once where one server has all keys.

        One may run twice, so each has to be harmless as a repeat. Of an error nobody can tell which of them have run.
        """
        ...

    async def post(self, *commands: tuple[Word, ...]) -> None:
        """Have these run before whatever is asked next, without waiting for what Redis says to them."""
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
        [reply] = await self._replies(command)
        return _value(reply)

    async def call(self, script: Script, key: str, *arguments: Word) -> Any:
        """See Commands."""
        [reply] = await self._replies(("EVALSHA", script.sha, 1, key, *arguments))
        if _has_not_run(reply):
            [reply] = await self._replies(("EVAL", script.text, 1, key, *arguments))
        return _value(reply)

    async def many(self, *asked: Asked) -> list[Any]:
        """See Commands."""
        replies = await self._replies(*(_short(one) for one in asked))
        unknown = next((place for place, reply in enumerate(replies) if _has_not_run(reply)), len(asked))
        values = [_value(reply) for reply in replies[:unknown]]
        # A script that the server does not know, and what has overtaken it.
        return values if unknown == len(asked) else [*values, *await _one_by_one(self, asked[unknown:])]

    async def post(self, *commands: tuple[Word, ...]) -> None:
        """See Commands."""
        try:
            _ = (await self._opened()).call_many(commands)  # errors are among the replies
        except LOST as error:
            raise Unavailable(UNAVAILABLE) from error

    async def _replies(self, *commands: tuple[Word, ...]) -> list[Any]:
        try:
            return await (await self._opened()).call_many(commands)
        except LOST as error:
            raise Unavailable(UNAVAILABLE) from error

    async def _opened(self) -> RedisLink:
        link = self._link
        return await self._open() if link is None or link.is_closed else link

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

    async def many(self, *asked: Asked) -> list[Any]:
        """See Commands."""
        return await _one_by_one(self, asked)

    async def post(self, *commands: tuple[Word, ...]) -> None:
        """See Commands."""
        for command in commands:
            await self.run(*command)


async def _one_by_one(commands: Commands, asked: Sequence[Asked]) -> list[Any]:
    return [
        await (commands.run(*words) if script is None else commands.call(script, str(words[0]), *words[1:]))
        for words, script in asked
    ]


def _short(asked: Asked) -> tuple[Word, ...]:
    words, script = asked
    return words if script is None else ("EVALSHA", script.sha, 1, *words)


def _has_not_run(reply: Any) -> bool:
    """Whether the server does not know the script of a command."""
    return isinstance(reply, Exception) and str(reply).startswith("NOSCRIPT")


def _value(reply: Any) -> Any:
    if isinstance(reply, Exception):
        raise Unavailable(UNAVAILABLE) from reply
    return reply
