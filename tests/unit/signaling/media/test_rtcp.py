"""RTCP packets: as aiortc reads and writes them, and broken ones."""

from aiortc.rtp import (
    RtcpByePacket,
    RtcpPacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSdesPacket,
    RtcpSenderInfo,
    RtcpSrPacket,
    pack_remb_fci,
    unpack_remb_fci,
)
from hypothesis import given
from hypothesis import strategies as st

from signaling.media.embedded import rtcp
from signaling.media.embedded.reception import Block

U32 = st.integers(0, 0xFFFFFFFF)
BLOCKS = st.lists(
    st.builds(Block, U32, st.integers(0, 255), st.integers(-(1 << 23), (1 << 23) - 1), U32, U32, U32, U32), max_size=70
)


def read_by_aiortc(data: bytes) -> list[object]:
    return list(RtcpPacket.parse(data))


@given(BLOCKS)
def test_reports_are_read_by_aiortc_and_by_us_as_they_were_written(blocks: list[Block]) -> None:
    data = rtcp.receiver_report(7, blocks)
    assert list(rtcp.parse(data)) == blocks
    theirs = [info for packet in read_by_aiortc(data) for info in packet.reports]  # type: ignore[attr-defined]
    assert theirs == [RtcpReceiverInfo(*block) for block in blocks]


@given(st.sets(st.integers(65_000, 66_500), min_size=1, max_size=rtcp.ASKED // 17))
def test_a_nack_names_each_lost_packet_once_also_over_the_wrap(lost: set[int]) -> None:
    (read,) = rtcp.parse(rtcp.nack(1, 2, sorted(lost)))
    assert isinstance(read, rtcp.Nack)
    assert sorted(read.lost) == sorted(number & 0xFFFF for number in lost)


def test_what_aiortc_asks_is_understood() -> None:
    block = RtcpReceiverInfo(5, 1, -2, 3, 4, 5, 6)
    said = b"".join(
        bytes(one)
        for one in (
            RtcpSrPacket(1, RtcpSenderInfo(2**63, 3, 4, 5), [block]),
            RtcpRrPacket(1, [block]),
            RtcpRtpfbPacket(1, 1, 9, [10, 12, 40]),
            RtcpPsfbPacket(1, 1, 9),
            RtcpPsfbPacket(4, 1, 0, b"\x00\x00\x00\x0b\x01\x00\x00\x00"),
            RtcpPsfbPacket(15, 1, 0, pack_remb_fci(4_160_000, [9])),
            RtcpSdesPacket([]),
            RtcpByePacket([1, 2]),
        )
    )
    read = Block(5, 1, -2, 3, 4, 5, 6)
    assert list(rtcp.parse(said)) == [
        rtcp.SenderReport(1, 2**63, 3, 4, 5),
        read,
        read,
        rtcp.Nack(9, (10, 12, 40)),
        rtcp.KeyFrameWanted(9),
        rtcp.KeyFrameWanted(11),
        rtcp.Remb(4_160_000),
        rtcp.Bye((1, 2)),
    ]


@given(st.integers(0, 1 << 40))
def test_a_rate_is_told_to_within_a_part_in_a_hundred_thousand(bits_per_s: int) -> None:
    (packet,) = read_by_aiortc(rtcp.remb(1, bits_per_s, [5, 6]))
    told, ssrcs = unpack_remb_fci(packet.fci)  # type: ignore[attr-defined]
    assert ssrcs == [5, 6]
    assert 0 <= bits_per_s - told <= bits_per_s / 100_000


def test_our_other_packets_are_read_by_aiortc() -> None:
    said = (
        rtcp.sender_report(1, 2**64 - 1, 2, 2**32 + 3, 4)
        + rtcp.description(1, "name")
        + rtcp.key_frame_wanted(1, 2)
        + rtcp.bye([3])
    )
    report, description, wanted, bye = read_by_aiortc(said)
    assert report == RtcpSrPacket(1, RtcpSenderInfo(2**64 - 1, 2, 3, 4), [])
    assert description.chunks[0].items == [(1, b"name")]  # type: ignore[attr-defined]
    assert wanted == RtcpPsfbPacket(1, 1, 2)
    assert bye == RtcpByePacket([3])


@given(st.binary(max_size=120))
def test_any_bytes_are_read_without_an_error(data: bytes) -> None:
    list(rtcp.parse(data))


@given(st.integers(0, 31), st.sampled_from([200, 201, 203, 205, 206]), st.binary(max_size=80))
def test_any_body_is_read_without_an_error(count: int, kind: int, body: bytes) -> None:
    body = body[: len(body) // 4 * 4]
    list(rtcp.parse(bytes([0x80 | count, kind]) + (len(body) // 4).to_bytes(2, "big") + body))


def test_a_broken_part_does_not_hide_what_came_before_it() -> None:
    said = list(rtcp.parse(rtcp.key_frame_wanted(1, 2) + b"\x80\xc9\xff\xff"))
    assert said == [rtcp.KeyFrameWanted(2)]


def test_a_nack_of_a_whole_datagram_asks_for_no_more_than_is_allowed() -> None:
    (read,) = rtcp.parse(bytes(rtcp.nack(1, 2, range(0, 17 * 400, 17))))
    assert isinstance(read, rtcp.Nack)
    assert len(read.lost) <= rtcp.ASKED
