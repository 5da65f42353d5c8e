"""RFC 6455, section 4.2: what the server makes of an opening handshake."""

import asyncio
import base64
import os

import pytest

from tests.conformance.marks import at_normal_ping, strict, stricter_than_node
from tests.support.raw_client import Client
from tests.support.raw_engineio import ENGINE_PATH
from tests.support.raw_http import Ended, request
from tests.support.raw_websocket import KEY, RawWebSocket, accept_of, encode_frame, handshake

pytestmark = at_normal_ping

TARGET = f"{ENGINE_PATH}?EIO=4&transport=websocket"


async def refusal(client: Client, data: bytes) -> tuple[int | None, dict[str, str]]:
    """Status and headers of the answer to a handshake; a status of None where the connection ends instead."""
    connection = await client.connection()
    connection.send(data)
    try:
        return await connection.head()
    except Ended:
        return None, {}


async def refused_with(client: Client, data: bytes) -> int | None:
    """The status of `refusal`."""
    return (await refusal(client, data))[0]


async def opened(client: Client, data: bytes) -> dict[str, str]:
    """The headers of the answer to a handshake that has to succeed, and be followed by the open packet."""
    connection = await client.connection()
    connection.send(data)
    status, headers = await connection.head()
    assert status == 101
    assert (await RawWebSocket(connection).frame()).payload.startswith(b"0{")
    return headers


async def test_the_answer_proves_that_the_key_was_read(client: Client) -> None:
    headers = await opened(client, handshake(TARGET))
    assert headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" == accept_of(KEY)
    assert headers["upgrade"].lower() == "websocket"
    assert headers["connection"].lower() == "upgrade"


async def test_each_key_has_its_own_answer(client: Client) -> None:
    for _ in range(3):
        key = base64.b64encode(os.urandom(16)).decode()
        headers = await opened(client, handshake(TARGET, Sec_WebSocket_Key=key))
        assert headers["sec-websocket-accept"] == accept_of(key)


@pytest.mark.parametrize(
    "headers",
    [
        {"Upgrade": "WebSocket"},
        {"Connection": "upgrade"},
        {"Connection": "keep-alive, Upgrade"},
        {"Connection": "Upgrade,keep-alive"},
        {"Cookie": "c" * 4_000},
        {"Origin": "http://127.0.0.1"},
        {"X_Empty": ""},
    ],
    ids=lambda headers: next(iter(headers.items()))[1][:20] or "empty value",
)
async def test_what_browsers_and_proxies_send_is_accepted(client: Client, headers: dict[str, str]) -> None:
    await opened(client, handshake(TARGET, **headers))


async def test_names_of_headers_are_case_insensitive(client: Client) -> None:
    head = f"GET {TARGET} HTTP/1.1\r\nhost: x\r\nUPGRADE: websocket\r\nconnection: Upgrade\r\n"
    await opened(client, f"{head}sec-websocket-version: 13\r\nSEC-WEBSOCKET-KEY:{KEY}\r\n\r\n".encode())


@pytest.mark.parametrize(
    "key",
    [
        None,
        "",
        "AAAA",
        "A" * 24,
        base64.b64encode(bytes(15)).decode(),
        base64.b64encode(bytes(17)).decode(),
        KEY.replace("=", ""),
        KEY.replace("d", "-"),
        f"{KEY}{KEY}",
    ],
    ids=lambda key: repr(key)[:40],
)
async def test_a_key_that_is_not_16_bytes_in_base64_is_refused(client: Client, key: str | None) -> None:
    assert await refused_with(client, handshake(TARGET, Sec_WebSocket_Key=key)) == 400


async def test_a_key_that_comes_twice_is_refused(client: Client) -> None:
    """Section 11.3.1: the header must not appear more than once."""
    doubled = handshake(TARGET).replace(b"\r\n\r\n", f"\r\nSec-WebSocket-Key: {KEY}\r\n\r\n".encode())
    assert await refused_with(client, doubled) == 400


@pytest.mark.parametrize("version", [None, "", "7", "14", "x", *(strict(version) for version in ("8", "013", "13.0"))])
async def test_another_version_is_refused_and_the_right_one_named(client: Client, version: str | None) -> None:
    """Sections 4.2.2 and 4.4. The reference implementation takes 8, a draft of 2010, and reads the rest as numbers."""
    status, headers = await refusal(client, handshake(TARGET, Sec_WebSocket_Version=version))
    assert status in (400, 426)
    assert "13" in headers["sec-websocket-version"]


@pytest.mark.parametrize("method", ["POST", "PUT", "HEAD", "get"])
async def test_a_handshake_is_a_get(client: Client, method: str) -> None:
    assert await refused_with(client, handshake(TARGET, method)) in (400, 405, None)


@stricter_than_node
async def test_a_handshake_is_http_1_1_at_least(client: Client) -> None:
    """Section 4.1. The reference implementation does not look."""
    assert await refused_with(client, handshake(TARGET).replace(b"HTTP/1.1", b"HTTP/1.0")) in (400, 426, 505, None)


@pytest.mark.parametrize(
    "headers",
    [{"Upgrade": None}, {"Connection": None}, {"Upgrade": "h2c"}, {"Connection": "close"}],
    ids=str,
)
async def test_a_request_that_asks_for_no_websocket_gets_none(client: Client, headers: dict[str, str | None]) -> None:
    assert await refused_with(client, handshake(TARGET, **headers)) in (400, 426)


@stricter_than_node
async def test_a_handshake_names_its_host(client: Client) -> None:
    """Section 4.2.1. The reference implementation does not look."""
    assert await refused_with(client, handshake(TARGET).replace(b"Host: 127.0.0.1\r\n", b"")) == 400


@pytest.mark.parametrize(
    "line",
    [b"no colon", b"X-Space : 1", b"X-Null: a\0b", b": nameless", b"X-Bare: a\nb", b" folded", b"X (y): 1"],
    ids=repr,
)
async def test_a_malformed_header_is_refused(client: Client, line: bytes) -> None:
    """RFC 9112, section 5. What two servers in a row read differently lets requests be smuggled."""
    data = handshake(TARGET).replace(b"\r\n\r\n", b"\r\n" + line + b"\r\n\r\n")
    assert await refused_with(client, data) in (400, None)


@pytest.mark.parametrize("line", ["GET", f"GET {TARGET} HTTP/1.1 x", strict(f"GET {TARGET}")], ids=repr)
async def test_a_malformed_request_line_is_refused(client: Client, line: str) -> None:
    """RFC 9112, section 3. The reference implementation takes the last for HTTP/0.9, and waits."""
    data = handshake(TARGET).replace(f"GET {TARGET} HTTP/1.1".encode(), line.encode())
    assert await refused_with(client, data) in (400, 505, None)


async def test_a_head_of_100_kilobytes_is_refused(client: Client) -> None:
    assert await refused_with(client, handshake(TARGET, X_Long="x" * 100_000)) in (400, 431, None)


async def test_a_head_without_end_is_not_read_for_ever(client: Client) -> None:
    endless = handshake(TARGET)[:-2] + b"X-More: and more\r\n" * 60_000
    assert await refused_with(client, endless) in (400, 431, None)


async def test_another_path_is_not_found(client: Client) -> None:
    assert await refused_with(client, handshake("/elsewhere/?EIO=4&transport=websocket")) in (400, 404, None)


async def test_the_head_may_come_byte_by_byte(client: Client) -> None:
    connection = await client.connection()
    for byte in handshake(TARGET):
        connection.send(bytes((byte,)))
        await asyncio.sleep(0)
    assert (await connection.head())[0] == 101


async def test_a_websocket_may_follow_other_requests_on_its_connection(client: Client) -> None:
    """A proxy, or a browser that has just polled, sends the handshake on a connection that is kept alive."""
    connection = await client.connection()
    for _ in range(2):
        connection.send(request("GET", f"{ENGINE_PATH}?EIO=4&transport=polling"))
        assert (await connection.response()).status == 200
    connection.send(handshake(TARGET))
    assert (await connection.head())[0] == 101
    socket = RawWebSocket(connection)
    assert (await socket.frame()).payload.startswith(b"0{")
    socket.send(encode_frame("4hello"))
    assert (await socket.frame()).payload == b"4hello"


@pytest.mark.parametrize(
    "offer",
    [
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; server_no_context_takeover, permessage-deflate",
        "x-webkit-deflate-frame",
        "nonsense; =;,",
    ],
)
async def test_no_extension_is_negotiated(client: Client, offer: str) -> None:
    """Section 9.1: the server may decline. Compression would cost 0.1 MB a connection (RFC 7692)."""
    headers = await opened(client, handshake(TARGET, Sec_WebSocket_Extensions=offer))
    assert "sec-websocket-extensions" not in headers


async def test_a_subprotocol_is_one_of_those_offered_or_none(client: Client) -> None:
    """Section 4.2.2: the server must not choose another."""
    headers = await opened(client, handshake(TARGET, Sec_WebSocket_Protocol="chat, superchat"))
    assert headers.get("sec-websocket-protocol", "chat") in ("chat", "superchat")


async def test_no_subprotocol_is_chosen_where_none_is_offered(client: Client) -> None:
    assert "sec-websocket-protocol" not in await opened(client, handshake(TARGET))
