"""RFC 6455, sections 5.5.1 and 7: how a connection is closed, and with which codes."""

import contextlib
from collections.abc import Awaitable, Callable

import pytest

from tests.conformance.marks import at_normal_ping
from tests.support.raw_client import Client
from tests.support.raw_engineio import WebSocketSession
from tests.support.raw_http import Ended
from tests.support.raw_websocket import CLOSE_S, Close, Opcode, close_payload, encode_frame

pytestmark = at_normal_ping

End = Callable[[WebSocketSession], Awaitable[None]]

VALID_CODES = (*range(1000, 1004), *range(1007, 1015), 3000, 3999, 4000, 4999)
INVALID_CODES = (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 9999, 65_535)


async def close_with(client: Client, payload: bytes) -> Close:
    """How the server answers a close frame."""
    session = await client.websocket()
    session.socket.send_close(payload)
    return await session.socket.closed()


@pytest.mark.parametrize("code", VALID_CODES)
async def test_a_close_is_answered_with_its_code(client: Client, code: int) -> None:
    assert (await close_with(client, close_payload(code))).code == code


@pytest.mark.parametrize("reason", ["bye", "größer als 漢字 👋", "x" * 123], ids=len)
async def test_a_close_may_have_a_reason(client: Client, reason: str) -> None:
    assert (await close_with(client, close_payload(1000, reason))).code == 1000


async def test_a_close_without_a_code_is_answered(client: Client) -> None:
    """Section 7.1.5: 1005 stands for it, and must not be sent."""
    assert (await close_with(client, b"")).code in (None, 1000)


@pytest.mark.parametrize("code", INVALID_CODES)
async def test_a_code_that_must_not_be_sent_is_a_violation(client: Client, code: int) -> None:
    """Section 7.4: reserved for local use, not defined, or out of range."""
    assert (await close_with(client, close_payload(code))).code == 1002


async def test_half_a_code_is_a_violation(client: Client) -> None:
    assert (await close_with(client, b"\x03")).code == 1002


@pytest.mark.parametrize("reason", [b"\xff", b"bye \xed\xa0\x80", b"cut \xe2\x82"], ids=repr)
async def test_a_reason_that_is_not_utf_8_is_refused(client: Client, reason: bytes) -> None:
    assert (await close_with(client, close_payload(1000, reason))).code == 1007


@pytest.mark.parametrize(
    "after",
    [
        encode_frame("4late"),
        encode_frame("late", Opcode.PING),
        encode_frame(close_payload(4000), Opcode.CLOSE),
        encode_frame("4bad", reserved=7),
        b"\xff" * 1000,
    ],
    ids=["message", "ping", "second close", "violation", "garbage"],
)
async def test_nothing_is_read_after_a_close(client: Client, after: bytes) -> None:
    session = await client.websocket()
    session.socket.send_close(close_payload(1000), after)
    assert await session.socket.closed() == Close(1000)


async def end_with_close(session: WebSocketSession) -> None:
    session.socket.send_close()
    await session.socket.closed()


async def end_without_close(session: WebSocketSession) -> None:
    await session.disconnect()


async def end_within_a_frame(session: WebSocketSession) -> None:
    session.socket.send(encode_frame("4never complete")[:5])
    await session.disconnect()


@pytest.mark.parametrize("end", [end_with_close, end_without_close, end_within_a_frame])
async def test_the_session_ends_with_its_connection(client: Client, end: End) -> None:
    session = await client.websocket()
    assert await client.knows(session)
    await end(session)
    await client.forgets(session)


async def test_a_client_that_stops_sending_is_told_goodbye(client: Client) -> None:
    """A half-closed TCP connection: the client will send no more, so the server ends as well."""
    session = await client.websocket()
    session.socket.connection.end()
    with contextlib.suppress(Ended):
        assert (await session.socket.frame(CLOSE_S)).opcode == Opcode.CLOSE
    assert await session.socket.connection.rest(CLOSE_S) == b""
