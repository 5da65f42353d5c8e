"""hub.storage.redis: a client that does not take many commands at once for an outage."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis
from redis.asyncio.connection import Connection
from redis.exceptions import DataError, RedisError
from redis.typing import EncodableT

from hub.storage.redis import connect
from hub.storage.redis_connection import TcpConnection


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
