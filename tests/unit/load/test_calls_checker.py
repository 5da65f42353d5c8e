"""The checker of schedules of calls finds what it is there for."""

from msgspec.structs import replace

from hub.kernel.ids import SessionId, UserId
from load_tests.bench.calls.checker import faults, late
from load_tests.bench.calls.handset import Handset, Seen
from signaling.call.model import Call, Change, Member, Part, State
from tests.support.clock import FrozenClock

BOB = UserId("bob")
CALL = Call("c", "audio", "ada", 1, 1, 1, 0, state=State.ENDED, reason="user_hangup")  # type: ignore[arg-type]
LOG = [Change(1, "ringing", "ada", 1), Change(2, "accepted", "bob", 1), Change(3, "ended", "bob", 1)]
SEEN = [
    Seen(1, "bob", "phone", "rings", "c"),
    Seen(1, "bob", "phone", "accepted", "c", 2),
    Seen(1, "bob", "phone", "in", "c"),
    Seen(2, "bob", "phone", "call:ended", "c", 3),
    Seen(2, "bob", "phone", "over", "c"),
]


def found(
    seen: list[Seen] = SEEN,
    call: Call | None = CALL,
    log: list[Change] = LOG,
    kept: int = 1,
    left_over: tuple[str, ...] = (),
) -> list[str]:
    return faults(seen, {"c": call}, {"c": log}, {"c": kept} if kept else {}, left_over)


def test_a_call_that_went_well_has_no_fault() -> None:
    assert found() == []


def test_a_call_that_goes_on_and_what_it_left_behind_are_stuck() -> None:
    assert found(call=replace(CALL, state=State.ACTIVE))[0].startswith("stuck")
    assert found(left_over=("pair c",)) == ["left over: pair c"]


def test_two_devices_that_answered_once_are_one_too_many() -> None:
    both = [*SEEN, Seen(1, "bob", "tablet", "accepted", "c", 2)]
    assert found(both) == ["answered 1 times: c by ['phone', 'tablet']"]
    assert found(both, log=[*LOG[:2], Change(3, "accepted", "bob", 1), Change(4, "ended", "", 1)]) == []


def test_a_device_that_still_rings_or_talks_is_a_ghost() -> None:
    assert found(SEEN[:1], log=LOG) == ["ghost: phone rings c"]
    assert found(SEEN[:3]) == ["ghost: phone in c"]


def test_a_version_that_is_missing_or_ends_twice_is_found() -> None:
    assert found(log=[LOG[0], LOG[2], LOG[1]])[0].startswith("versions")
    assert "ended twice: c" in found(log=[*LOG, Change(4, "ended", "", 1)])
    mixed = [*SEEN, Seen(2, "bob", "phone", "call:media", "c", 3)]
    assert found(mixed)[0].startswith("two events of one version")
    rung = [*SEEN, Seen(2, "bob", "phone", "call:state", "c", 1), Seen(2, "bob", "phone", "call:incoming", "c", 1)]
    assert found(rung)[0].startswith("two events of one version")
    both = [*SEEN, Seen(2, "bob", "phone", "call:cancelled", "c", 3)]
    assert found(both) == []


def test_a_change_that_is_told_twice_is_found() -> None:
    again = [*SEEN, Seen(3, "bob", "phone", "call:ended", "c", 3)]
    assert found(again) == ["told twice: ('phone', 'c', 3) ['call:ended']"]
    signals = [Seen(3, "bob", "phone", "call:signal", "c", 3)] * 2
    assert found([*SEEN[:3], *signals, SEEN[4]]) == [], "which its sender repeats"


def test_what_a_device_believes_is_compared_with_what_is_so() -> None:
    clock = FrozenClock()
    phone = Handset(BOB, "phone", [], clock, {"c": "in"})
    tablet = Handset(BOB, "tablet", [], clock, {"c": "rings"})
    member = Member(Part.JOINED, 1, 1, session=SessionId("phone"))
    goes_on = replace(CALL, state=State.ACTIVE, members={BOB: member})
    assert late([phone, tablet], {"c": goes_on}) == ["late: tablet rings c"]
    assert late([phone], {"c": CALL}) == ["late: phone in c"]
    elsewhere = replace(goes_on, members={BOB: replace(member, session=SessionId("tablet"))})
    assert late([phone], {"c": elsewhere}) == ["late: phone in c"]
    rings = replace(goes_on, members={BOB: replace(member, state=Part.RINGING)})
    assert late([tablet], {"c": rings}) == []
    assert late([Handset(BOB, "phone", [], clock, {"c": "over"})], {"c": None}) == []


def test_a_device_that_heard_of_the_end_is_not_back_in_the_call_by_an_older_answer() -> None:
    phone = Handset(BOB, "phone", [], FrozenClock())
    phone.heard("call:incoming", {"callId": "c", "version": 1})
    phone.heard("call:ended", {"callId": "c", "version": 5, "reason": "user_hangup"})
    phone.answered("call:accept", "c", {"version": 4, "state": "connecting"})
    assert phone.calls == {"c": "over"}
    phone.answered("call:accept", "c", {"version": 6, "state": "connecting"})
    assert phone.calls == {"c": "in"}, "who left a group may join it again"


def test_the_history_has_a_call_once_unless_it_gave_way_or_never_was() -> None:
    assert found(kept=2) == ["history: c 2 times instead of 1"]
    assert found(kept=0) == ["history: c 0 times instead of 1"]
    assert found(call=replace(CALL, reason="replaced"), kept=0) == []
    assert found(call=None, kept=0) == []
