"""What a publisher's packets become at its receivers, whatever the network and the publisher do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.media.embedded import inbound, outbound, repeats, rtp, sequence
from signaling.media.embedded.losses import ASK_AGAIN_MS, ASKED_AT_MOST, HOPELESS
from tests.support.media_streams import Published, Receiver

START = sequence.SPACE - 20
"""Numbers of the tests go over the wrap."""
PT, RTX = 100, 101
schedules = st.lists(st.sampled_from(["on", "lost", "late", "twice"]), min_size=1, max_size=80)


def connected(published: Published, receiver: Receiver, *, rtx: int | None = RTX) -> outbound.Outbound:
    slot = receiver.slot(published.kind)
    slot.take(published.stream, PT, rtx, 0.0)
    return slot


def numbers(packets: list[rtp.Packet]) -> list[int]:
    """Sequence numbers, relative to the first."""
    return [(one.sequence - packets[0].sequence + 0x8000 & 0xFFFF) - 0x8000 for one in packets]


@given(schedules)
def test_each_packet_arrives_once_under_the_number_that_its_place_has(schedule: list[str]) -> None:
    published, receiver = Published(), Receiver()
    slot = connected(published, receiver)
    published.packet(START)
    late: list[int] = []
    for number, what in enumerate(schedule, START + 1):
        if what == "late":
            late.append(number)
        elif what != "lost":
            for _ in range(2 if what == "twice" else 1):
                published.packet(number)
    for number in late:
        published.packet(number, repeated=True)
    sent = {START, *(number for number, what in enumerate(schedule, START + 1) if what != "lost")}
    assert sorted(one.payload for one in receiver.got) == sorted(str(number).encode() for number in sent)
    for one, place in zip(receiver.got, numbers(receiver.got), strict=True):
        number = int(one.payload)
        assert place == number - START
        assert one.timestamp - receiver.got[0].timestamp & 0xFFFFFFFF == (number - START) * 3000 & 0xFFFFFFFF
        assert (one.payload_type, one.ssrc) == (PT, slot.ssrc)


def test_the_marker_goes_with_its_packet() -> None:
    published, receiver = Published(), Receiver()
    connected(published, receiver)
    published.packet(1, marker=rtp.MARKER)
    published.packet(2)
    assert [one.marker for one in receiver.got] == [rtp.MARKER, 0]


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(1, 30)), min_size=1, max_size=12))
def test_a_slot_that_changes_its_source_reuses_no_number_and_never_goes_back_in_time(
    turns: list[tuple[int, int]],
) -> None:
    publishers, receiver = [Published(), Published()], Receiver()
    slot = receiver.slot()
    following, now_ms = [START, 9_000], 0.0
    for which, count in turns:
        slot.take(publishers[which].stream, PT, RTX, now_ms)
        for _ in range(count):
            now_ms += 33
            publishers[which].packet(following[which], now_ms)
            following[which] += 1
        publishers[1 - which].packet(following[1 - which], now_ms)  # goes to nobody
        following[1 - which] += 1
    places = numbers(receiver.got)
    assert len(set(places)) == len(places) == sum(count for _, count in turns)
    assert places == sorted(places)
    steps = [b.timestamp - a.timestamp & 0xFFFFFFFF for a, b in zip(receiver.got, receiver.got[1:], strict=False)]
    assert all(0 < step < 90_000 * 3 for step in steps)


def test_an_old_packet_of_a_new_source_takes_no_number_of_the_one_before() -> None:
    first, second, receiver = Published(), Published(), Receiver()
    slot = receiver.slot()
    second.packet(500)
    slot.take(first.stream, PT, RTX, 0.0)
    for number in range(10):
        first.packet(number)
    slot.take(second.stream, PT, RTX, 1.0)
    second.packet(499)
    second.packet(501)
    assert [one.payload for one in receiver.got[10:]] == [b"501"]


@pytest.mark.parametrize("rtx", [RTX, None])
def test_a_receiver_gets_again_what_it_asks_for(rtx: int | None) -> None:
    published, receiver = Published(), Receiver()
    slot = connected(published, receiver, rtx=rtx)
    for number in range(START, START + 40):
        published.packet(number)
    lost = receiver.got[35]
    again = slot.repeat([lost.sequence, lost.sequence + 100], 0.0)
    repeat = receiver.got[-1]
    assert again == 1
    if rtx is None:
        assert repeat == lost
    else:
        assert (repeat.payload_type, repeat.ssrc) == (RTX, slot.rtx_ssrc)
        assert rtp.original(repeat, PT, slot.ssrc) == lost


def test_retransmissions_have_numbers_of_their_own() -> None:
    published, receiver = Published(), Receiver()
    slot = connected(published, receiver)
    published.packet(1)
    for _ in range(3):
        slot.repeat([receiver.got[0].sequence], 0.0)
    assert numbers(receiver.got[1:]) == [0, 1, 2]


def test_nobody_has_the_server_send_much_for_little() -> None:
    published, receiver = Published(), Receiver()
    slot = connected(published, receiver)
    published.packet(1)
    asked = [receiver.got[0].sequence] * 10_000
    assert slot.repeat(asked, 0.0) == repeats.PER_S
    assert slot.repeat(asked, 100.0) == repeats.PER_S // 10


def test_a_missing_packet_is_asked_for_at_once_again_later_and_at_last_no_more() -> None:
    published = Published()
    published.packet(1)
    published.packet(4, 10.0)
    base = published.stream.highest - 4
    assert published.asked == [base + 2, base + 3]
    published.packet(2, 11.0, repeated=True)
    for step in range(1, ASKED_AT_MOST * 3):
        published.stream.tick(10.0 + step * ASK_AGAIN_MS)
    assert published.asked.count(base + 2) == 1
    assert published.asked.count(base + 3) == ASKED_AT_MOST


def test_when_too_much_is_missing_a_key_frame_is_asked_for_instead() -> None:
    published = Published()
    published.packet(1)
    published.packet(HOPELESS + 10)
    assert (published.asked, published.key_frames) == ([], 1)


def test_sound_without_nack_is_not_asked_for_again() -> None:
    published = Published("audio")
    published.packet(1)
    published.packet(4)
    published.stream.want_key_frame(0.0)
    assert (published.asked, published.key_frames) == ([], 0)


def test_a_publisher_that_begins_anew_goes_on_after_a_gap_of_one_packet() -> None:
    published, receiver = Published(), Receiver()
    slot = connected(published, receiver)
    for number in range(5):
        published.packet(number, 10.0)
    published.packet(30_000, 20.0)  # one alone might be a stray
    assert len(receiver.got) == 5
    for number in range(30_001, 30_005):
        published.packet(number, 30.0)
    assert [one.payload for one in receiver.got[5:]] == [b"30001", b"30002", b"30003", b"30004"]
    assert numbers(receiver.got) == [0, 1, 2, 3, 4, 6, 7, 8, 9]
    assert published.key_frames == 1
    assert slot.repeat([receiver.got[7].sequence], 0.0) == 1


@pytest.mark.parametrize("lost", [10_000, 40_000, 60_000])
def test_after_thousands_of_lost_packets_the_stream_goes_on(lost: int) -> None:
    published, receiver = Published(), Receiver()
    connected(published, receiver)
    published.packet(0)
    for number in range(lost, lost + 5):
        published.packet(number)
    assert [one.payload for one in receiver.got[1:]] == [str(number).encode() for number in range(lost + 1, lost + 5)]
    assert published.asked == []


def test_a_stray_packet_from_long_ago_changes_nothing() -> None:
    published, receiver = Published(), Receiver()
    connected(published, receiver)
    for number in (50_000, 50_001, 100, 50_002, 48_000, 50_003):
        published.packet(number)
    assert numbers(receiver.got) == [0, 1, 2, 3]


def test_key_frames_are_asked_for_once_in_a_second_however_many_want_one() -> None:
    published = Published()
    for now_ms in range(0, 3000, 10):
        published.stream.want_key_frame(float(now_ms))
    assert published.key_frames == 3


def test_a_wish_for_a_key_frame_that_came_too_soon_is_kept() -> None:
    published = Published()
    published.stream.want_key_frame(0.0)
    published.stream.want_key_frame(500.0)
    published.stream.tick(900.0)
    assert published.key_frames == 1
    published.stream.tick(float(inbound.KEY_FRAME_EVERY_MS))
    published.stream.tick(9_000.0)
    assert published.key_frames == 2


def test_what_is_muted_goes_to_nobody_not_even_to_who_asks_for_it_again() -> None:
    published, receiver = Published(), Receiver()
    slot = connected(published, receiver)
    published.packet(1)
    published.stream.mute(True, 0.0)
    later = Receiver()
    connected(published, later)
    for number in (2, 3, 60_000, 60_001):
        published.packet(number)
    assert slot.clock(0.0) is None
    published.stream.mute(False, 500.0)
    published.stream.mute(False, 500.0)
    published.packet(60_002, 510.0)
    assert [one.payload for one in receiver.got] == [b"1", b"60002"]
    assert numbers(receiver.got) == [0, 2]
    assert slot.repeat(range(receiver.got[0].sequence + 1, receiver.got[0].sequence + 2), 510.0) == 0
    assert [one.payload for one in later.got] == [b"60002"]
    assert published.key_frames == 1


def test_what_was_muted_before_it_began_can_be_heard_after() -> None:
    published, receiver = Published("audio"), Receiver()
    published.stream.mute(True, 0.0)
    connected(published, receiver)
    published.packet(1)
    published.stream.mute(False, 0.0)
    published.packet(2)
    assert [one.payload for one in receiver.got] == [b"2"]


@pytest.mark.parametrize(("kind", "most"), [("video", 1_000_000 * inbound.OVER), ("audio", inbound.SOUND_BITS_PER_S)])
def test_a_publisher_who_floods_the_server_floods_no_receivers(kind: str, most: int) -> None:
    published, receiver = Published(kind), Receiver()
    published.stream.limit(1_000_000)
    receiver.slot(kind).take(published.stream, PT, None, 0.0)
    for number in range(50_000):  # 40 Mb/s, for ten seconds
        published.packet(number, number / 5, payload=bytes(1000))
    came = sum(len(one.payload) for one in receiver.got) * 8
    assert 0.95 * most * 10 < came < 1.01 * most * 11
    receiver.got.clear()
    for number in range(50_000, 50_100):  # as it should be again
        published.packet(number, 11_000 + (number - 50_000) * 20.0, payload=bytes(1000))
    assert len(receiver.got) == 100


def test_a_slot_without_a_source_answers_nothing() -> None:
    published, receiver = Published(), Receiver()
    slot = connected(published, receiver)
    published.packet(1)
    slot.drop(0.0)
    published.packet(2)
    assert slot.repeat([receiver.got[0].sequence], 0.0) == 0
    assert len(receiver.got) == 1
    assert slot.clock(0.0) is None


def test_a_slot_counts_what_it_sent_over_all_its_sources() -> None:
    first, second, receiver = Published(), Published(), Receiver()
    slot = receiver.slot()
    first.packet(0, payload=b"not for the slot")
    slot.take(first.stream, PT, RTX, 0.0)
    first.packet(1, payload=b"12345")
    slot.take(second.stream, PT, RTX, 0.0)
    second.packet(1, payload=b"123")
    second.packet(2, payload=b"1")
    assert slot.sent == (3, 9)


def test_a_sender_report_tells_the_publishers_time_in_the_receivers_timestamps() -> None:
    published, receiver = Published(), Receiver()
    slot = connected(published, receiver)
    published.packet(1)
    published.stream.sender_report(5 << 32, 3000, 1000.0)
    ntp, timestamp = slot.clock(1500.0) or (0, 0)
    assert ntp == (5 << 32) + (1 << 31)
    assert timestamp == receiver.got[0].timestamp + 45_000 & 0xFFFFFFFF
