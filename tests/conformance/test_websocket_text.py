"""RFC 6455, section 8.1: text is UTF-8, wherever it is cut, and whatever the layers above would make of it."""

import pytest

from tests.conformance.marks import at_normal_ping
from tests.support.raw_client import Client
from tests.support.raw_engineio import ENGINE_PATH, SOCKET_PATH, WebSocketSession
from tests.support.raw_websocket import Frame, Opcode, encode_frame

pytestmark = at_normal_ping

VALID = (
    "κόσμε",
    "\x00",
    "\x7f\x80\u07ff\u0800\uffff",
    "\ud7ff\ue000\ufffd\ufffe",
    "\U00010000\U0010ffff",
    "👩‍👩‍👧",
    "\ufeffmark",
)
INVALID = {
    "a continuation byte alone": b"\x80",
    "two of them": b"\xbf\x80",
    "two-byte sequence cut short": b"\xc3",
    "three-byte sequence cut short": b"\xe2\x82",
    "four-byte sequence cut short": b"\xf0\x9f\x98",
    "sequence broken by a letter": b"\xe2\x82x",
    "overlong slash in 2 bytes": b"\xc0\xaf",
    "overlong slash in 3 bytes": b"\xe0\x80\xaf",
    "overlong slash in 4 bytes": b"\xf0\x80\x80\xaf",
    "overlong null": b"\xc0\x80",
    "first half of a surrogate pair": b"\xed\xa0\x80",
    "second half of a surrogate pair": b"\xed\xbf\xbf",
    "both halves": b"\xed\xa0\x80\xed\xb0\x80",
    "above U+10FFFF": b"\xf4\x90\x80\x80",
    "five bytes": b"\xf8\x88\x80\x80\x80",
    "FE": b"\xfe",
    "FF": b"\xff",
}
invalid = pytest.mark.parametrize("data", INVALID.values(), ids=list(INVALID))


async def connected(client: Client) -> WebSocketSession:
    """A session that is connected to the main namespace of Socket.IO."""
    session = await client.websocket(SOCKET_PATH)
    await session.send("40")
    await session.packet()
    await session.packet()
    return session


@pytest.mark.parametrize("text", VALID, ids=ascii)
async def test_valid_text_comes_back(client: Client, text: str) -> None:
    session = await client.websocket()
    await session.send(f"4{text}")
    assert await session.packet() == f"4{text}"


@pytest.mark.parametrize("text", VALID, ids=ascii)
async def test_a_character_may_be_cut_by_fragments(client: Client, text: str) -> None:
    session = await client.websocket()
    data = f"4{text}".encode()
    for cut in range(len(data) + 1):
        session.socket.send(encode_frame(data[:cut], fin=False), encode_frame(data[cut:], Opcode.CONTINUATION))
        assert await session.packet() == f"4{text}"
    single = [encode_frame(bytes((byte,)), Opcode.CONTINUATION, fin=False) for byte in data]
    session.socket.send(encode_frame("", fin=False), *single, encode_frame("", Opcode.CONTINUATION))
    assert await session.packet() == f"4{text}"


@invalid
async def test_invalid_text_is_refused(client: Client, data: bytes) -> None:
    session = await client.websocket()
    session.socket.send(encode_frame(b"4before " + data))
    assert (await session.socket.closed()).code == 1007


@invalid
async def test_invalid_text_is_refused_in_fragments_as_well(client: Client, data: bytes) -> None:
    for cut in range(len(data) + 1):
        session = await client.websocket()
        begin, end = encode_frame(b"4" + data[:cut], fin=False), encode_frame(data[cut:], Opcode.CONTINUATION)
        session.socket.send(begin, end)
        assert (await session.socket.closed()).code == 1007


@invalid
async def test_invalid_text_in_an_event_is_refused(client: Client, data: bytes) -> None:
    """Where the JSON is parsed straight from the frame: the parser's error has to become 1007, and no other code."""
    session = await connected(client)
    session.socket.send(encode_frame(b'42["message","' + data + b'"]'))
    assert (await session.socket.closed()).code == 1007


@pytest.mark.parametrize(
    "data",
    [
        b"\xff",
        b"1\xff",
        b"2\xff",
        b"3\xff",
        b"4\xff",
        b"5\xff",
        b"6\xff",
        b"42\xff",
        b'42\xff["message"]',
        b'421\xff["message"]',
        b'42["message"]\xff',
        b'42/\xff,["message"]',
        b'42["\xff"]',
        b'4\xff2["message"]',
        b"43\xff[]",
        b"40/\xff,",
        b'451-\xff["message"]',
    ],
    ids=repr,
)
async def test_invalid_text_in_any_packet_is_refused(client: Client, data: bytes) -> None:
    """Also where the packet is unknown or would be passed over: that it is not UTF-8 comes first."""
    session = await connected(client)
    session.socket.send(encode_frame(data))
    assert (await session.socket.closed()).code == 1007


@pytest.mark.parametrize("path", [ENGINE_PATH, SOCKET_PATH])
@pytest.mark.parametrize("data", [b"2probe\xff", b"\xff", b"5\xff"], ids=repr)
async def test_invalid_text_instead_of_a_probe_is_refused(client: Client, path: str, data: bytes) -> None:
    session = await client.polling(path)
    candidate = await client.candidate(session)
    candidate.socket.send(encode_frame(data))
    assert (await candidate.socket.closed()).code == 1007


async def test_bytes_that_are_no_text_are_binary_data(client: Client) -> None:
    session = await client.websocket()
    for data in INVALID.values():
        session.socket.send(encode_frame(data, Opcode.BINARY))
        assert await session.socket.frame() == Frame(Opcode.BINARY, data)
