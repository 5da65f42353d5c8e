"""RFC 6455, section 5: frames of every size and shape, wherever TCP cuts them; and those that are none."""

import asyncio
import os

import pytest

from tests.conformance.marks import at_normal_ping, stricter_than_node
from tests.support.bare_server import MAX_PAYLOAD
from tests.support.raw_client import Client
from tests.support.raw_websocket import Close, Frame, Opcode, close_payload, encode_frame

pytestmark = at_normal_ping

PING = encode_frame(b"here", Opcode.PING)
PONG = Frame(Opcode.PONG, b"here")
ECHO = encode_frame("4echo")
RESERVED_OPCODES = (*range(3, 8), *range(11, 16))


@pytest.mark.parametrize("size", [1, 2, 124, 125, 126, 127, 128, 65_534, 65_535, 65_536, 65_537, MAX_PAYLOAD])
async def test_text_of_every_size_comes_back(client: Client, size: int) -> None:
    """The lengths at which the header changes its form; RawWebSocket checks that the server's has the shortest."""
    session = await client.websocket()
    text = b"4" + b"x" * (size - 1)
    session.socket.send(encode_frame(text))
    assert await session.socket.frame() == Frame(Opcode.TEXT, text)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, MAX_PAYLOAD])
async def test_bytes_of_every_size_come_back(client: Client, size: int) -> None:
    session = await client.websocket()
    data = os.urandom(size)
    session.socket.send(encode_frame(data, Opcode.BINARY))
    assert await session.socket.frame() == Frame(Opcode.BINARY, data)


@pytest.mark.parametrize("mask", [bytes(4), b"\xff" * 4, b"\x00\x00\x00\x01", b"4444"], ids=bytes.hex)
async def test_every_masking_key_is_undone(client: Client, mask: bytes) -> None:
    """At sizes that leave a rest of every kind, for code that takes several bytes at once."""
    session = await client.websocket()
    for size in range(1, 67):
        data = os.urandom(size)
        session.socket.send(encode_frame(data, Opcode.BINARY, mask=mask))
        assert await session.socket.frame() == Frame(Opcode.BINARY, data)


async def test_many_frames_in_one_piece_are_all_read_in_order(client: Client) -> None:
    session = await client.websocket()
    packets = [f"4{number}" for number in range(500)]
    await session.send(*packets)
    assert [await session.packet() for _ in packets] == packets


@pytest.mark.parametrize("size", [3, 200, 66_000], ids=["7-bit", "16-bit", "64-bit"])
async def test_a_frame_may_be_cut_anywhere_in_its_header(client: Client, size: int) -> None:
    """A ping in one piece with the first part: its pong proves that the server has read so far and waits for more."""
    session = await client.websocket()
    text = b"4" + b"x" * (size - 1)
    frame = encode_frame(text)
    for cut in range(1, min(18, len(frame))):
        session.socket.send(PING, frame[:cut])
        assert await session.socket.frame() == PONG
        session.socket.send(frame[cut:])
        assert await session.socket.frame() == Frame(Opcode.TEXT, text)


async def test_messages_may_be_cut_anywhere(client: Client) -> None:
    """Two messages, one of them fragmented round a ping, cut once at each of their bytes."""
    session = await client.websocket()
    data = encode_frame("4one") + encode_frame("4t", fin=False) + PING + encode_frame("wo", Opcode.CONTINUATION)
    for cut in range(1, len(data)):
        session.socket.send(PING, data[:cut])
        assert await session.socket.frame() == PONG
        session.socket.send(data[cut:])
        frames = [await session.socket.frame() for _ in range(3)]
        assert [frame for frame in frames if frame != PONG] == [Frame(1, b"4one"), Frame(1, b"4two")]


async def test_messages_may_come_byte_by_byte(client: Client) -> None:
    session = await client.websocket()
    for byte in encode_frame("4" + "x" * 200) + PING + encode_frame(b"\x00" * 300, Opcode.BINARY) + ECHO:
        session.socket.send(bytes((byte,)))
        await asyncio.sleep(0)
    frames = [await session.socket.frame() for _ in range(4)]
    assert PONG in frames
    frames.remove(PONG)
    assert [frame.payload for frame in frames] == [b"4" + b"x" * 200, b"\x00" * 300, b"4echo"]


@pytest.mark.parametrize("payload", [b"", b"p", b"\x00\xff\xfe binary", b"p" * 125], ids=len)
async def test_a_pong_has_the_payload_of_its_ping(client: Client, payload: bytes) -> None:
    session = await client.websocket()
    session.socket.send(encode_frame(payload, Opcode.PING))
    assert await session.socket.frame() == Frame(Opcode.PONG, payload)


async def test_pings_are_answered_in_order(client: Client) -> None:
    session = await client.websocket()
    payloads = [b"%d" % number for number in range(20)]
    session.socket.send(*(encode_frame(payload, Opcode.PING) for payload in payloads))
    assert [await session.socket.frame() for _ in payloads] == [Frame(Opcode.PONG, payload) for payload in payloads]


@pytest.mark.parametrize("payload", [b"", b"unasked", b"\xff" * 125], ids=len)
async def test_a_pong_that_nobody_asked_for_is_passed_over(client: Client, payload: bytes) -> None:
    session = await client.websocket()
    session.socket.send(encode_frame(payload, Opcode.PONG), ECHO)
    assert await session.socket.frame() == Frame(Opcode.TEXT, b"4echo")


async def violate(client: Client, *frames: bytes) -> Close:
    """How the server closes after these frames. What follows them must not be read: it would be echoed."""
    session = await client.websocket()
    session.socket.send(*frames, ECHO)
    return await session.socket.closed()


@pytest.mark.parametrize("reserved", range(1, 8), ids="{:03b}".format)
@pytest.mark.parametrize("opcode", [Opcode.TEXT, Opcode.BINARY, Opcode.PING, Opcode.PONG, Opcode.CLOSE], ids=str)
async def test_a_reserved_bit_is_a_violation(client: Client, reserved: int, opcode: Opcode) -> None:
    """No extension is negotiated that would give them a meaning."""
    payload = close_payload(1000) if opcode is Opcode.CLOSE else b"4bits"
    assert (await violate(client, encode_frame(payload, opcode, reserved=reserved))).code == 1002


@pytest.mark.parametrize("reserved", [1, 2, 4], ids="{:03b}".format)
async def test_a_reserved_bit_in_a_continuation_is_a_violation(client: Client, reserved: int) -> None:
    begin, end = encode_frame("4a", fin=False), encode_frame("b", Opcode.CONTINUATION, reserved=reserved)
    assert (await violate(client, begin, end)).code == 1002


@pytest.mark.parametrize("payload", [b"", b"4reserved"], ids=["empty", "with payload"])
@pytest.mark.parametrize("opcode", RESERVED_OPCODES)
async def test_a_reserved_opcode_is_a_violation(client: Client, opcode: int, payload: bytes) -> None:
    assert (await violate(client, encode_frame(payload, opcode))).code == 1002


@pytest.mark.parametrize("opcode", RESERVED_OPCODES)
async def test_a_reserved_opcode_between_fragments_is_a_violation(client: Client, opcode: int) -> None:
    assert (await violate(client, encode_frame("4a", fin=False), encode_frame("", opcode))).code == 1002


@pytest.mark.parametrize(
    ("payload", "opcode"),
    [("4bare", Opcode.TEXT), ("bare", Opcode.BINARY), ("bare", Opcode.PING), (close_payload(1000), Opcode.CLOSE)],
    ids=["text", "binary", "ping", "close"],
)
async def test_a_frame_without_a_mask_is_a_violation(client: Client, payload: str | bytes, opcode: Opcode) -> None:
    """Section 5.1: the server must close then, so that no client can choose the bytes that proxies see."""
    assert (await violate(client, encode_frame(payload, opcode, mask=None))).code == 1002


@pytest.mark.parametrize("opcode", [Opcode.PING, Opcode.PONG, Opcode.CLOSE], ids=str)
@pytest.mark.parametrize("size", [126, 65_536])
async def test_a_control_frame_above_125_bytes_is_a_violation(client: Client, opcode: Opcode, size: int) -> None:
    payload = (close_payload(1000) + b"x" * size)[:size]
    assert (await violate(client, encode_frame(payload, opcode))).code == 1002


@pytest.mark.parametrize("opcode", [Opcode.PING, Opcode.PONG, Opcode.CLOSE], ids=str)
async def test_a_fragmented_control_frame_is_a_violation(client: Client, opcode: Opcode) -> None:
    payload = close_payload(1000)
    frames = encode_frame(payload, opcode, fin=False), encode_frame(b"", Opcode.CONTINUATION)
    assert (await violate(client, *frames)).code == 1002


async def test_a_violation_is_answered_although_the_frame_is_not_complete(client: Client) -> None:
    """The first two bytes tell; a server that waits for the rest may wait for ever."""
    session = await client.websocket()
    session.socket.send(encode_frame("4never", 3)[:2])
    assert (await session.socket.closed()).code == 1002


@stricter_than_node
@pytest.mark.parametrize(("size", "length_bytes"), [(5, 2), (125, 2), (5, 8), (125, 8), (126, 8), (65_535, 8)], ids=str)
async def test_a_length_in_more_bytes_than_needed_is_a_violation(client: Client, size: int, length_bytes: int) -> None:
    """Section 5.2: "the minimal number of bytes MUST be used to encode the length".

    The reference implementation reads such frames. No client writes them, and a frame has one form only.
    """
    frame = encode_frame(b"4" + b"x" * (size - 1), length_bytes=length_bytes)
    assert (await violate(client, frame)).code == 1002


@stricter_than_node
async def test_a_control_frame_with_an_extended_length_is_a_violation(client: Client) -> None:
    assert (await violate(client, encode_frame("here", Opcode.PING, length_bytes=2))).code == 1002


@pytest.mark.parametrize("length", [1 << 63, (1 << 64) - 1], ids=hex)
async def test_a_length_with_the_highest_bit_is_a_violation(client: Client, length: int) -> None:
    """Section 5.2: it must be 0. It is too big besides, so either code is right."""
    assert (await violate(client, encode_frame("4", length=length))).code in (1002, 1009)


@pytest.mark.parametrize("opcode", [Opcode.TEXT, Opcode.BINARY], ids=str)
@pytest.mark.parametrize("length", [MAX_PAYLOAD + 1, 1 << 32, (1 << 63) - 1])
async def test_a_message_that_is_too_big_is_refused_by_its_header(client: Client, opcode: Opcode, length: int) -> None:
    """Nothing of its payload is sent: the server has to know from the length, and to hold no memory for it."""
    session = await client.websocket()
    session.socket.send(encode_frame(b"", opcode, length=length))
    assert (await session.socket.closed()).code == 1009


async def test_a_message_that_is_too_big_is_refused_while_it_comes(client: Client) -> None:
    assert (await violate(client, encode_frame(b"4" * (MAX_PAYLOAD + 1)))).code == 1009


async def test_a_session_is_over_after_a_violation(client: Client) -> None:
    session = await client.websocket()
    session.socket.send(encode_frame("4x", reserved=2))
    await session.socket.closed()
    await client.forgets(session)
