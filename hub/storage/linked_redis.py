"""redis-py's client with its commands on one link, which costs a tenth of what its pool of connections does."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.client import Pipeline
from redis.client import NEVER_DECODE
from redis.exceptions import (
    BusyLoadingError,
    DataError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError

Command = tuple[Any, ...]
ERRORS: Final[dict[str, type[RedisError]]] = {
    "LOADING": BusyLoadingError,
    "NOSCRIPT": NoScriptError,
    "OOM": OutOfMemoryError,
    "READONLY": ReadOnlyError,
}
"""As redis-py has them, by what Redis's answer begins with; all others are ResponseError."""
NOT_FOR_CALLBACKS: Final = ("keys", NEVER_DECODE)
"""Options of a command that redis-py keeps from what reads its reply."""


class RedisLink(Protocol):
    """A connection to Redis that repeats nothing and does not come back by itself. Implemented in hub.cluster.link."""

    @property
    def is_closed(self) -> bool:
        """Whether it is gone."""
        ...

    def call_many(self, commands: Sequence[tuple[Any, ...]]) -> asyncio.Future[list[Any]]:
        """The replies to commands, to come; errors among them as exceptions. Raises OSError, TypeError."""
        ...

    def close(self) -> None:
        """Close it. Idempotent."""
        ...


class LinkedRedis(Redis):
    """A client of one server, whose commands and pipelines run in the order of the calls.

    They go over one link, which is opened when it is needed; all that come in one turn of the loop are one write. None
    is repeated: of those under way when the link breaks nobody can tell whether they ran, and they raise
    ConnectionError. Transactions and subscriptions have connections of redis-py's pool, as before.

    A node without clients asks some 400 things a second in a dozen pipelines. redis-py 8.1 takes 0.2 ms for each, and
    30 µs more for each reply: it gets a connection, looks whether that is alive, starts a timer for each reply.

    A command that blocks (BLPOP, XREAD BLOCK) would hold up all others.
    """

    def __init__(self, pool: ConnectionPool, open_link: Callable[[], Awaitable[RedisLink]]) -> None:
        """``open_link`` raises OSError. The pool is closed with the client."""
        super().__init__(connection_pool=pool)
        self.auto_close_connection_pool = True
        self._open_link = open_link
        self._greetings: list[Command] = [("HELLO", 3)]
        if database := pool.connection_kwargs.get("db"):
            self._greetings.append(("SELECT", database))
        self._opening = asyncio.Lock()
        self._failures = 0
        self._link: RedisLink | None = None
        self._is_over = False

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """The reply to a command. Raises RedisError."""
        [reply] = await self.replies_to([args])
        return self.read(args[0], reply, options)

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        """Commands that are sent together. Without a transaction others may run between them."""
        if transaction:
            return super().pipeline(transaction, shard_hint)
        return _LinkedPipeline(self)

    async def replies_to(self, commands: Sequence[Command]) -> list[Any]:
        """What Redis answers, errors as exceptions. Raises RedisError if it does not."""
        try:
            return await (await self._opened()).call_many([(*_words(first), *rest) for first, *rest in commands])
        except TypeError as error:
            raise DataError(str(error)) from None
        except (OSError, RuntimeError) as error:  # RuntimeError: uvloop, "the handler is closed"
            raise RedisConnectionError(str(error)) from error

    def read(self, name: Any, reply: Any, options: Mapping[str, Any]) -> Any:
        """A reply as redis-py gives it. Raises RedisError for one that is an error."""
        if isinstance(reply, Exception):
            raise _error(reply)
        read = self.response_callbacks.get(name)
        if read is None:
            return reply
        return read(reply, **{option: value for option, value in options.items() if option not in NOT_FOR_CALLBACKS})

    async def _opened(self) -> RedisLink:
        link = self._link
        return await self._open() if link is None or link.is_closed else link

    async def _open(self) -> RedisLink:
        failures = self._failures
        async with self._opening:
            if self._link is None or self._link.is_closed:
                # A server that hangs is waited for once, and not by each command after the other.
                if self._is_over or failures != self._failures:
                    raise ConnectionError("no link to Redis")
                try:
                    self._link = await self._greeted(await self._open_link())
                except Exception:  # not for whoever was cancelled: the next tries
                    self._failures += 1
                    raise
            return self._link

    async def _greeted(self, link: RedisLink) -> RedisLink:
        try:
            for reply in await link.call_many(self._greetings):
                if isinstance(reply, Exception):
                    raise ConnectionError(str(reply))
        except BaseException:
            link.close()
            raise
        return link

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Close the link and the pool. Commands under way, and later ones, raise ConnectionError."""
        self._is_over = True
        async with self._opening:
            if self._link is not None:
                self._link.close()
        await super().aclose(close_connection_pool)


class _LinkedPipeline(Pipeline):
    """Commands for a link."""

    def __init__(self, client: LinkedRedis) -> None:
        super().__init__(client.connection_pool, client.response_callbacks, False, None)
        self._client = client

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        """The replies; without ``raise_on_error`` errors of Redis among them. Raises RedisError."""
        if self.scripts or self.explicit_transaction or self.watching:  # what redis-py asks about first
            return await super().execute(raise_on_error)
        stack, self.command_stack = self.command_stack, []
        replies = await self._client.replies_to([arguments for arguments, _ in stack])
        answers: list[Any] = []
        for (arguments, options), reply in zip(stack, replies, strict=True):
            try:
                answers.append(self._client.read(arguments[0], reply, options))
            except ResponseError as error:
                answers.append(error)
        if raise_on_error:
            self.raise_first_error(stack, answers)
        return answers


def _words(name: str | bytes) -> Sequence[str | bytes]:
    """The words of a command's name: `CONFIG GET` has two."""
    return name.split()


def _error(reply: Exception) -> RedisError:
    text = str(reply)
    if isinstance(reply, OSError):
        return RedisConnectionError(text)
    return ERRORS.get(text.partition(" ")[0], ResponseError)(text)
