"""RFC 6455, section 5.4: messages in fragments, with control frames between them."""

import pytest

from tests.conformance.marks import at_normal_ping
from tests.support.bare_server import MAX_PAYLOAD
from tests.support.raw_client import Client
from tests.support.raw_websocket import Close, Frame, Opcode, close_payload, encode_frame

pytestmark = at_normal_ping


def fragments(*parts: bytes | str, opcode: Opcode = Opcode.TEXT) -> list[bytes]:
    """A message in frames of these payloads."""
    last = len(parts) - 1
    return [
        encode_frame(part, Opcode.CONTINUATION if number else opcode, fin=number == last)
        for number, part in enumerate(parts)
    ]


@pytest.mark.parametrize(
    "parts",
    [
        ("4hel", "lo"),
        ("4", "h", "e", "l", "l", "o"),
        ("", "4hello"),
        ("4hello", ""),
        ("", "", "4", "", "hello", "", ""),
        ("4" + "x" * 125, "y" * 126),
        ("4" + "x" * 65_535, "y" * 65_536, "z"),
        ("4" + "x" * (MAX_PAYLOAD - 2), "y"),
        ("4", *"x" * 2_000),
    ],
    ids=lambda parts: ",".join(str(len(part)) for part in parts[:8]),
)
async def test_the_parts_of_a_text_are_put_together(client: Client, parts: tuple[str, ...]) -> None:
    session = await client.websocket()
    session.socket.send(*fragments(*parts))
    assert await session.packet() == "".join(parts)


@pytest.mark.parametrize(
    "parts", [(b"\x00\xff", b"\xfe"), (b"", b""), (b"4", b"", b"\x1e")], ids=lambda parts: b"|".join(parts).hex()
)
async def test_the_parts_of_a_binary_message_are_put_together(client: Client, parts: tuple[bytes, ...]) -> None:
    session = await client.websocket()
    session.socket.send(*fragments(*parts, opcode=Opcode.BINARY))
    assert await session.packet() == b"".join(parts)


async def test_fragmented_and_whole_messages_keep_their_order(client: Client) -> None:
    session = await client.websocket()
    for _ in range(3):
        session.socket.send(
            encode_frame("4a"),
            *fragments("4", "b"),
            *fragments(b"c", b"d", opcode=Opcode.BINARY),
            encode_frame(b"e", Opcode.BINARY),
            *fragments("4", "", "f"),
        )
    received = [await session.packet() for _ in range(15)]
    assert received == ["4a", "4b", b"cd", b"e", "4f"] * 3


async def test_a_ping_between_fragments_is_answered_before_the_message(client: Client) -> None:
    session = await client.websocket()
    begin, middle, end = fragments("4o", "n", "e")
    session.socket.send(begin, encode_frame("first", Opcode.PING), middle)
    assert await session.socket.frame() == Frame(Opcode.PONG, b"first")
    session.socket.send(encode_frame("second", Opcode.PING), encode_frame("unasked", Opcode.PONG), end)
    assert await session.socket.frame() == Frame(Opcode.PONG, b"second")
    assert await session.socket.frame() == Frame(Opcode.TEXT, b"4one")


async def test_a_close_between_fragments_is_answered_and_the_message_dropped(client: Client) -> None:
    session = await client.websocket()
    begin, end = fragments("4o", "ne")
    session.socket.send(begin)
    session.socket.send_close(close_payload(1000), end)
    assert await session.socket.closed() == Close(1000)


@pytest.mark.parametrize(
    "frames",
    [
        [encode_frame("4x", Opcode.CONTINUATION)],
        [encode_frame("4x", Opcode.CONTINUATION, fin=False)],
        [encode_frame("", Opcode.CONTINUATION)],
        [*fragments("4a", "b"), encode_frame("c", Opcode.CONTINUATION)],
        [encode_frame("4a"), encode_frame("b", Opcode.CONTINUATION)],
    ],
    ids=["final", "not final", "empty", "after fragments", "after a whole message"],
)
async def test_a_continuation_of_nothing_is_a_violation(client: Client, frames: list[bytes]) -> None:
    session = await client.websocket()
    session.socket.send(*frames)
    assert (await session.socket.closed(passing_over=[b"4ab", b"4a"])).code == 1002


@pytest.mark.parametrize("opcode", [Opcode.TEXT, Opcode.BINARY], ids=str)
@pytest.mark.parametrize("fin", [True, False], ids=["final", "not final"])
async def test_a_message_within_a_message_is_a_violation(client: Client, opcode: Opcode, fin: bool) -> None:
    session = await client.websocket()
    session.socket.send(encode_frame("4a", fin=False), encode_frame("4b", opcode, fin=fin))
    assert (await session.socket.closed()).code == 1002


@pytest.mark.parametrize("last", [b"", b"y"], ids=["in the middle", "at the end"])
async def test_fragments_that_are_too_big_together_are_refused(client: Client, last: bytes) -> None:
    session = await client.websocket()
    half = MAX_PAYLOAD // 2
    begin, middle, end = fragments(b"4" + b"x" * (half - 1), b"x" * (half + (not last)), last)
    session.socket.send(begin, middle, end)
    assert (await session.socket.closed()).code == 1009


async def test_a_fragment_that_makes_it_too_big_is_refused_by_its_header(client: Client) -> None:
    """Nothing of its payload is sent: the server has to know from the length, and to hold no memory for it."""
    session = await client.websocket()
    session.socket.send(encode_frame("4begin", fin=False))
    session.socket.send(encode_frame("", Opcode.CONTINUATION, length=MAX_PAYLOAD - 5))
    assert (await session.socket.closed()).code == 1009


async def test_empty_fragments_without_end_keep_the_connection_alive_and_answering(client: Client) -> None:
    session = await client.websocket()
    session.socket.send(encode_frame("4", fin=False), *[encode_frame("", Opcode.CONTINUATION, fin=False)] * 10_000)
    session.socket.send(encode_frame("here", Opcode.PING), encode_frame("x", Opcode.CONTINUATION))
    assert await session.socket.frame() == Frame(Opcode.PONG, b"here")
    assert await session.packet() == "4x"
