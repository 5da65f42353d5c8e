"""One connection to a real Valkey: what is written when, and what becomes of it."""

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import pytest
from redis.asyncio import Redis

from hub.cluster.address import RedisAddress
from hub.cluster.link import Down, Link


class Counted:
    """A transport, and how often it was written to."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.writes = 0

    def write(self, data: bytes) -> None:
        self.writes += 1
        self.transport.write(data)

    def abort(self) -> None:
        self.transport.abort()


@pytest.fixture
async def link(redis_url: str) -> AsyncIterator[Link]:
    link = await Link.open(RedisAddress.of(redis_url))
    yield link
    link.close()


@pytest.fixture
def counted(link: Link) -> Counted:
    assert link._transport is not None
    counted = Counted(link._transport)
    link._transport = cast("asyncio.Transport", counted)
    return counted


async def test_what_is_asked_in_one_turn_of_the_loop_is_one_write_in_its_order(link: Link, counted: Counted) -> None:
    asked = [link.call_many([("APPEND", "text", letter)]) for letter in "abc"]
    asked.append(link.call_many([("GET", "text"), ("STRLEN", "text")]))
    assert await asyncio.gather(*asked) == [[1], [2], [3], [b"abc", 3]]
    assert counted.writes == 1
    assert await link.call("GET", "text") == b"abc"
    assert counted.writes == 2


async def test_of_a_link_that_is_closed_in_that_turn_nothing_is_written(
    link: Link, counted: Counted, redis: Redis
) -> None:
    asked = link.call_many([("SET", "text", "x")])
    link.close()
    assert [type(reply) for reply in await asked] == [Down]
    await asyncio.sleep(0)
    assert counted.writes == 0
    assert await redis.get("text") is None
