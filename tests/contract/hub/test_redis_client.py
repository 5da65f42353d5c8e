"""hub.storage.redis: a client that does not take many commands at once for an outage, and loses no connection."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis
from redis.asyncio.connection import Connection
from redis.exceptions import DataError, RedisError
from redis.typing import EncodableT

from hub.gate.rate_limits import Charge, RedisLedger
from hub.gate.revocations import RedisRevocations
from hub.kernel.ids import SessionId, UserId
from hub.storage.redis import connect
from hub.storage.redis_connection import TcpConnection
from presence.redis_calls import called, pipelined
from tests.support.rooms import RecordedRooms

TURNS = 12
"""Of the loop, after which a call is cancelled: from before it has a connection until it waits for the replies."""


def _revoke(redis: Redis) -> Awaitable[Any]:
    rooms = RecordedRooms()
    return RedisRevocations(redis, rooms, token_life_s=1).revoke_all(UserId("ann"), [SessionId("s")], "test")


PIPELINES: dict[str, Callable[[Redis], Awaitable[Any]]] = {
    "commands": lambda redis: pipelined(redis, [("PING",), ("PING",)]),
    "a script": lambda redis: called(redis, redis.register_script("return 1"), [(["key"], []), (["key"], [])]),
    "charges": lambda redis: RedisLedger(redis).charge([Charge("one", 1, 1), Charge("two", 1, 1)]),
    "revocations": _revoke,
}


async def test_more_commands_at_once_than_connections_wait_for_one(redis_url: str) -> None:
    client = connect(redis_url, size=2)
    counts = await asyncio.gather(*(client.incr("count") for _ in range(100)))
    assert sorted(counts) == list(range(1, 101))
    await client.aclose()


async def test_a_server_that_is_not_there_is_told_at_the_first_command() -> None:
    client = connect("unix:///nowhere/v.sock", size=2)
    with pytest.raises((RedisError, OSError)):
        await client.ping()
    await client.aclose()


@pytest.mark.parametrize("pipeline", PIPELINES.values(), ids=PIPELINES.keys())
async def test_a_pipeline_that_is_cancelled_anywhere_gives_its_connection_back(
    redis_url: str, pipeline: Callable[[Redis], Awaitable[Any]]
) -> None:
    for turns in range(TURNS):
        client = connect(redis_url, size=1)
        await client.script_flush()  # so that nobody's script is known
        task = asyncio.ensure_future(pipeline(client))  # noqa: TID251
        for again in (turns, 1):  # twice, as hub.kernel.tasks does
            for _ in range(again):
                await asyncio.sleep(0)
            task.cancel()
        await asyncio.wait([task])
        assert await client.ping(), turns  # there is no second connection
        await client.aclose()


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Redis]:
    client = connect(redis_url, size=2)
    yield client
    await client.aclose()


async def echo(client: Redis, word: object) -> object:
    return await client.execute_command("ECHO", word)  # type: ignore[no-untyped-call]


@given(
    st.lists(
        st.one_of(
            st.text(st.characters(exclude_categories=["Cs"])),
            st.binary(max_size=100_000),
            st.integers(-(2**63), 2**63 - 1),
            st.floats(allow_nan=False),
        ),
        max_size=20,
    )
)
def test_commands_are_written_as_redis_py_writes_them(words: list[EncodableT]) -> None:
    commands = [("SET", "key", *words), ("CONFIG GET", *words), (b"PING",)]
    ours, theirs = (
        b"".join(bytes(one) for one in kind().pack_commands(commands)) for kind in (TcpConnection, Connection)
    )
    assert ours == theirs


async def test_texts_bytes_and_numbers_come_as_they_are_written(client: Redis) -> None:
    assert await echo(client, "naïve") == "naïve".encode()
    assert await echo(client, b"\xff\r\n\x00") == b"\xff\r\n\x00"
    assert await echo(client, 1.5) == b"1.5"
    assert await client.config_get("maxmemory") == {"maxmemory": "0"}


async def test_what_is_no_word_of_a_command_is_an_error_of_redis_py(client: Redis) -> None:
    with pytest.raises(DataError):
        await echo(client, None)
    assert await client.ping()
