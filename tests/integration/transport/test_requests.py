"""Requests in odd forms, or that take too long: each is answered or cut, and none leaves a session behind."""

import asyncio
import time

import pytest

from hub.transport.engineio.settings import EngineSettings
from tests.support.local_server import local_server
from tests.support.raw_engineio import Handshake
from tests.support.raw_http import RawConnection, request
from tests.support.wait import until

POLL = "/socket.io/?EIO=4&transport=polling"
HEAD_TIMEOUT_S = 0.3
SOON_S = HEAD_TIMEOUT_S + 1


@pytest.mark.parametrize(
    "target",
    [
        "/socket%2Eio/?EIO=4&transport=polling",
        "http://hub.example/socket.io/?EIO=4&transport=polling",
        "/socket.io/?EIO=4&transport=poll%69ng",
        "/socket.io/?EIO=4&transport=polling&t=%ff%00+&t=again",
    ],
)
async def test_a_session_opens_whatever_form_its_address_has(target: str, caplog: pytest.LogCaptureFixture) -> None:
    async with local_server() as local:
        response = await local.client.request("GET", target)
        assert response.status == 200
        assert Handshake.of(response.text).sid in local.engine.sessions
        assert caplog.records == []


async def drip(connection: RawConnection, data: bytes) -> float:
    """Send a byte each tenth of a second until the server has had enough, and say how long that took."""
    started, ended = time.monotonic(), asyncio.ensure_future(connection.rest(10))  # noqa: TID251
    for byte in data:
        connection.send(bytes((byte,)))
        await asyncio.wait([ended], timeout=0.1)
        if ended.done():
            break
    await ended
    return time.monotonic() - started


MANY_HEADERS = request("GET", "/nothing", None, **{f"X{number}": "x" * 200 for number in range(180)})[:-4]


BEGINNINGS = {
    "nothing": b"",
    "little": b"GET /socket.io/?EIO=4",
    "much": MANY_HEADERS,
    "empty lines": b"\r\n\r\nGET /socket.io/?EIO=4",
}


@pytest.mark.parametrize("already", BEGINNINGS.values(), ids=BEGINNINGS)
async def test_a_request_head_that_drips_is_cut_in_time(already: bytes) -> None:
    async with local_server(EngineSettings(head_timeout_s=HEAD_TIMEOUT_S)) as local:
        connection = await local.client.connection()
        connection.send(already)
        assert await drip(connection, b"X" * 100) < SOON_S
        assert local.left_behind() == {}


async def test_a_head_that_is_no_http_or_too_long_is_refused_at_once() -> None:
    async with local_server() as local:
        for head, status in ((b"get / HTTP/1.1", 400), (b"\x16\x03\x01", 400), (MANY_HEADERS, 431)):
            connection = await local.client.connection()
            connection.send(head)
            assert (await connection.response()).status == status
            assert await connection.rest() == b""


async def test_empty_lines_before_a_request_are_passed_over() -> None:
    """RFC 9112, section 2.2."""
    async with local_server() as local:
        connection = await local.client.connection()
        connection.send(b"\r\n" + request("GET", POLL))
        assert (await connection.response()).status == 200


async def test_a_connection_that_says_nothing_is_cut_in_time() -> None:
    async with local_server(EngineSettings(head_timeout_s=HEAD_TIMEOUT_S)) as local:
        connection = await local.client.connection()
        assert await connection.rest(SOON_S) == b""
        assert local.left_behind() == {}


async def test_a_connection_that_has_sent_its_head_in_time_may_take_its_time() -> None:
    async with local_server(EngineSettings(head_timeout_s=HEAD_TIMEOUT_S)) as local:
        head = request("GET", POLL)
        connection = await local.client.connection()
        connection.send(head[:20])
        await until(lambda: local.door.addresses._open)
        connection.send(head[20:])
        sid = Handshake.of((await connection.response()).text).sid
        connection.send(request("GET", f"{POLL}&sid={sid}"))
        with pytest.raises(TimeoutError):
            await connection.response(2 * HEAD_TIMEOUT_S)
        assert sid in local.engine.sessions
