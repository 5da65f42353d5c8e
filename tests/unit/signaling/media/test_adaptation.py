"""What publishers are told to send, when lines to receivers carry less: by a simulated network."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.media.embedded import rtcp
from signaling.media.embedded.adaptation import FAIREST, LEAST_BITS_PER_S, PAUSE_MS, target
from signaling.media.embedded.line import LEAST_BITS_PER_S as SLOWEST
from signaling.media.embedded.line import Line
from signaling.media.embedded.reception import Block
from signaling.media.embedded.room import Room
from tests.support.media_streams import NotedPeer, section

MOST = 1_500_000
VIDEO, RECEIVED = 500, "0"
PACKET = bytes(5000)
"""Fewer and larger than real ones, which is faster."""


class Call:
    """A publisher that sends as much as it is told, and receivers whose lines carry so much each (None: everything).

    What does not fit through a line is lost, and reported; nobody sends an estimate, unless ``estimates`` says so.
    """

    def __init__(self, *lines: float | None, estimates: bool = False) -> None:
        self.room, self.publisher = Room(), NotedPeer("publisher")
        self.receivers = [NotedPeer(f"r{number}") for number in range(len(lines))]
        self.lines = list(lines)
        self._estimates = estimates
        self._sent = 0
        self.second = 0
        for one in (self.publisher, *self.receivers):
            self.room.join(one.peer, 0.0)
        self.room.negotiate(self.publisher.peer, [section("0", "video", sends=VIDEO)], 0.0)
        for receiver in self.receivers:
            self.room.negotiate(receiver.peer, [section("0", "video", receives=True)], 0.0)
        (self.stream,) = self.publisher.peer.inbound.values()
        self.stream.target_bits_per_s = MOST
        self.pictures = [True] * len(lines)

    def run(self, seconds: int) -> None:
        """Let so much time pass."""
        for _ in range(seconds):
            self.second += 1
            now_ms = self.second * 1000.0
            came = [len(one.packets) for one in self.receivers]
            for _ in range(self.stream.target_bits_per_s // (8 * len(PACKET))):
                self._sent += 1
                self.publisher.send(VIDEO, self._sent, now_ms, payload=PACKET)
            for receiver, line, before in zip(self.receivers, self.lines, came, strict=True):
                self._report(receiver, line, (len(receiver.packets) - before) * 8 * len(PACKET), now_ms)
            self.pictures = [len(one.packets) > before for one, before in zip(self.receivers, came, strict=True)]
            self.room.adapt(MOST, now_ms)

    def _report(self, receiver: NotedPeer, line: float | None, bits: int, now_ms: float) -> None:
        slot = receiver.peer.slots[RECEIVED]
        loss = max(1 - line / bits, 0.0) if line is not None and bits else 0.0
        if self._estimates and line is not None:  # before anything is lost, as it sees the queue grow
            receiver.peer.downlink.line.told(line)
            loss = 0.0 if bits < line * 1.3 else loss
        slot.receiver_report(Block(slot.ssrc, int(loss * 255), 0, 0, 0, 0, 0), now_ms)


def test_nobody_is_told_anything_where_lines_carry_everything() -> None:
    call = Call(None, None)
    call.run(20)
    assert call.stream.target_bits_per_s == MOST


@pytest.mark.parametrize("estimates", [False, True])
def test_a_publisher_gives_way_to_its_only_receiver_and_the_picture_goes_on(estimates: bool) -> None:
    call = Call(400_000.0, estimates=estimates)
    call.run(20)
    assert 350_000 < call.stream.target_bits_per_s < 480_000
    for _ in range(20):
        call.run(1)
        assert call.pictures == [True]


def test_a_picture_grows_again_when_the_line_does() -> None:
    call = Call(400_000.0)
    call.run(15)
    call.lines[0] = None
    call.run(45)
    assert call.stream.target_bits_per_s == MOST


def test_a_receiver_that_is_a_little_slower_makes_the_picture_smaller_for_all() -> None:
    call = Call(None, 1_000_000.0)
    call.run(20)
    assert 850_000 < call.stream.target_bits_per_s < 1_150_000
    assert call.pictures == [True, True]


def test_a_receiver_that_is_far_too_slow_ruins_the_picture_for_nobody_and_keeps_no_congested_line() -> None:
    call = Call(None, None, 100_000.0)
    call.run(5)
    assert call.stream.target_bits_per_s >= MOST * FAIREST
    call.run(4)
    assert call.pictures == [True, True, False]
    assert call.stream.target_bits_per_s == MOST


def test_a_picture_that_was_suspended_is_tried_again_ever_more_seldom_and_stays_when_it_fits() -> None:
    call = Call(None, 100_000.0)
    without: list[int] = []
    for _ in range(160):
        call.run(1)
        if not call.pictures[1]:
            without.append(call.second)
    begins = [one for one in without if one - 1 not in without]
    waits = [sum(begin <= one < after for one in without) for begin, after in itertools.pairwise(begins)]
    assert waits == sorted(waits)
    assert abs(waits[0] - PAUSE_MS / 1000) <= 1
    assert waits[-1] >= 4 * waits[0] - 2
    call.lines[1] = None
    call.run(90)
    assert call.pictures == [True, True]


def test_a_key_frame_comes_with_a_picture_that_goes_on() -> None:
    call = Call(None, 100_000.0)
    while call.pictures[1]:
        call.run(1)
    before = len(call.publisher.control)
    while call.receivers[1].peer.slots[RECEIVED].suspended:
        assert len(call.publisher.control) == before
        call.run(1)
    assert len(call.publisher.control) > before


def test_the_numbers_of_a_suspended_picture_go_on_with_a_gap_of_one_and_it_is_counted_rightly() -> None:
    call = Call(None)
    call.run(1)
    receiver = call.receivers[0]
    slot, got = receiver.peer.slots[RECEIVED], receiver.packets
    sent, last = slot.sent, got[-1].sequence
    for _ in range(2):
        slot.suspend(1500.0)
    call.run(1)
    assert slot.sent == sent
    assert got[-1].sequence == last
    slot.resume(2500.0)
    slot.resume(2500.0)
    before = len(got)
    call.run(1)
    assert got[before].sequence == last + 2 & 0xFFFF
    assert slot.sent == (sent[0] + len(got) - before, sent[1] + (len(got) - before) * len(PACKET))
    slot.suspend(4000.0)
    slot.drop(4000.0)
    assert slot.sent[0] == len(got)


def test_a_receiver_tells_its_estimate_in_rtcp_and_the_publisher_is_told_in_rtcp() -> None:
    call = Call(None)
    call.receivers[0].peer.control(rtcp.remb(1, 300_000, [2]), 0.0)
    call.room.adapt(MOST, 0.0)
    slot = call.receivers[0].peer.slots[RECEIVED]
    slot.receiver_report(Block(slot.ssrc, 20, 0, 0, 0, 0, 0), 0.0)  # lossy enough for the estimate to count
    call.room.adapt(MOST, 1000.0)
    assert call.stream.target_bits_per_s == 300_000
    call.publisher.peer.tick(2000.0)
    said = [one for data in call.publisher.control for one in rtcp.parse(data)]
    told = [one.bits_per_s for one in said if isinstance(one, rtcp.Remb)]
    assert told[-1] == pytest.approx(300_000, rel=0.01)


@given(st.lists(st.floats(0, 1e8), max_size=8))
def test_a_picture_has_at_least_half_of_what_the_fastest_takes_and_never_nothing(shares: list[float]) -> None:
    told = target(shares, MOST)
    assert LEAST_BITS_PER_S <= told <= MOST
    if shares:
        assert told >= min(max(shares), MOST) * FAIREST - 1
        assert told <= max(min(max(shares), MOST), LEAST_BITS_PER_S) + 1


@given(st.lists(st.tuples(st.floats(0, 1e7), st.floats(0, 1)), max_size=40), st.floats(0, 1e9))
def test_a_line_never_carries_nothing_whatever_is_reported(seconds: list[tuple[float, float]], told: float) -> None:
    line = Line()
    for sent, loss in seconds:
        line.second(sent, loss)
        assert line.bits_per_s >= SLOWEST
    line.told(told)
    line.second(1e6, 0.0)
    assert line.bits_per_s >= min(SLOWEST, 850_000)


def test_an_estimate_that_a_pause_has_made_small_does_not_count_while_all_arrives() -> None:
    line = Line()
    line.told(30_000)
    line.second(1_000_000, 0.0)
    assert line.bits_per_s == 850_000
    line.second(1_000_000, 0.05)
    assert line.bits_per_s == 30_000
    assert math.isinf(Line().bits_per_s)
