"""Reports on a stream: losses, jitter, and the round trip that comes of them."""

from hypothesis import given
from hypothesis import strategies as st

from signaling.media.embedded.reception import Block, Reception
from tests.support.media_streams import Published, Receiver


@given(st.lists(st.booleans(), min_size=1, max_size=300))
def test_what_did_not_come_is_counted(came: list[bool]) -> None:
    reception = Reception(90_000)
    reception.packet(99, 0, 0.0)
    for number, is_there in enumerate(came, 100):
        if is_there:
            reception.packet(number, number * 3000, number * 33.0)
    last = max((number for number, is_there in enumerate(came, 100) if is_there), default=99)
    lost = last - 99 - sum(came)
    report = reception.report(1, 0.0)
    assert (report.packets_lost, report.highest_sequence) == (lost, last)
    assert report.fraction_lost == lost * 256 // (last - 98)
    assert reception.report(1, 0.0).fraction_lost == 0


def test_losses_are_kept_when_the_publisher_begins_anew() -> None:
    reception = Reception(90_000)
    for number in (1, 2, 5):
        reception.packet(number, 0, 0.0)
    reception.restart()
    for number in (9_000, 9_002):
        reception.packet(number, 0, 0.0)
    assert reception.report(1, 0.0).packets_lost == 3


def test_packets_at_an_even_pace_have_no_jitter_also_where_timestamps_wrap() -> None:
    reception = Reception(90_000)
    for number in range(200):
        reception.packet(number, (1 << 32) - 90_000 + number * 900 & 0xFFFFFFFF, number * 10.0)
    assert reception.report(1, 0.0).jitter == 0


def test_jitter_is_the_mean_change_of_the_delay() -> None:
    reception = Reception(1000)
    for number in range(400):
        reception.packet(number, number * 20, number * 20.0 + (number % 2) * 8)
    assert reception.report(1, 0.0).jitter == 7  # 8, rounded down on the way


def test_the_delay_since_the_senders_report_is_told() -> None:
    reception = Reception(90_000)
    reception.packet(1, 0, 0.0)
    assert reception.report(1, 0.0)[5:] == (0, 0)
    reception.sender_report(0x1122334455667788, 1000.0)
    assert reception.report(1, 1500.0)[5:] == (0x33445566, 32_768)


def test_the_round_trip_is_the_time_less_the_receivers_delay() -> None:
    published, receiver = Published(), Receiver()
    slot = receiver.slot()
    slot.take(published.stream, 100, None, 0.0)
    published.packet(1)
    published.stream.sender_report(7 << 32, 0, 0.0)
    ntp, _ = slot.clock(100.0) or (0, 0)
    block = Block(slot.ssrc, 64, 0, 0, 0, ntp >> 16 & 0xFFFFFFFF, 65_536 // 2)
    slot.receiver_report(block, 640.0)
    assert (slot.fraction_lost, slot.round_trip_ms) == (0.25, 40.0)
    slot.receiver_report(block._replace(last_report=5), 9_000.0)
    assert slot.round_trip_ms == 40.0
