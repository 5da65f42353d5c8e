"""Header extensions, as they are sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.media.embedded import extensions, rtp
from signaling.media.embedded.extensions import NONE, Numbers
from tests.support.media_streams import OPUS, VP8, Published, Receiver

ids = st.none() | st.integers(1, 14)


@given(ids, ids, st.none() | st.binary(min_size=1, max_size=1), st.floats(0, 1e9))
def test_what_is_written_can_be_read_under_the_receivers_numbers(
    loudness: int | None, sent_at: int | None, value: bytes | None, now_ms: float
) -> None:
    if loudness == sent_at:
        return
    block = extensions.block(Numbers(None, loudness, sent_at), value, now_ms)
    packet = rtp.parse(rtp.header(rtp.first_byte(block), 96, 1, 2, 3) + block + b"payload")
    assert packet.payload == b"payload"
    if loudness is not None:
        assert rtp.extension(packet, loudness) == value
    if sent_at is not None:
        assert rtp.extension(packet, sent_at) == extensions.sent_at(now_ms).to_bytes(3)


def test_without_extensions_a_packet_has_no_block() -> None:
    assert extensions.block(NONE, b"5", 1.0) == b""
    assert rtp.first_byte(b"") == rtp.VERSION_BITS


def test_a_second_is_2_to_the_18_and_the_time_wraps_after_64() -> None:
    assert extensions.sent_at(1000.0) == 1 << 18
    assert extensions.sent_at(65_000.0) == extensions.sent_at(1000.0)


@pytest.mark.parametrize("number", [0, 15, 300, -1])
def test_a_number_that_has_no_place_in_a_short_element_is_none(number: int) -> None:
    assert extensions.numbers([(extensions.SENT_AT, number), ("urn:other", 3)]) is NONE


def test_loudness_is_passed_on_under_the_number_of_each_receiver() -> None:
    published, mine, yours, deaf = Published("audio", loudness=7), Receiver(), Receiver(), Receiver()
    for receiver, numbers in ((mine, Numbers(None, 1, 2)), (yours, Numbers(None, 9, None)), (deaf, NONE)):
        receiver.slot("audio").take(published.stream, 111, None, 0.0, extensions.one_of(numbers))
    published.packet(1, 1000.0, extensions=b"\x70\x85", one_byte=True)
    published.packet(2, 1000.0)
    assert [rtp.extension(one, 1) for one in mine.got] == [b"\x85", None]
    assert [rtp.extension(one, 2) for one in mine.got] == [b"\x04\x00\x00"] * 2
    assert [rtp.extension(one, 9) for one in yours.got] == [b"\x85", None]
    assert [one.extensions for one in deaf.got] == [b"", b""]
    assert {one.payload for receiver in (mine, yours, deaf) for one in receiver.got} == {b"1", b"2"}


def test_what_comes_again_tells_when_it_was_sent_again() -> None:
    published, receiver = Published(), Receiver()
    slot = receiver.slot()
    slot.take(published.stream, 96, 97, 0.0, extensions.one_of(Numbers(sent_at=2)))
    published.packet(1, 1000.0)
    slot.repeat([receiver.got[0].sequence], 2000.0)
    assert [rtp.extension(one, 2) for one in receiver.got] == [b"\x04\x00\x00", b"\x08\x00\x00"]


def test_no_number_is_ever_encrypted_with_two_headers() -> None:
    """AES-GCM gives its key away by that."""
    again = VP8.__class__(**{field: getattr(VP8, field) for field in VP8.__slots__} | {"rtx": None})
    assert extensions.sent(Numbers(4, 1, 2), again) is NONE
    assert extensions.sent(Numbers(4, 1, 2), VP8) == Numbers(None, None, 2)
    assert extensions.sent(Numbers(4, 1, 2), OPUS) == Numbers(None, 1, 2)
    published, receiver = Published("audio"), Receiver()
    slot = receiver.slot("audio")
    slot.take(published.stream, 111, None, 0.0, extensions.one_of(Numbers(None, 1, 2)))
    published.packet(1, 1000.0)
    assert slot.repeat([receiver.got[0].sequence], 2000.0) == 0
