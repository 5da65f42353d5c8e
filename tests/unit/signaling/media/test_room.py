"""Who of a room gets which stream."""

from signaling.media.embedded import extensions, repeats, rtcp
from signaling.media.embedded.codecs import Codec
from signaling.media.embedded.extensions import Numbers
from signaling.media.embedded.offer import Section
from signaling.media.embedded.reception import Block
from signaling.media.embedded.room import Room, Stream
from tests.support.media_streams import CODECS, OPUS, VP8, NotedPeer, section

BOTH = [section("0", "audio", receives=True), section("1", "video", receives=True)]


def joined(room: Room, leg: str, *sections: Section) -> NotedPeer:
    noted = NotedPeer(leg)
    room.join(noted.peer, 0.0)
    room.negotiate(noted.peer, sections, 0.0)
    return noted


def labels(room: Room, noted: NotedPeer, *sections: Section) -> list[str | None]:
    return [one.sent.label if one.sent else None for one in room.negotiate(noted.peer, sections, 0.0)]


def test_a_section_that_receives_gets_the_first_stream_of_its_kind_of_somebody_else() -> None:
    room = Room()
    joined(room, "a", section("s", "audio", sends=1), section("v", "video", sends=3))
    b = joined(room, "b", section("s", "audio", sends=5))
    assert labels(room, b, section("s", "audio", sends=5), *BOTH) == [None, "user-a a/s", "user-a a/v"]


def test_each_further_section_gets_the_next_stream_and_one_too_many_none() -> None:
    room = Room()
    for number, leg in enumerate("abc"):
        joined(room, leg, section("s", "audio", sends=10 * number))
    d = joined(room, "d")
    wanted = [section(str(mid), "audio", receives=True) for mid in range(4)]
    assert labels(room, d, *wanted) == ["user-a a/s", "user-b b/s", "user-c c/s", None]


def test_a_section_keeps_its_stream_and_a_freed_one_gets_another() -> None:
    room = Room()
    for number, leg in enumerate("abc"):
        joined(room, leg, section("s", "audio", sends=10 * number))
    d = joined(room, "d")
    two = [section("0", "audio", receives=True), section("1", "audio", receives=True)]
    assert labels(room, d, *two) == ["user-a a/s", "user-b b/s"]
    before = [slot.ssrc for slot in d.peer.slots.values()]
    room.leave("a", 0.0)
    assert labels(room, d, *two) == ["user-c c/s", "user-b b/s"]
    assert [slot.ssrc for slot in d.peer.slots.values()] == before


def test_a_section_that_was_inactive_goes_on_under_another_ssrc() -> None:
    # Chromium has let go of the old one, and shows nothing that comes under it.
    room = Room()
    joined(room, "a", section("0", "video", sends=1))
    b, wanted = joined(room, "b"), section("0", "video", receives=True)
    labels(room, b, wanted)
    before = b.peer.slots["0"].ssrc
    room.leave("a", 0.0)
    assert labels(room, b, wanted) == [None]
    joined(room, "c", section("0", "video", sends=1))
    assert labels(room, b, wanted) == ["user-c c/0"]
    assert b.peer.slots["0"].ssrc != before


def test_packets_go_to_everybody_else_and_to_nobody_after_somebody_has_left() -> None:
    room = Room()
    a = joined(room, "a", section("0", "video", sends=1))
    b, c = (joined(room, leg, section("0", "video", receives=True)) for leg in "bc")
    a.send(1, 7)
    room.leave("c", 0.0)
    a.send(1, 8)
    assert [len(one.packets) for one in (a, b, c)] == [0, 2, 1]
    room.leave("a", 0.0)
    a.send(1, 9)
    assert len(b.packets) == 2


def test_a_retransmission_of_the_publisher_fills_the_gap_at_the_receivers() -> None:
    room = Room()
    a = joined(room, "a", section("0", "video", sends=1))
    b = joined(room, "b", section("0", "video", receives=True))
    a.send(1, 7, payload=b"7")
    a.send(1, 9, payload=b"9")
    (nack,) = [said for data in a.control for said in rtcp.parse(data) if isinstance(said, rtcp.Nack)]
    assert nack == rtcp.Nack(1, (8,))
    a.peer.packet(bytes([0x80, VP8.rtx or 0]) + bytes(6) + (2).to_bytes(4, "big") + b"\x00\x08" + b"8", 0.0)
    assert [one.payload for one in b.packets] == [b"7", b"9", b"8"]
    assert b.packets[2].sequence == b.packets[0].sequence + 1 & 0xFFFF


def test_a_receiver_that_asks_is_served_and_its_wish_for_a_key_frame_reaches_the_publisher() -> None:
    room = Room()
    a = joined(room, "a", section("0", "video", sends=1))
    b = joined(room, "b", section("0", "video", receives=True))
    a.send(1, 7)
    (slot,) = b.peer.slots.values()
    b.peer.control(rtcp.nack(9, slot.ssrc, [b.packets[0].sequence]), 0.0)
    assert (len(b.packets), b.packets[1].ssrc) == (2, slot.rtx_ssrc)
    b.peer.control(rtcp.key_frame_wanted(9, slot.ssrc), 0.0)
    assert rtcp.KeyFrameWanted(1) in [said for data in a.control for said in rtcp.parse(data)]


def test_a_receiver_of_many_streams_gets_no_more_again_than_one_of_a_single_stream() -> None:
    room, many = Room(), range(4)
    senders = [joined(room, f"a{one}", section("0", "video", sends=2 * one + 1)) for one in many]
    b = joined(room, "b", *(section(str(one), "video", receives=True) for one in many))
    for one in many:
        senders[one].send(2 * one + 1, 7)
    lost = [(packet.ssrc, packet.sequence) for packet in b.packets]
    for _ in range(repeats.PER_S):
        for ssrc, number in lost:
            b.peer.control(rtcp.nack(9, ssrc, [number]), 0.0)
    assert len(b.packets) == len(many) + repeats.PER_S


def test_nobody_asks_for_packets_of_a_slot_that_is_not_theirs() -> None:
    room = Room()
    a = joined(room, "a", section("0", "video", sends=1))
    b, c = (joined(room, leg, section("0", "video", receives=True)) for leg in "bc")
    a.send(1, 7)
    (slot,) = b.peer.slots.values()
    c.peer.control(rtcp.nack(9, slot.ssrc, [b.packets[0].sequence]), 0.0)
    assert [len(one.packets) for one in (b, c)] == [1, 1]


def test_both_sides_get_reports_once_in_a_second() -> None:
    room = Room()
    a = joined(room, "a", section("0", "video", sends=1))
    b = joined(room, "b", section("0", "video", receives=True))
    for number in (1, 2, 4):
        a.send(1, number, 10.0)
    a.peer.control(rtcp.sender_report(1, 5 << 32, 20, 3, 3), 10.0)
    a.control.clear()
    for now_ms in (2000.0, 2050.0, 2999.0):
        a.peer.tick(now_ms)
        b.peer.tick(now_ms)
    said = [one for data in a.control for one in rtcp.parse(data)]
    (block,) = [one for one in said if isinstance(one, Block)]
    assert (block.ssrc, block.packets_lost, block.delay) == (1, 1, int(1990 * 65.536))
    assert rtcp.Remb(1_000_000) in said
    (report,) = [one for data in b.control for one in rtcp.parse(data)]
    assert isinstance(report, rtcp.SenderReport)
    assert (report.packets, report.octets) == (3, 3)


def test_who_is_muted_stays_so_in_a_new_connection_and_a_new_offer() -> None:
    room = Room()
    joined(room, "a", section("0", "audio", sends=1))
    b = joined(room, "b", section("0", "audio", receives=True))
    room.mute("user-a", "audio", True, 0.0)
    a = joined(room, "a", section("0", "audio", sends=1))
    labels(room, b, section("0", "audio", receives=True))
    a.send(1, 7, kind="audio")
    assert b.packets == []
    room.mute("user-a", "audio", False, 0.0)
    a.send(1, 8, kind="audio")
    assert len(b.packets) == 1


def test_in_an_echo_room_everybody_gets_only_themselves() -> None:
    room = Room(echo=True)
    joined(room, "a", section("0", "audio", sends=1))
    b = joined(room, "b")
    assert labels(room, b, section("0", "audio", sends=3), section("1", "audio", receives=True)) == [None, "user-b b/0"]
    b.send(3, 1, kind="audio")
    assert len(b.packets) == 1


def test_a_stream_that_a_receiver_cannot_play_is_not_sent() -> None:
    room = Room()
    joined(room, "a", section("0", "video", sends=1))
    h264 = Codec("video/h264", 90_000, None, 99, "packetization-mode=1;profile-level-id=42e01f", ("nack",), None)
    only = Section("0", "video", False, True, (h264,), extensions.NONE, (), "")
    b = joined(room, "b")
    assert labels(room, b, only) == [None]


def test_a_receivers_own_payload_types_are_used() -> None:
    room = Room()
    a = joined(room, "a", section("0", "audio", sends=1))
    own = Codec("audio/opus", 48_000, 2, 77, "", (), None)
    b = joined(room, "b", Section("0", "audio", False, True, (own,), extensions.NONE, (), ""))
    a.send(1, 7, kind="audio")
    assert [one.payload_type for one in b.packets] == [77]


def test_an_ssrc_that_nobody_announced_is_found_by_its_section_or_its_only_codec() -> None:
    room = Room()
    silent = Section("v", "video", True, False, (VP8,), Numbers(mid=4), (), "")
    a = joined(room, "a", silent)
    b = joined(room, "b", section("0", "video", receives=True))
    a.send(77, 1)
    assert len(b.packets) == 1
    second = Section("w", "video", True, False, (VP8,), Numbers(mid=4), (), "")
    labels(room, a, silent, second)
    a.send(88, 1)  # might be either
    assert len(b.packets) == 1
    named = bytes([0x90, 96, 0, 9]) + bytes(4) + (99).to_bytes(4, "big") + b"\xbe\xde\x00\x01\x40v\x00\x00x"
    a.peer.packet(named, 0.0)
    assert a.peer.inbound["v"].packets == 2


def test_a_publisher_of_thousands_of_ssrcs_has_few_of_them_kept() -> None:
    room = Room()
    a = joined(room, "a", Section("v", "video", True, False, (VP8,), extensions.NONE, (), ""))
    for ssrc in range(5000):
        a.send(ssrc, 1)
    assert len(a.peer._by_ssrc) <= 17


def test_an_old_stream_is_over_when_a_section_sends_another() -> None:
    room = Room()
    a = joined(room, "a", section("0", "video", sends=1))
    b = joined(room, "b", section("0", "video", receives=True))
    room.negotiate(a.peer, [section("0", "video", sends=50)], 0.0)
    a.send(1, 7)
    assert (b.packets, room.streams()) == ([], [Stream("a/0", "user-a", "video")])
    room.negotiate(a.peer, [section("0", "video")], 0.0)
    assert room.streams() == []


def test_broken_packets_and_reports_hurt_nobody() -> None:
    room = Room()
    a = joined(room, "a", section("0", "video", sends=1))
    b = joined(room, "b", section("0", "video", receives=True))
    for data in (b"", b"\x80", bytes(12), b"\xff" * 40, bytes([0x80, CODECS["audio"].payload_type]) + bytes(20)):
        a.peer.packet(data, 0.0)
        a.peer.control(data, 0.0)
    a.send(1, 7)
    assert len(b.packets) == 1


def test_quality_is_judged_by_the_worse_way() -> None:
    room = Room()
    a = joined(room, "a", section("0", "audio", sends=1))
    b = joined(room, "b", section("0", "audio", receives=True))
    a.send(1, 7, kind="audio")
    assert b.peer.quality().verdict == "unknown"
    a.peer.control(rtcp.sender_report(1, 5 << 32, 20, 3, 3), 0.0)
    b.peer.tick(1000.0)
    (report,) = [one for data in b.control for one in rtcp.parse(data) if isinstance(one, rtcp.SenderReport)]
    (slot,) = b.peer.slots.values()
    block = Block(slot.ssrc, 0, 0, 0, 0, report.ntp >> 16 & 0xFFFFFFFF, 655)
    b.peer.control(rtcp.receiver_report(9, [block]), 1100.0)
    assert b.peer.quality().verdict == "good"
    b.peer.control(rtcp.receiver_report(9, [block._replace(fraction_lost=30)]), 1100.0)
    assert b.peer.quality().verdict == "bad"
    assert OPUS.rtx is None
