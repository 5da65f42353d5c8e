"""A call to somebody who is in another one."""

import pytest

from hub.kernel.ids import RoomName, new_ulid, user_room
from hub.kernel.wire import to_wire
from signaling import errors
from signaling.history import Answer
from signaling.settings import CallSettings
from tests.support.call_hub import ALICE, BOB, CAROL, DAVE, DESK, PHONE, TABLET, CallHub, device, refused

LAPTOP, WATCH = device(CAROL, "laptop"), device(DAVE, "watch")


@pytest.fixture
def hub() -> CallHub:
    return CallHub()


async def test_a_busy_callee_is_not_rung_and_finds_the_call_among_the_missed(hub: CallHub) -> None:
    await hub.connect()
    for callee in (BOB, ALICE):  # who was called, and who called
        own = new_ulid()
        reply = await hub.send(LAPTOP, "initiate", to=callee, type="audio", callId=own)
        assert (reply["callId"], reply["state"], reply["reason"]) == (own, "ended", "user_busy")
        assert await hub.send(LAPTOP, "initiate", to=callee, type="audio", callId=own) == reply
        assert hub.told(f"user:{callee}")[-1:] != [("call:incoming", "")]
        assert hub.history.past[own].missed_by(callee)
    assert hub.rooms.emitted == []
    assert len(hub.store.deadlines) == len(hub.store.pairs) == 1, "those of the call that goes on"


async def test_whoever_only_rings_or_is_rung_is_not_busy(hub: CallHub) -> None:
    await hub.ring(DESK, BOB)
    for one, callee in ((LAPTOP, BOB), (WATCH, ALICE)):
        assert (await hub.send(one, "initiate", to=callee, type="audio"))["state"] == "ringing"


async def test_a_line_is_free_after_the_call_and_after_leaving_a_group(hub: CallHub) -> None:
    call_id = await hub.connect()
    await hub.send(PHONE, "invite", callId=call_id, to=CAROL)
    await hub.send(LAPTOP, "accept", callId=call_id)
    await hub.send(PHONE, "hangup", callId=call_id)
    assert (await hub.send(WATCH, "initiate", to=BOB, type="audio"))["state"] == "ringing"
    assert (await hub.send(TABLET, "initiate", to=CAROL, type="audio"))["state"] == "ended"
    await hub.send(DESK, "hangup", callId=call_id)
    await hub.send(LAPTOP, "hangup", callId=call_id)
    assert hub.busy.calls == {}


async def test_a_line_that_a_dead_node_left_behind_does_not_keep_anybody_from_ringing(hub: CallHub) -> None:
    call_id = await hub.connect()
    await hub.send(DESK, "hangup", callId=call_id)
    hub.busy.calls = {BOB: call_id}
    assert (await hub.send(LAPTOP, "initiate", to=BOB, type="audio"))["state"] == "ringing"
    hub.busy.calls = {ALICE: new_ulid()}
    assert (await hub.send(WATCH, "initiate", to=ALICE, type="audio"))["state"] == "ringing"


async def test_a_line_is_renewed_with_the_leg(hub: CallHub) -> None:
    call_id = await hub.connect()
    hub.busy.calls.clear()
    await hub.sweeper.renew()
    assert hub.busy.calls == {ALICE: call_id, BOB: call_id}


async def test_two_who_are_in_a_call_with_each_other_are_told_that_and_not_busy(hub: CallHub) -> None:
    call_id = await hub.connect()
    error = await refused(hub.send(TABLET, "initiate", to=ALICE, type="audio"), errors.CallInProgress)
    assert error.details == {"callId": call_id}


async def test_with_call_waiting_it_rings_and_says_that_one_is_busy() -> None:
    hub = CallHub(CallSettings(when_busy="ring"))
    await hub.connect()
    reply = await hub.send(LAPTOP, "initiate", to=BOB, type="audio")
    (event,) = hub.rooms.events_to(user_room(BOB))
    assert to_wire(event)["busy"] is True
    assert (await hub.send(TABLET, "accept", callId=reply["callId"]))["state"] == "connecting"


async def test_a_call_is_in_the_history_once_with_what_each_did(hub: CallHub) -> None:
    call_id = str((await hub.send(DESK, "initiate", to=[BOB, CAROL, DAVE], type="video"))["callId"])
    await hub.send(PHONE, "accept", callId=call_id)
    await hub.send(LAPTOP, "reject", callId=call_id)
    hub.clock.advance(10)
    await hub.send(PHONE, "hangup", callId=call_id)
    await hub.send(DESK, "hangup", callId=call_id)
    past = hub.history.past[call_id]
    assert {one.user_id: one.answer.value for one in past.members} == {
        ALICE: "joined",
        BOB: "joined",
        CAROL: "declined",
        DAVE: "missed",
    }
    assert [past.missed_by(one) for one in (ALICE, BOB, CAROL, DAVE)] == [False, False, False, True]
    assert past.answered_at is not None
    assert (past.ended_at - past.started_at).total_seconds() == 10


@pytest.mark.parametrize(
    ("end", "answer", "missed"),
    [("reject", Answer.DECLINED, False), ("cancel", Answer.MISSED, True), ("timeout", Answer.MISSED, True)],
)
async def test_a_call_between_two_that_nobody_answered_is_missed_unless_it_was_declined(
    hub: CallHub, end: str, answer: Answer, missed: bool
) -> None:
    call_id = await hub.ring(DESK, BOB)
    if end == "timeout":
        hub.clock.advance(91)
        await hub.sweeper.sweep()
    else:
        await hub.send(TABLET if end == "reject" else DESK, "hangup", callId=call_id)
    past = hub.history.past[call_id]
    assert [one.answer for one in past.members if one.user_id == BOB] == [answer]
    assert past.missed_by(BOB) is missed


async def test_who_was_not_there_for_the_caller_has_missed_nothing(hub: CallHub) -> None:
    hub.people.blocks.add(frozenset((ALICE, CAROL)))
    call_id = str((await hub.send(DESK, "initiate", to=[BOB, CAROL], type="audio"))["callId"])
    await hub.send(DESK, "hangup", callId=call_id)
    assert [hub.history.past[call_id].missed_by(one) for one in (BOB, CAROL)] == [True, False]


async def test_a_call_that_gave_way_to_another_is_in_no_history(hub: CallHub) -> None:
    await hub.ring(DESK, BOB)
    own = new_ulid()
    await hub.send(PHONE, "initiate", to=ALICE, type="audio", callId=own)
    assert own not in hub.history.past


async def test_while_the_history_is_away_an_end_is_told_once_and_kept_when_it_is_back(hub: CallHub) -> None:
    call_id = await hub.connect()
    hub.history.down = True
    await hub.send(DESK, "hangup", callId=call_id)
    for _ in range(3):
        hub.clock.advance(10)
        await hub.sweeper.sweep()
    assert hub.told(f"call:{call_id}") == [("call:ended", "user_hangup")]
    assert hub.store.pairs == {}, "the two may call each other"
    hub.history.down = False
    hub.clock.advance(10)
    await hub.sweeper.sweep()
    assert list(hub.history.past) == [call_id]
    assert hub.store.deadlines == {}
    assert not hub.rooms.is_member(PHONE.connection_id, RoomName(f"call:{call_id}"))
