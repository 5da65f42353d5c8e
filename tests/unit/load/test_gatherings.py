"""Users meet in groups of the chosen size, and are paired for calls."""

from random import Random

from load_tests.call import Call, endings
from load_tests.gatherings import Gatherings, Room, Switchboard
from load_tests.measures.faults import Disordered, Repeated


def test_groups_fill_one_after_the_other_and_a_place_given_up_is_taken() -> None:
    names = iter("abc")
    rooms: Gatherings[Room] = Gatherings(2)
    entered = [rooms.enter(lambda: Room(id=next(names))) for _ in range(4)]
    assert [room.id for room in entered] == ["a", "a", "b", "b"]
    rooms.leave(entered[0], 1)
    assert [rooms.enter(lambda: Room(id=next(names))).id for _ in range(2)] == ["a", "c"]


def test_a_message_is_owed_to_those_present_but_for_the_sender() -> None:
    room = Room(id="a", present={1, 2, 3})
    assert room.others(2) == {1, 3}
    Gatherings[Room](5).leave(room, 3)
    assert room.others(2) == {1}


def test_a_call_takes_two_who_are_free_or_nobody() -> None:
    board: Switchboard[str] = Switchboard(Random(1))
    assert board.pair(1) is None
    board.release(1, "ada")
    assert board.pair(1) is None
    board.release(2, "bob")
    assert board.pair(3) is None
    assert board.pair(1) == "bob"
    assert board.take(1) is board.take(2) is False
    board.release(2, "bob")
    assert board.take(2)


def test_calls_end_each_way_once_and_then_mostly_answered() -> None:
    drawn = endings(Random(1))
    assert {next(drawn) for _ in range(3)} == {"answered", "rejected", "cancelled"}
    assert 700 < sum(next(drawn) == "answered" for _ in range(1000)) < 900


def test_waiting_for_what_has_come_or_can_come_no_more_does_not_wait() -> None:
    call = Call("c", 1, 2, "answered")
    call.saw(1, "call:accepted")
    assert call.wait(1, "call:accepted", within_s=60)
    assert not call.wait(2, "call:accepted", within_s=0)
    call.saw(2, "call:ended")
    assert not call.wait(1, "answer", within_s=60)


def test_only_an_abandoned_call_tolerates_that_the_other_side_is_gone() -> None:
    call = Call("c", 1, 2, "answered")
    assert call.tolerated == frozenset()
    call.abandon()
    assert "call_ended" in call.tolerated
    assert not call.wait(1, "answer", within_s=60)


def test_signals_have_an_order_for_each_side() -> None:
    call = Call("c", 1, 2, "answered")
    assert [call.check_signal(2, kind) for kind in ("offer", "candidate")] == [None, None]
    assert [call.check_signal(1, kind) for kind in ("answer", "end-of-candidates")] == [None, None]
    assert isinstance(call.check_signal(1, "candidate"), Disordered)
    assert isinstance(call.check_signal(2, "offer"), Repeated)
