"""Engine.IO protocol 4, "HTTP long-polling": payloads, requests in flight, and bodies that are none."""

import asyncio
import base64
import contextlib

import pytest

from tests.conformance.marks import also_on_another_node, strict, stricter_than_node
from tests.support.bare_server import MAX_PAYLOAD
from tests.support.raw_client import Client
from tests.support.raw_engineio import PollingSession, decode_payload
from tests.support.raw_http import Ended, request

pytestmark = also_on_another_node


async def status_of_post(session: PollingSession, body: bytes) -> int | None:
    """The status of the answer; None where the connection ends instead, as it may for what is no payload."""
    try:
        return (await session.post(body)).status
    except Ended:
        return None


@pytest.mark.parametrize(
    "payload",
    [
        "4hello",
        "4test1\x1e4test2\x1e4test3",
        "4hello\x1ebAQIDBA==",
        "bAQIDBA==\x1e4hello\x1ebBA==",
        "4",
        "b",
        "4größer als 漢字 👋",
        "4b\x1e44\x1e42",
        "4line\r\nline\x1e4\x1d\x1f\x00",
    ],
    ids=ascii,
)
async def test_a_payload_comes_back(client: Client, payload: str) -> None:
    session = await client.polling()
    posted = await session.post(payload.encode())
    assert (posted.status, posted.body) == (200, b"ok")
    polled = await session.get()
    assert (polled.status, polled.text) == (200, payload)
    assert polled.headers["content-type"].lower() == "text/plain; charset=utf-8"
    assert polled.headers["cache-control"] == "no-store"


async def test_all_of_many_packets_in_one_post_are_handled(client: Client) -> None:
    """python-engineio loses all of them above 16."""
    session = await client.polling()
    packets = [f"4{number}" for number in range(1_000)]
    await session.send(*packets)
    assert [await session.packet() for _ in packets] == packets


async def test_what_is_sent_between_polls_comes_with_the_next_in_order(client: Client) -> None:
    session = await client.polling()
    for number in range(20):
        await session.send(f"4{number}", bytes((number,)))
    expected = [packet for number in range(20) for packet in (f"4{number}", bytes((number,)))]
    assert [await session.packet() for _ in expected] == expected


async def test_a_poll_waits_for_a_packet(client: Client) -> None:
    session = await client.polling()
    for number in range(3):
        poll = await session.begin_poll()
        await session.send(f"4{number}")
        assert decode_payload((await poll.response()).body) == [f"4{number}"]


async def test_requests_over_one_connection_are_answered_in_turn(client: Client) -> None:
    session = await client.polling()
    connection = await client.connection()
    for number in range(5):
        connection.send(request("POST", session.target, b"4%d" % number) + request("GET", session.target))
        assert (await connection.response()).body == b"ok"
        assert (await connection.response()).body == b"4%d" % number


async def test_a_post_may_be_chunked(client: Client) -> None:
    session = await client.polling()
    connection = await client.connection()
    connection.send(request("POST", session.target, Transfer_Encoding="chunked"))
    for chunk in (b"4he", b"llo\x1e", b"b", b"AQI="):
        connection.send(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        await asyncio.sleep(0)
    connection.send(b"0\r\n\r\n")
    assert (await connection.response()).body == b"ok"
    assert [await session.packet() for _ in range(2)] == ["4hello", b"\x01\x02"]


async def test_a_post_may_come_byte_by_byte(client: Client) -> None:
    session = await client.polling()
    connection = await client.connection()
    for byte in request("POST", session.target, "4größer\x1ebAQI=".encode()):
        connection.send(bytes((byte,)))
        await asyncio.sleep(0)
    assert (await connection.response()).body == b"ok"
    assert [await session.packet() for _ in range(2)] == ["4größer", b"\x01\x02"]


async def test_two_polls_at_once_end_the_session(client: Client) -> None:
    """The first is told of the close; the protocol wants 400 for the second."""
    session = await client.polling()
    first, second = await session.begin_poll(), await session.begin_poll()
    refused = await second.response()
    assert refused.status == 400
    ended = await first.response()
    assert (ended.status, ended.body) == (200, b"1")
    assert (await session.get()).status == 400


async def test_two_posts_at_once_end_the_session(client: Client) -> None:
    session = await client.polling()
    await session.send("4before")  # now the connection of the posts is open, and what comes over it is read first
    assert await session.packet() == "4before"
    unfinished = await session.begin_post(b"4never complete", 5)
    assert (await client.request("POST", session.target, b"4second")).status == 400
    unfinished.end()
    assert (await session.get()).status == 400


invalid = pytest.mark.parametrize(
    "body",
    [
        b"abc",
        b"",
        b"\x1e",
        b"4a\x1e",
        b"\x1e4a",
        b"4a\x1e\x1e4b",
        b"7",
        b"9",
        b" 4a",
        b"-1",
        b"4a\x1ex",
        "\uff14full-width".encode(),
        strict(b"b?"),
        strict(b"bAQI"),
        strict(b"bAQID BA=="),
        strict(b"bAQID\x1e4a\x1eb="),
        strict(b"4\xff"),
        strict(b"\xff"),
        strict(b"4cut \xe2\x82"),
        strict(b"4\xed\xa0\x80"),
    ],
    ids=repr,
)
"""Packets without a known type, and base64 or UTF-8 that is none.

The reference implementation decodes what it can of wrong base64 and UTF-8, and so hands on something else than was
sent. "The character encoding is UTF-8 for plain text and for base64-encoded binary payloads."
"""


@invalid
async def test_an_invalid_payload_ends_the_session(client: Client, body: bytes) -> None:
    session = await client.polling()
    await status_of_post(session, body)
    await session.ended()


@stricter_than_node
@invalid
async def test_an_invalid_payload_is_refused(client: Client, body: bytes) -> None:
    """The public suite wants 400; the reference implementation says "ok" although it closes the session."""
    session = await client.polling()
    assert await status_of_post(session, body) == 400


@pytest.mark.parametrize("packet", ["2", "2probe", *map(strict, ["0", "5", "6", "3x", "1x"])])
async def test_a_packet_out_of_place_ends_the_session(client: Client, packet: str) -> None:
    """The ping is the server's since protocol 4; the rest the reference implementation passes over."""
    session = await client.polling()
    await session.push(packet)
    await session.ended()


async def test_an_invalid_payload_ends_an_open_poll(client: Client) -> None:
    session = await client.polling()
    poll = await session.begin_poll()
    await status_of_post(session, b"abc")
    assert decode_payload((await poll.response()).body)[-1] in ("1", "6")
    assert (await session.get()).status == 400


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
async def test_a_body_of_the_greatest_size_is_taken(client: Client, binary: bool) -> None:
    session = await client.polling()
    size = MAX_PAYLOAD - 1
    body = b"b" + base64.b64encode(bytes(size // 4 * 3)) if binary else b"4" + b"x" * size
    assert await status_of_post(session, body) == 200
    assert (await session.get()).body == body


async def test_a_body_that_is_too_big_is_refused(client: Client) -> None:
    session = await client.polling()
    assert await status_of_post(session, b"4" + b"x" * MAX_PAYLOAD) in (413, None)
    await session.ended()


async def test_a_chunked_body_that_is_too_big_is_refused(client: Client) -> None:
    session = await client.polling()
    connection = await client.connection()
    connection.send(request("POST", session.target, Transfer_Encoding="chunked"))
    connection.send(b"%x\r\n%b\r\n0\r\n\r\n" % (MAX_PAYLOAD + 1, b"4" * (MAX_PAYLOAD + 1)))
    with contextlib.suppress(Ended):
        assert (await connection.response()).status == 413
    await session.ended()


@stricter_than_node
async def test_a_body_that_is_too_big_is_refused_by_its_length(client: Client) -> None:
    """Nothing of it is sent. The reference implementation reads a megabyte before it says so."""
    session = await client.polling()
    connection = await client.connection()
    connection.send(request("POST", session.target, Content_Length=str(MAX_PAYLOAD + 1)))
    assert (await connection.response()).status == 413
    await session.ended()


async def test_a_poll_that_its_client_gives_up_ends_the_session(client: Client) -> None:
    """What would have gone with it cannot be told from lost; the client has to know that something is."""
    session = await client.polling()
    poll = await session.begin_poll()
    await poll.close()
    await session.ended()


async def test_a_post_that_its_client_gives_up_is_not_handled_and_ends_the_session(client: Client) -> None:
    session = await client.polling()
    await session.send("4before")
    assert await session.packet() == "4before"
    unfinished = await session.begin_post(b"4hello", 4)
    await unfinished.close()
    await session.ended()
