"""The frames that the engine makes: what a client reads from them, and what long-polling takes from them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.transport.engineio.websocket import BINARY, CLOSE, TEXT, close_frame, frame, payloads_of

sizes = st.integers(0, 200) | st.sampled_from([125, 126, 65_535, 65_536, 70_000])
payloads = st.tuples(st.sampled_from([TEXT, BINARY]), sizes.map(lambda size: b"x" * size))


@settings(deadline=None)
@given(st.lists(payloads, max_size=6))
def test_frames_one_after_the_other_give_back_their_payloads_in_order(sent: list[tuple[int, bytes]]) -> None:
    assert list(payloads_of(b"".join(frame(payload, opcode) for opcode, payload in sent))) == sent


@pytest.mark.parametrize(
    ("size", "header"),
    [
        (0, b"\x81\x00"),
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (65_535, b"\x81\x7e\xff\xff"),
        (65_536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_a_frame_is_final_unmasked_and_has_its_length_in_the_shortest_form(size: int, header: bytes) -> None:
    payload = b"x" * size
    assert frame(payload) == header + payload
    assert frame(payload, BINARY) == b"\x82" + header[1:] + payload


@settings(deadline=None)
@given(st.text(max_size=200))
def test_a_close_frame_fits_into_a_control_frame_and_never_ends_within_a_character(reason: str) -> None:
    [(opcode, payload)] = payloads_of(close_frame(4008, reason))
    assert opcode == CLOSE
    assert payload[:2] == (4008).to_bytes(2, "big")
    assert len(payload) <= 125
    assert reason.startswith(payload[2:].decode())
    assert len(payload) > 120 or payload[2:].decode() == reason
