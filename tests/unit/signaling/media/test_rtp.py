"""RTP packets, well-formed and not."""

import pytest
from aiortc.rtp import HeaderExtensionsMap, RtpPacket
from hypothesis import given
from hypothesis import strategies as st

from signaling.media.embedded import rtp, sequence

U16, U32 = st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)


@given(st.integers(0, 127), st.booleans(), U16, U32, U32, st.binary(max_size=50), st.integers(0, 20), st.integers(0, 3))
def test_a_packet_is_read_as_aiortc_writes_it(
    kind: int, marker: bool, number: int, timestamp: int, ssrc: int, payload: bytes, padding: int, sources: int
) -> None:
    written = RtpPacket(kind, int(marker), number, timestamp, ssrc, payload)
    written.padding_size, written.csrc = padding, list(range(sources))
    read = rtp.parse(written.serialize())
    assert read == rtp.Packet(kind, marker * rtp.MARKER, number, timestamp, ssrc, payload, b"", False)


@given(st.binary(max_size=80))
def test_any_bytes_are_a_packet_or_malformed_and_nothing_else(data: bytes) -> None:
    try:
        packet = rtp.parse(data)
    except rtp.MalformedPacket:
        return
    for number in range(16):
        rtp.extension(packet, number)


@pytest.mark.parametrize("cut", ["header", "extension", "padding", "sources"])
def test_a_packet_that_is_cut_off_is_malformed(cut: str) -> None:
    whole = {
        "header": bytes([0x80, 96]) + bytes(9),
        "extension": bytes([0x90, 96]) + bytes(10) + b"\xbe\xde\x00\x05" + bytes(4),
        "padding": bytes([0xA0, 96]) + bytes(10) + b"\x09",
        "sources": bytes([0x8F, 96]) + bytes(30),
    }
    with pytest.raises(rtp.MalformedPacket):
        rtp.parse(whole[cut])


def test_padding_of_no_bytes_is_malformed() -> None:
    with pytest.raises(rtp.MalformedPacket):
        rtp.parse(bytes([0xA0, 96]) + bytes(10) + b"data\x00")


@pytest.mark.parametrize("mid", ["0", "a-mid-of-more-than-16-bytes"])
def test_the_media_section_is_found_among_the_extensions(mid: str) -> None:
    names = HeaderExtensionsMap()
    names._HeaderExtensionsMap__ids.mid, names._HeaderExtensionsMap__ids.abs_send_time = 4, 2  # type: ignore[attr-defined]
    packet = RtpPacket(96, 0, 1, 1, 1, b"data")
    packet.extensions.mid, packet.extensions.abs_send_time = mid, 5
    read = rtp.parse(packet.serialize(names))
    assert rtp.extension(read, 4) == mid.encode()
    assert rtp.extension(read, 3) is None
    assert read.payload == b"data"


def test_a_retransmission_carries_the_number_of_the_original() -> None:
    packet = rtp.Packet(97, 0, 7, 3, 9, rtp.retransmission(b"data", 65_535), b"", False)
    assert rtp.original(packet, 96, 1) == rtp.Packet(96, 0, 65_535, 3, 1, b"data", b"", False)


@pytest.mark.parametrize("payload", [b"", b"\x00"])
def test_a_probe_for_bandwidth_carries_no_original(payload: bytes) -> None:
    assert rtp.original(rtp.Packet(97, 0, 7, 3, 9, payload, b"", False), 96, 1) is None


@given(st.integers(0, 1 << 40), st.integers(-(1 << 15) + 1, (1 << 15) - 1))
def test_numbers_go_on_over_the_wrap(before: int, step: int) -> None:
    assert sequence.extend(before + step & 0xFFFF, before) == before + step
