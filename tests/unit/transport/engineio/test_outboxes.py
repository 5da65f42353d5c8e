"""What leaves: in the order of the calls, once, and never longer than a slice in one turn of the loop."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.transport.engineio import outbox
from hub.transport.engineio.outbox import CLOCK_EVERY, SLICE_S, Outboxes
from hub.transport.engineio.session import Session
from tests.support.fake_loop import FakeLoop

WRITE_S = 4e-6
NUMBER_BYTES = 4


class Clock:
    """In place of the module `time`, for outbox.py: it goes on with each write and stands still otherwise."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


class Connection:
    """Stands in for a WebSocketConnection. What is written to it was received."""

    def __init__(self, clock: Clock) -> None:
        self.paused = False
        self.received: list[int] = []
        self.receiver: Any = None
        self.waiting_bytes = 0
        self._clock = clock

    def write(self, data: bytes) -> None:
        self._clock.now += WRITE_S
        self.received += (
            int.from_bytes(data[start : start + NUMBER_BYTES], "big") for start in range(0, len(data), NUMBER_BYTES)
        )

    def pause(self, paused: bool) -> None:
        self.paused = paused
        self.receiver.set_writable(not paused)


class Room:
    """Some sessions over WebSockets, and their outboxes."""

    def __init__(self, clock: Clock, size: int) -> None:
        self.loop = FakeLoop()
        self.outboxes = Outboxes(self.loop.loop)
        engine = cast("Any", SimpleNamespace(outboxes=self.outboxes))
        self.connections = [Connection(clock) for _ in range(size)]
        self.sessions = [Session(engine, str(number)) for number in range(size)]
        for session, connection in zip(self.sessions, self.connections, strict=True):
            session.use_websocket(cast("Any", connection))

    def send_all(self, number: int) -> None:
        self.outboxes.fan_out(self.sessions, packet(number))

    def settle(self) -> None:
        while self.loop.turn():
            pass


def packet(number: int) -> bytes:
    return number.to_bytes(NUMBER_BYTES, "big")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(outbox, "time", clock)
    return clock


members = st.integers(0, 2)
operations = st.one_of(
    st.tuples(st.just("send"), members),
    st.tuples(st.just("fan out"), st.sets(members)),
    st.tuples(st.just("stop reading"), members),
    st.tuples(st.just("read on"), members),
    st.tuples(st.just("turn"), st.none()),
)


@pytest.mark.parametrize("slice_s", [SLICE_S, -1.0], ids=["one slice", "every write a slice"])
@settings(max_examples=100, deadline=None)
@given(st.lists(operations, max_size=40))
def test_each_gets_its_packets_once_and_in_the_order_of_the_calls(slice_s: float, done: list[tuple[str, Any]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outbox, "SLICE_S", slice_s)
        patch.setattr(outbox, "CLOCK_EVERY", 1)
        room, sent = Room(Clock(), 3), list[list[int]]([[], [], []])
        for number, (what, whom) in enumerate(done):
            match what:
                case "send":
                    room.sessions[whom].send(packet(number))
                    sent[whom].append(number)
                case "fan out":
                    room.outboxes.fan_out([room.sessions[one] for one in whom], packet(number))
                    for one in whom:
                        sent[one].append(number)
                case "turn":
                    room.loop.turn()
                case _:
                    room.connections[whom].pause(what == "stop reading")
        room.settle()
        for connection in room.connections:
            connection.pause(False)
        assert [connection.received for connection in room.connections] == sent


def test_all_that_is_sent_in_one_turn_is_one_write(clock: Clock) -> None:
    room = Room(clock, 2)
    for number in range(10):
        room.send_all(number)
        room.sessions[0].send(packet(number + 100))
    assert room.connections[0].received == []
    room.loop.turn()
    assert clock.now == pytest.approx(2 * WRITE_S)
    assert len(room.connections[0].received) == 20


def test_a_room_of_20_000_is_written_in_slices_so_that_no_turn_is_long(clock: Clock) -> None:
    room = Room(clock, 20_000)
    room.send_all(1)
    turns, at_s = 0, clock.now
    while room.loop.turn():
        assert clock.now - at_s <= SLICE_S + (CLOCK_EVERY + 1) * WRITE_S
        turns, at_s = turns + 1, clock.now
    assert turns == pytest.approx(20_000 * WRITE_S / SLICE_S, abs=1)
    assert all(connection.received == [1] for connection in room.connections)


def test_what_is_sent_between_slices_comes_after_what_waits_and_to_all(clock: Clock) -> None:
    room = Room(clock, 5000)
    room.send_all(1)
    room.loop.turn()
    assert [len(room.connections[index].received) for index in (0, -1)] == [1, 0], "the room is between two slices"
    room.send_all(2)
    room.sessions[-1].send(packet(3))
    room.settle()
    assert all(connection.received == [1, 2] for connection in room.connections[:-1])
    assert room.connections[-1].received == [1, 2, 3]


def test_who_waits_for_the_next_slice_and_stops_reading_loses_nothing(clock: Clock) -> None:
    room = Room(clock, 5000)
    room.send_all(1)
    room.loop.turn()
    room.connections[-1].pause(True)
    room.send_all(2)
    room.settle()
    assert room.connections[-1].received == []
    room.connections[-1].pause(False)
    assert room.connections[-1].received == [1, 2]


def test_one_that_fails_costs_no_other_its_packets(clock: Clock) -> None:
    def fail(_data: bytes) -> None:
        raise RuntimeError("broken")

    room = Room(clock, 3)
    room.sessions[1].write = fail
    room.send_all(1)
    with pytest.raises(RuntimeError, match="broken"):
        room.loop.turn()
    room.send_all(2)
    room.sessions[1].write = room.connections[1].write
    room.settle()
    assert [connection.received for connection in room.connections] == [[1, 2], [2], [1, 2]]
