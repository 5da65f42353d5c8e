"""Several commands or scripts in one round trip to Redis, and an outage as Unavailable."""

from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.asyncio.cluster import ClusterPipeline
from redis.commands.core import AsyncScript
from redis.exceptions import NoScriptError, RedisError

from hub.kernel.errors import Unavailable

T = TypeVar("T")

UNAVAILABLE = "Presence does not answer just now. Try again."


async def answer(reply: Awaitable[T]) -> T:
    """What Redis answers. Raises Unavailable if it does not, or with an error."""
    try:
        return await reply
    except (RedisError, OSError) as error:
        raise Unavailable(UNAVAILABLE) from error


async def pipelined(redis: Redis, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
    """The replies to several commands. Raises Unavailable."""
    pipe = redis.pipeline(transaction=False)
    for command in commands:
        pipe.execute_command(*command)
    return await answer(pipe.execute())


async def called(redis: Redis, script: AsyncScript, calls: Sequence[tuple[list[str], list[Any]]]) -> list[Any]:
    """The replies to several calls of a script, with keys and arguments each. Raises Unavailable.

    redis-py asks before each pipeline whether the server has the script: a round trip more. Here the replies say so,
    and what the server did not know is called again.
    """
    pipe = redis.pipeline(transaction=False)
    if isinstance(pipe, ClusterPipeline):  # each server would have to be asked
        for keys, arguments in calls:
            await script(keys=keys, args=arguments, client=pipe)  # only queues
        return await answer(pipe.execute())
    replies = await _by_digest(redis, script, calls)
    unknown = [place for place, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
    if unknown:
        await answer(redis.script_load(script.script))
        again = await _by_digest(redis, script, [calls[place] for place in unknown])
        for place, reply in zip(unknown, again, strict=True):
            replies[place] = reply
    for reply in replies:
        if isinstance(reply, Exception):
            raise Unavailable(UNAVAILABLE) from reply
    return replies


async def _by_digest(redis: Redis, script: AsyncScript, calls: Sequence[tuple[list[str], list[Any]]]) -> list[Any]:
    """The replies, errors among them."""
    pipe = redis.pipeline(transaction=False)
    for keys, arguments in calls:
        pipe.execute_command("EVALSHA", script.sha, len(keys), *keys, *arguments)
    return await answer(pipe.execute(raise_on_error=False))
