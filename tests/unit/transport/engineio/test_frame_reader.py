"""FrameReader: the messages of a client, however the network cuts them, at a cost that nobody can drive up."""

import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.transport.engineio.websocket import CloseCode, FrameReader, Message, ProtocolError
from tests.support.raw_websocket import Opcode, close_payload, encode_frame

LIMIT = 1000

masks = st.binary(min_size=4, max_size=4)
sizes = st.integers(0, LIMIT) | st.sampled_from([0, 1, 125, 126, 127, LIMIT])


@st.composite
def messages(draw: st.DrawFn) -> tuple[Message, bytes]:
    """A message or control frame, and its bytes on the wire, in fragments if it is drawn so."""
    opcode = draw(st.sampled_from([Opcode.TEXT, Opcode.BINARY, Opcode.PING, Opcode.PONG]))
    payload = (b"0123456789" * 100)[: draw(sizes)]
    if opcode >= Opcode.CLOSE:
        payload = payload[:125]
        return (opcode, bytearray(payload)), encode_frame(payload, opcode, mask=draw(masks))
    ends = [*sorted(draw(st.lists(st.integers(0, len(payload)), max_size=3))), len(payload)]
    wire, start = b"", 0
    for number, end in enumerate(ends):
        kind = Opcode.CONTINUATION if number else opcode
        wire += encode_frame(payload[start:end], kind, fin=number == len(ends) - 1, mask=draw(masks))
        start = end
    return (opcode, bytearray(payload)), wire


def pieces(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    start = 0
    for cut in [*sorted(cut % (len(data) + 1) for cut in cuts), len(data)]:
        yield data[start:cut]
        start = cut


def pulled(reader: FrameReader, at_most: int | None = None) -> list[Message]:
    found: list[Message] = []
    while len(found) != at_most and (message := reader.next_message()) is not None:
        found.append(message)
    return found


@settings(max_examples=100, deadline=None)
@given(st.lists(messages(), max_size=8), st.lists(st.integers(0), max_size=12))
def test_messages_come_out_as_they_went_in_wherever_the_bytes_are_cut(
    sent: list[tuple[Message, bytes]], cuts: list[int]
) -> None:
    reader, received = FrameReader(LIMIT), []
    for piece in pieces(b"".join(wire for _, wire in sent), cuts):
        reader.receive(piece)
        received += pulled(reader)
    assert received == [message for message, _ in sent]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(messages(), max_size=8),
    st.lists(st.integers(0), max_size=8),
    st.lists(st.integers(0, 3), min_size=9, max_size=9),
)
def test_a_reader_that_has_enough_goes_on_later_where_it_stopped(
    sent: list[tuple[Message, bytes]], cuts: list[int], takes: list[int]
) -> None:
    reader, received = FrameReader(LIMIT), []
    for piece, take in zip(pieces(b"".join(wire for _, wire in sent), cuts), takes, strict=False):
        reader.receive(piece)
        received += pulled(reader, take)
    received += pulled(reader)
    assert received == [message for message, _ in sent]


def test_a_control_frame_within_a_fragmented_message_comes_before_it() -> None:
    reader = FrameReader(LIMIT)
    reader.receive(
        encode_frame("ab", fin=False)
        + encode_frame("now", Opcode.PING)
        + encode_frame("cd", Opcode.CONTINUATION, fin=True)
    )
    assert pulled(reader) == [(Opcode.PING, bytearray(b"now")), (Opcode.TEXT, bytearray(b"abcd"))]


def test_a_message_may_be_as_long_as_the_limit() -> None:
    reader = FrameReader(LIMIT)
    reader.receive(encode_frame(b"x" * LIMIT, Opcode.BINARY))
    assert pulled(reader) == [(Opcode.BINARY, bytearray(b"x" * LIMIT))]


def refused(reader: FrameReader, data: bytes) -> int:
    reader.receive(data)
    with pytest.raises(ProtocolError) as caught:
        reader.next_message()
    return caught.value.code


def test_a_message_over_the_limit_is_refused_before_its_payload_has_come() -> None:
    header = encode_frame(b"", Opcode.BINARY, length=LIMIT + 1)[:8]
    assert refused(FrameReader(LIMIT), header) == CloseCode.TOO_BIG
    assert refused(FrameReader(LIMIT), encode_frame(b"", Opcode.BINARY, length=1 << 63)[:14]) == CloseCode.TOO_BIG


@pytest.mark.parametrize("size", [100, 500])
def test_fragments_over_the_limit_together_are_refused(size: int) -> None:
    reader = FrameReader(LIMIT)
    reader.receive(encode_frame(b"x" * size, Opcode.BINARY, fin=False))
    for _ in range(LIMIT // size - 1):
        reader.receive(encode_frame(b"x" * size, Opcode.CONTINUATION, fin=False))
    assert reader.next_message() is None
    assert refused(reader, encode_frame(b"x" * size, Opcode.CONTINUATION, fin=False)) == CloseCode.TOO_BIG


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (encode_frame("x", reserved=4), CloseCode.PROTOCOL_ERROR),
        (encode_frame("x", mask=None), CloseCode.PROTOCOL_ERROR),
        (encode_frame("x", 3), CloseCode.PROTOCOL_ERROR),
        (encode_frame("x", 11), CloseCode.PROTOCOL_ERROR),
        (encode_frame("x", Opcode.PING, fin=False), CloseCode.PROTOCOL_ERROR),
        (encode_frame(b"x" * 126, Opcode.PING), CloseCode.PROTOCOL_ERROR),
        (encode_frame("x", Opcode.CONTINUATION), CloseCode.PROTOCOL_ERROR),
        (encode_frame("x", length_bytes=2), CloseCode.PROTOCOL_ERROR),
        (encode_frame(b"x" * 200, length_bytes=8), CloseCode.PROTOCOL_ERROR),
        (encode_frame(b"x", Opcode.CLOSE), CloseCode.PROTOCOL_ERROR),
        (encode_frame(close_payload(1005), Opcode.CLOSE), CloseCode.PROTOCOL_ERROR),
        (encode_frame(close_payload(1000, b"\xff"), Opcode.CLOSE), CloseCode.INVALID_DATA),
        (encode_frame(b"a", fin=False) + encode_frame("b"), CloseCode.PROTOCOL_ERROR),
        (encode_frame(b"\xc3", fin=False) + encode_frame(b"(", Opcode.CONTINUATION), CloseCode.INVALID_DATA),
    ],
)
def test_what_rfc_6455_forbids_is_refused(frame: bytes, code: int) -> None:
    assert refused(FrameReader(LIMIT), frame) == code


def cost_of_dripping(after: int) -> float:
    """CPU seconds of two thousand bytes, one by one, when so many of the same message have come."""
    frame, reader = encode_frame(b"x" * (1 << 20), Opcode.BINARY), FrameReader(1 << 20)
    reader.receive(frame[:after])
    assert reader.next_message() is None
    started = time.thread_time()
    for position in range(after, after + 2000):
        reader.receive(frame[position : position + 1])
        assert reader.next_message() is None
    return time.thread_time() - started


def test_a_byte_of_a_megabyte_that_drips_in_costs_no_more_at_the_end_than_at_the_beginning() -> None:
    begun, nearly_done = (min(cost_of_dripping(after) for _ in range(3)) for after in (1000, 1_000_000))
    assert nearly_done < 20 * begun, "copying what has come, for every byte, takes hundreds of times as long"


def cost_of_taking(waiting: int) -> float:
    """CPU seconds of taking a thousand messages while as many come and others wait."""
    reader, frame = FrameReader(LIMIT), encode_frame("x" * 100)
    reader.receive(frame * waiting)
    started = time.thread_time()
    for _ in range(1000):
        assert reader.next_message() is not None
        reader.receive(frame)
    return time.thread_time() - started


def test_messages_that_wait_are_not_copied_for_each_that_is_taken() -> None:
    few, many = (min(cost_of_taking(waiting) for _ in range(3)) for waiting in (20, 20_000))
    assert many < 20 * few, "two megabytes wait; copied a thousand times they would cost hundreds of times as much"
