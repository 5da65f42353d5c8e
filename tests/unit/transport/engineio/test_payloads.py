"""The payloads of long-polling: the same packets as over a WebSocket, several in one body."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.transport.engineio.packets import MAX_PACKETS_A_POST, decode_payload, encode_payload
from hub.transport.engineio.websocket import BINARY, TEXT, CloseCode, ProtocolError, frame

texts = st.text(st.characters(exclude_characters="\x1e", exclude_categories=["Cs"]), max_size=30)
packets = st.one_of(
    texts.map(lambda text: (TEXT, b"4" + text.encode())),
    st.sampled_from([(TEXT, b"2"), (TEXT, b"3"), (TEXT, b"6")]),
    st.binary(max_size=30).map(lambda data: (BINARY, data)),
)


@settings(deadline=None)
@given(st.lists(st.lists(packets, min_size=1, max_size=4), min_size=1, max_size=5))
def test_a_body_has_the_packets_of_all_frames_in_order(sent: list[list[tuple[int, bytes]]]) -> None:
    frames = [b"".join(frame(payload, opcode) for opcode, payload in together) for together in sent]
    decoded = [(opcode, bytes(payload)) for opcode, payload in decode_payload(encode_payload(frames))]
    assert decoded == [packet for together in sent for packet in together]


def test_binary_is_base64_after_a_letter_b() -> None:
    assert encode_payload([frame(b"4a"), frame(b"\x00\xff", BINARY)]) == b"4a\x1eb" + base64.b64encode(b"\x00\xff")


@pytest.mark.parametrize("body", [b"", b"4a\x1e", b"\x1e4a", b"7", b"x", b"b!", b"bAA", b"bAA==\n"])
def test_what_is_no_packet_is_refused(body: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        decode_payload(body)
    assert caught.value.code == CloseCode.PROTOCOL_ERROR


def test_a_body_that_is_not_utf_8_is_refused_as_such() -> None:
    with pytest.raises(ProtocolError) as caught:
        decode_payload(b"4\xff")
    assert caught.value.code == CloseCode.INVALID_DATA


def test_a_body_may_have_so_many_packets_and_no_more() -> None:
    assert len(decode_payload(b"\x1e".join([b"2"] * MAX_PACKETS_A_POST))) == MAX_PACKETS_A_POST
    with pytest.raises(ProtocolError):
        decode_payload(b"\x1e".join([b"2"] * (MAX_PACKETS_A_POST + 1)))
