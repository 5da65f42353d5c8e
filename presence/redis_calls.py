"""Several commands or scripts in one round trip to Redis, and an outage as Unavailable."""

from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError

from hub.kernel.errors import Unavailable

T = TypeVar("T")


async def answer(reply: Awaitable[T]) -> T:
    """What Redis answers. Raises Unavailable if it does not, or with an error."""
    try:
        return await reply
    except (RedisError, OSError) as error:
        raise Unavailable("Presence does not answer just now. Try again.") from error


async def pipelined(redis: Redis, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
    """The replies to several commands. Raises Unavailable."""
    pipe = redis.pipeline(transaction=False)
    for command in commands:
        pipe.execute_command(*command)
    return await answer(pipe.execute())


async def called(redis: Redis, script: AsyncScript, calls: Sequence[tuple[list[str], list[Any]]]) -> list[Any]:
    """The replies to several calls of a script, with keys and arguments each. Raises Unavailable."""
    pipe = redis.pipeline(transaction=False)
    for keys, arguments in calls:
        await script(keys=keys, args=arguments, client=pipe)  # only queues
    return await answer(pipe.execute())
