"""Several commands or scripts in one round trip to Redis, and an outage as Unavailable."""

from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.commands.core import AsyncScript
from redis.exceptions import NoScriptError, RedisError

from hub.kernel.errors import Unavailable

T = TypeVar("T")

UNAVAILABLE = "Presence does not answer just now. Try again."
LOST = (RedisError, OSError, RuntimeError)  # RuntimeError: uvloop, "the handler is closed", which redis-py lets through


async def answer(reply: Awaitable[T]) -> T:
    """What Redis answers. Raises Unavailable if it does not, or with an error."""
    try:
        return await reply
    except LOST as error:
        raise Unavailable(UNAVAILABLE) from error


async def pipelined(redis: Redis, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
    """The replies to several commands. Raises Unavailable."""
    pipe = redis.pipeline(transaction=False)
    for command in commands:
        pipe.execute_command(*command)
    return await answer(pipe.execute())


async def called(redis: Redis, script: AsyncScript, calls: Sequence[tuple[list[str], list[Any]]]) -> list[Any]:
    """The replies to several calls of a script, with keys and arguments each. Raises Unavailable.

    redis-py asks before each pipeline whether the server has the script, or sends the text with each call to a cluster;
    and a call that is cancelled while it asks keeps its connection for ever (8.1). Here the text is sent to a server
    that says that it does not know it, which is once.
    """
    replies = await _evaluated(redis, "EVALSHA", script.sha, calls)
    unknown = [place for place, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
    if unknown:
        again = await _evaluated(redis, "EVAL", script.script, [calls[place] for place in unknown])
        for place, reply in zip(unknown, again, strict=True):
            replies[place] = reply
    for reply in replies:
        if isinstance(reply, Exception):
            raise Unavailable(UNAVAILABLE) from reply
    return replies


async def _evaluated(
    redis: Redis, command: str, script: Any, calls: Sequence[tuple[list[str], list[Any]]]
) -> list[Any]:
    """The replies, errors among them."""
    pipe = redis.pipeline(transaction=False)
    for keys, arguments in calls:
        pipe.execute_command(command, script, len(keys), *keys, *arguments)
    return await answer(pipe.execute(raise_on_error=False))
