"""hub.storage.linked_redis: redis-py's answers over one link, in the order of the calls, each command once."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import DataError, NoScriptError, ResponseError

from hub.cluster.link import Link
from hub.cluster.servers import link_to_any, servers_of
from hub.storage.redis import connect
from presence.redis_calls import called, pipelined

KEYS: list[tuple[Any, ...]] = [
    ("SET", "text", "one"),
    ("HSET", "hash", "a", 1, "b", "2"),
    ("SADD", "set", "x", "y"),
    ("ZADD", "sorted", 1.5, "m", 2, "n"),
    ("XADD", "stream", "1-0", "field", "value"),
]
QUESTIONS: list[tuple[Any, ...]] = [
    ("GET", "text"),
    ("GET", "nothing"),
    ("SET", "text", "two", "NX"),
    ("HGETALL", "hash"),
    ("SMEMBERS", "set"),
    ("ZSCORE", "sorted", "m"),
    ("ZRANGE", "sorted", 0, -1, "WITHSCORES"),
    ("XRANGE", "stream", "-", "+"),
    ("EVAL", "return {1, 'two', false, {3}}", 0),
    ("CONFIG GET", "maxmemory"),
    ("PING",),
]


class Links:
    """Opens links, and keeps them."""

    def __init__(self, url: str) -> None:
        self._open = link_to_any(servers_of(url))
        self.opened: list[Link] = []
        self.tries = 0

    async def __call__(self) -> Link:
        self.tries += 1
        await asyncio.sleep(0)
        link = await self._open()
        self.opened.append(link)
        return link


@pytest.fixture
def links(redis_url: str) -> Links:
    return Links(redis_url)


@pytest.fixture
async def linked(redis_url: str, links: Links) -> AsyncIterator[Redis]:
    client = connect(redis_url, size=2, open_link=links)
    yield client
    await client.aclose()


async def ask(client: Redis, *words: Any) -> Any:
    return await client.execute_command(*words)  # type: ignore[no-untyped-call]


async def pipelined_or_error(client: Redis, *commands: tuple[Any, ...]) -> list[Any]:
    pipe = client.pipeline(transaction=False)
    for words in commands:
        pipe.execute_command(*words)
    return await pipe.execute()


async def test_it_answers_as_redis_py_does(linked: Redis, redis: Redis) -> None:
    await pipelined(linked, KEYS)
    theirs = [await ask(redis, *question) for question in QUESTIONS]
    assert [await ask(linked, *question) for question in QUESTIONS] == theirs
    assert await pipelined(linked, QUESTIONS) == theirs == await pipelined(redis, QUESTIONS)
    assert await linked.zrange("sorted", 0, -1, withscores=True) == await redis.zrange("sorted", 0, -1, withscores=True)


async def test_errors_are_those_of_redis_py_and_concern_one_command_alone(linked: Redis) -> None:
    with pytest.raises(ResponseError, match="unknown command"):
        await ask(linked, "NONSENSE")
    with pytest.raises(NoScriptError):
        await linked.evalsha("0" * 40, 0)
    with pytest.raises(DataError):
        await ask(linked, "ECHO", None)
    pipe = linked.pipeline(transaction=False)
    for words in (("SET", "key", 1), ("INCRBY", "key", 2), ("LPUSH", "key", "x"), ("GET", "key")):
        pipe.execute_command(*words)
    one, three, wrong, last = await pipe.execute(raise_on_error=False)
    assert (one, three, type(wrong), last) == (True, 3, ResponseError, b"3")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await pipelined_or_error(linked, ("LPUSH", "key", "x"))


async def test_a_script_that_the_server_does_not_know_runs_once(linked: Redis) -> None:
    script = linked.register_script("return redis.call('INCR', KEYS[1])")
    assert await called(linked, script, [(["count"], []), (["count"], [])]) == [1, 2]
    await linked.script_flush()
    assert await script(keys=["count"]) == 3


async def test_commands_run_in_the_order_of_the_calls_over_one_link(linked: Redis, links: Links) -> None:
    lengths = await asyncio.gather(*(linked.rpush("list", number) for number in range(50)))
    assert lengths == list(range(1, 51))
    assert await linked.lrange("list", 0, -1) == [b"%d" % number for number in range(50)]
    assert len(links.opened) == 1


async def test_whoever_is_cancelled_leaves_the_replies_of_the_others_in_place(linked: Redis, links: Links) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(ask(linked, "ECHO", str(number))) for number in range(30)]
        await asyncio.sleep(0)
        for task in tasks[::3]:
            task.cancel()
    assert [task.result() for task in tasks[1::3]] == [b"%d" % number for number in range(1, 30, 3)]
    assert len(links.opened) == 1


async def test_a_command_whose_link_broke_raises_and_is_not_repeated(linked: Redis, links: Links, redis: Redis) -> None:
    await linked.incr("count")
    lost = asyncio.ensure_future(linked.incr("count"))  # noqa: TID251 awaited below
    await asyncio.sleep(0)  # it is on its way
    links.opened[0].close()
    with pytest.raises(RedisConnectionError):
        await lost
    assert await redis.get("count") in (b"1", b"2")
    assert await linked.set("key", "value")
    assert await redis.get("count") in (b"1", b"2")
    assert len(links.opened) == 2


async def test_a_server_that_is_away_is_asked_once_for_all_who_wait() -> None:
    links = Links("unix:///nowhere/v.sock")
    client = connect("unix:///nowhere/v.sock", size=2, open_link=links)
    answers = await asyncio.gather(*(client.ping() for _ in range(20)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {RedisConnectionError}
    assert links.tries == 1
    with pytest.raises(RedisConnectionError):
        await client.ping()
    assert links.tries == 2
    await client.aclose()


async def test_the_database_of_the_url_is_that_of_the_link(redis_url: str, redis: Redis) -> None:
    url = f"{redis_url}{'&' if '?' in redis_url else '?'}db=1"
    client = connect(url, size=2, open_link=link_to_any(servers_of(url)))
    await client.set("where", "in one")
    assert await redis.get("where") is None
    await ask(redis, "FLUSHALL")
    await client.aclose()


async def test_after_its_end_it_opens_no_link(redis_url: str, links: Links) -> None:
    client = connect(redis_url, size=2, open_link=links)
    await client.ping()
    await client.aclose()
    with pytest.raises(RedisConnectionError):
        await client.ping()
    assert links.tries == 1
    assert links.opened[0].is_closed
