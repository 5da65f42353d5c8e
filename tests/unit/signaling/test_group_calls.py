"""Calls of more than two: who rings, who joins, who is told what, and when it is over."""

from typing import Any

import pytest

from hub.kernel.errors import InvalidPayload, NotFound, PayloadTooLarge, Unavailable
from hub.kernel.ids import RoomName, UserId, new_uuid, session_room, user_room
from hub.kernel.wire import to_wire
from signaling import errors
from tests.support.call_hub import (
    ALICE,
    ANSWER,
    BOB,
    CAROL,
    DAVE,
    DESK,
    OFFER,
    PHONE,
    TABLET,
    CallHub,
    device,
    refused,
)

LAPTOP, WATCH = device(CAROL, "laptop"), device(DAVE, "watch")
STATES = ("ringing", "joined", "declined", "left")


@pytest.fixture
def hub() -> CallHub:
    return CallHub()


async def conference(hub: CallHub) -> str:
    """Alice called Bob and Carol, and both are in it."""
    call_id = str((await hub.send(DESK, "initiate", to=[BOB, CAROL], type="video"))["callId"])
    for device_ in (PHONE, LAPTOP):
        await hub.send(device_, "accept", callId=call_id)
    hub.rooms.emitted.clear()
    hub.rooms.skipped.clear()
    return call_id


async def states(hub: CallHub, call_id: str) -> dict[str, str]:
    reply = await hub.send(DESK, "sync", callId=call_id, sinceVersion=0)
    return {member["userId"]: member["state"] for member in reply["members"]}


async def test_a_group_rings_everybody_at_once_and_says_who_is_in_it(hub: CallHub) -> None:
    reply = await hub.send(DESK, "initiate", to=[BOB, CAROL], type="audio")
    assert [(one["userId"] == ALICE, one["state"]) for one in reply["members"]] == [
        (True, "joined"),
        (False, "ringing"),
        (False, "ringing"),
    ]
    ((rooms, event),) = hub.rooms.emitted
    assert set(rooms) == {user_room(BOB), user_room(CAROL)}
    assert {member["userId"] for member in to_wire(event)["members"]} == {ALICE, BOB, CAROL}


async def test_each_member_joins_with_one_device_and_the_others_go_on_ringing(hub: CallHub) -> None:
    call_id = str((await hub.send(DESK, "initiate", to=[BOB, CAROL], type="audio"))["callId"])
    assert (await hub.send(PHONE, "accept", callId=call_id))["state"] == "connecting"
    await refused(hub.send(TABLET, "accept", callId=call_id), errors.AnsweredElsewhere)
    assert await states(hub, call_id) == {ALICE: "joined", BOB: "joined", CAROL: "ringing"}
    assert hub.told(f"user:{BOB}")[1:] == [("call:cancelled", "answered_elsewhere")]
    assert hub.told(f"user:{CAROL}") == [("call:incoming", "")]
    await hub.send(LAPTOP, "accept", callId=call_id)
    accepted = [to_wire(event) for event in hub.rooms.events_to(RoomName(f"call:{call_id}"))]
    assert [one["from"] for one in accepted] == [BOB, CAROL]


async def test_one_who_declines_is_told_to_the_others_and_ends_nothing(hub: CallHub) -> None:
    call_id = str((await hub.send(DESK, "initiate", to=[BOB, CAROL], type="audio"))["callId"])
    assert (await hub.send(TABLET, "reject", callId=call_id))["state"] == "ringing"
    assert hub.told(f"call:{call_id}") == [("call:state", "declined")]
    assert hub.told(f"user:{BOB}")[1:] == [("call:cancelled", "rejected")]
    assert hub.told(f"user:{CAROL}") == [("call:incoming", "")]
    assert (await hub.send(PHONE, "reject", callId=call_id))["state"] == "ringing"
    assert len(hub.told(f"call:{call_id}")) == 1, "declining twice is declining once"
    reply = await hub.send(LAPTOP, "reject", callId=call_id)
    assert (reply["state"], reply["reason"]) == ("ended", "rejected")
    assert hub.told(f"call:{call_id}")[1:] == [("call:ended", "rejected")]


async def test_the_last_to_decline_ends_it_and_their_other_devices_ring_no_more(hub: CallHub) -> None:
    call_id = str((await hub.send(DESK, "initiate", to=[BOB, CAROL], type="audio"))["callId"])
    await hub.send(LAPTOP, "reject", callId=call_id)
    await hub.send(PHONE, "reject", callId=call_id)
    assert hub.told(f"user:{BOB}") == [("call:incoming", ""), ("call:cancelled", "rejected")]


async def test_a_signal_that_went_nowhere_goes_nowhere_when_it_is_repeated(hub: CallHub) -> None:
    call_id = await conference(hub)
    await hub.send(PHONE, "hangup", callId=call_id)
    signal = {"callId": call_id, "seq": 1, "legTo": BOB, "signal": OFFER}
    await refused(hub.send(DESK, "signal", **signal), errors.LegGone)
    await hub.send(TABLET, "accept", callId=call_id)
    hub.rooms.emitted.clear()
    await hub.send(DESK, "signal", **signal)
    assert hub.rooms.emitted == []


async def test_a_caller_who_gives_up_before_anybody_answered_stops_all_ringing(hub: CallHub) -> None:
    call_id = str((await hub.send(DESK, "initiate", to=[BOB, CAROL], type="audio"))["callId"])
    await hub.send(DESK, "hangup", callId=call_id)
    for user in (BOB, CAROL):
        assert hub.told(f"user:{user}") == [("call:incoming", ""), ("call:cancelled", "cancelled")]
    assert hub.store.deadlines == {}


async def test_who_leaves_ends_it_for_nobody_else_and_hears_no_more_of_it(hub: CallHub) -> None:
    call_id = await conference(hub)
    await hub.send(DESK, "hangup", callId=call_id)
    assert hub.told(f"call:{call_id}") == [("call:state", "left")]
    assert hub.rooms.skipped == [DESK.connection_id]
    assert not hub.rooms.is_member(DESK.connection_id, RoomName(f"call:{call_id}"))
    await refused(hub.send(DESK, "media", callId=call_id), errors.AnsweredElsewhere)
    await hub.sweeper.sweep()
    assert len(hub.told(f"call:{call_id}")) == 1, "told once"


async def test_who_left_or_did_not_answer_can_join_as_long_as_it_goes_on(hub: CallHub) -> None:
    call_id = await conference(hub)
    await hub.send(PHONE, "hangup", callId=call_id)
    back = await hub.send(TABLET, "accept", callId=call_id)
    assert back["gen"] == 1, "the others have dead peer connections to the old leg"
    assert (await states(hub, call_id))[BOB] == "joined"
    for one in (DESK, TABLET, LAPTOP):
        await hub.send(one, "hangup", callId=call_id)
    await refused(hub.send(PHONE, "accept", callId=call_id), errors.CallEnded)


async def test_whoever_is_alone_for_too_long_is_in_no_call_any_more(hub: CallHub) -> None:
    call_id = await conference(hub)
    await hub.send(PHONE, "hangup", callId=call_id)
    await hub.send(LAPTOP, "hangup", callId=call_id)
    hub.clock.advance(19)
    await hub.sweeper.renew()
    await hub.sweeper.sweep()
    assert ("call:ended", "empty") not in hub.told(f"call:{call_id}")
    hub.clock.advance(1)
    await hub.sweeper.sweep()
    assert hub.told(f"call:{call_id}")[-1] == ("call:ended", "empty")
    assert hub.store.deadlines == {}


async def test_somebody_who_comes_in_time_ends_the_being_alone(hub: CallHub) -> None:
    call_id = await conference(hub)
    for one in (PHONE, LAPTOP):
        await hub.send(one, "hangup", callId=call_id)
    await hub.send(DESK, "invite", callId=call_id, to=DAVE)
    hub.clock.advance(25)
    await hub.sweeper.renew()
    await hub.sweeper.sweep()
    assert (await hub.send(WATCH, "accept", callId=call_id))["state"] == "connecting"


async def test_who_does_not_answer_has_left_for_the_others_and_rings_no_more(hub: CallHub) -> None:
    call_id = str((await hub.send(DESK, "initiate", to=[BOB, CAROL], type="audio"))["callId"])
    await hub.send(PHONE, "accept", callId=call_id)
    hub.rooms.emitted.clear()
    for _ in range(4):
        hub.clock.advance(25)
        await hub.sweeper.renew()
        await hub.sweeper.sweep()
    assert hub.told(f"call:{call_id}") == [("call:state", "left")]
    assert hub.told(f"user:{CAROL}") == [("call:cancelled", "invite_timeout")]
    assert await states(hub, call_id) == {ALICE: "joined", BOB: "joined", CAROL: "left"}


async def test_a_member_whose_lease_is_over_is_taken_out_and_the_call_goes_on(hub: CallHub) -> None:
    call_id = await conference(hub)
    await hub.rooms.leave(PHONE.connection_id, RoomName(f"call:{call_id}"))
    for _ in range(3):
        hub.clock.advance(15)
        await hub.sweeper.renew()
        await hub.sweeper.sweep()
    assert hub.told(f"call:{call_id}") == [("call:state", "left")]
    assert hub.told(f"user:{BOB}") == [("call:cancelled", "ice_failed")]


async def _die(*_: object, **__: object) -> None:
    raise Unavailable


async def test_a_signal_in_a_group_goes_to_one_leg_and_says_so(hub: CallHub) -> None:
    call_id = await conference(hub)
    signal = {"callId": call_id, "seq": 1, "signal": OFFER}
    error = await refused(hub.send(DESK, "signal", **signal), InvalidPayload)
    assert error.details["errors"][0]["pointer"] == "/legTo"
    await hub.send(DESK, "signal", **signal, legTo=BOB)
    ((rooms, event),) = hub.rooms.emitted
    assert rooms == [session_room(PHONE.session_id)]
    assert (to_wire(event)["from"], to_wire(event)["to"]) == (ALICE, BOB)


@pytest.mark.parametrize(
    "to", [ALICE, DAVE, new_uuid(), "media", "x"], ids=["self", "no member", "nobody", "mesh", "x"]
)
async def test_a_signal_for_nobody_in_the_call_has_its_number_and_disturbs_nobody(hub: CallHub, to: str) -> None:
    call_id = await conference(hub)
    signal = {"callId": call_id, "signal": OFFER}
    await refused(hub.send(DESK, "signal", **signal, seq=1, legTo=to), errors.LegGone)
    await refused(hub.send(DESK, "signal", **signal, seq=1, legTo=to), errors.LegGone)
    assert hub.rooms.emitted == []
    await hub.send(DESK, "signal", **signal, seq=2, legTo=CAROL)


async def test_a_signal_waits_for_who_has_not_accepted(hub: CallHub) -> None:
    call_id = str((await hub.send(DESK, "initiate", to=[BOB, CAROL], type="audio"))["callId"])
    await hub.send(PHONE, "accept", callId=call_id)
    signal = {"callId": call_id, "seq": 1, "signal": OFFER, "legTo": CAROL}
    await refused(hub.send(DESK, "signal", **signal), errors.CallNotAccepted)
    await refused(hub.send(LAPTOP, "signal", **(signal | {"legTo": BOB})), errors.CallNotAccepted)
    await hub.send(LAPTOP, "accept", callId=call_id)
    await hub.send(DESK, "signal", **signal)


async def test_sync_shows_a_leg_what_is_for_it_and_nothing_that_is_for_others(hub: CallHub) -> None:
    call_id = await conference(hub)
    await hub.send(DESK, "signal", callId=call_id, seq=1, legTo=BOB, signal=OFFER)
    await hub.send(PHONE, "signal", callId=call_id, seq=1, legTo=ALICE, signal=ANSWER)
    seen = {
        one.user_id: [
            (event["kind"], event["from"])
            for event in (await hub.send(one, "sync", callId=call_id, sinceVersion=3))["events"]
        ]
        for one in (DESK, PHONE, LAPTOP)
    }
    assert seen == {ALICE: [("signal", BOB)], BOB: [("signal", ALICE)], CAROL: []}
    assert hub.store.calls[call_id].state == "active"


@pytest.mark.parametrize("absence", ["nobody", "blocked"])
async def test_of_several_who_is_not_there_rings_and_does_not_answer(hub: CallHub, absence: str) -> None:
    other = UserId(new_uuid()) if absence == "nobody" else CAROL
    hub.people.blocks.add(frozenset((ALICE, CAROL)))
    reply = await hub.send(DESK, "initiate", to=[BOB, other], type="audio")
    call_id = reply["callId"]
    assert [one["state"] for one in reply["members"]] == ["joined", "ringing", "ringing"]
    assert hub.told(f"user:{other}") == []
    for event in ("accept", "sync", "reject", "ringing"):
        await refused(hub.send(device(other, "d"), event, callId=call_id), errors.UnknownCall)
    await hub.send(PHONE, "accept", callId=call_id)
    for _ in range(4):
        hub.clock.advance(25)
        await hub.sweeper.renew()
        await hub.sweeper.sweep()
    assert hub.told(f"user:{other}") == [], "nothing, to the end"
    assert (await states(hub, call_id))[other] == "left"


async def test_a_group_of_none_who_are_there_is_nobody(hub: CallHub) -> None:
    hub.people.blocks.add(frozenset((ALICE, CAROL)))
    to = [CAROL, new_uuid()]
    await refused(hub.send(DESK, "initiate", to=to, type="audio"), NotFound)
    call_id = await hub.connect()
    await refused(hub.send(DESK, "invite", callId=call_id, to=to), NotFound)
    assert hub.rooms.emitted == []


async def test_an_invitation_makes_a_call_between_two_a_group(hub: CallHub) -> None:
    call_id = await hub.connect()
    reply = await hub.send(PHONE, "invite", callId=call_id, to=CAROL)
    assert [one["state"] for one in reply["members"]] == ["joined", "joined", "ringing"]
    assert hub.told(f"call:{call_id}") == [("call:state", "invited")]
    (incoming,) = [to_wire(event) for event in hub.rooms.events_to(user_room(CAROL))]
    assert (incoming["initiator"], incoming["from"]) == (ALICE, BOB)
    await hub.send(PHONE, "invite", callId=call_id, to=CAROL)
    assert len(hub.told(f"user:{CAROL}")) == 1, "it rings there already"
    await hub.send(LAPTOP, "accept", callId=call_id)
    await hub.send(DESK, "hangup", callId=call_id)
    assert hub.store.calls[call_id].state == "connecting"
    assert hub.store.pairs == {}, "the two may call each other elsewhere"


async def test_only_a_leg_invites(hub: CallHub) -> None:
    call_id = str((await hub.send(DESK, "initiate", to=[BOB, CAROL], type="audio"))["callId"])
    await refused(hub.send(PHONE, "invite", callId=call_id, to=DAVE), errors.CallNotAccepted)
    await hub.send(PHONE, "accept", callId=call_id)
    await refused(hub.send(TABLET, "invite", callId=call_id, to=DAVE), errors.AnsweredElsewhere)
    await refused(hub.send(WATCH, "invite", callId=call_id, to=BOB), errors.UnknownCall)


async def test_a_repeated_invitation_rings_if_the_first_died_before_it_could(
    hub: CallHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    call_id = await hub.connect()
    monkeypatch.setattr(hub.store, "release", _die)
    await refused(hub.send(DESK, "invite", callId=call_id, to=CAROL), Unavailable)
    monkeypatch.undo()
    assert hub.told(f"user:{CAROL}") == []
    await hub.send(DESK, "invite", callId=call_id, to=CAROL)
    assert hub.told(f"user:{CAROL}") == [("call:incoming", "")]


async def test_who_was_not_there_for_one_is_rung_by_another(hub: CallHub) -> None:
    hub.people.blocks.add(frozenset((ALICE, CAROL)))
    call_id = str((await hub.send(DESK, "initiate", to=[BOB, CAROL], type="audio"))["callId"])
    await hub.send(PHONE, "accept", callId=call_id)
    await hub.send(PHONE, "invite", callId=call_id, to=CAROL)
    assert hub.told(f"user:{CAROL}") == [("call:incoming", "")]
    await hub.send(LAPTOP, "accept", callId=call_id)


async def test_a_call_has_64_members_at_most(hub: CallHub, monkeypatch: pytest.MonkeyPatch) -> None:
    async def everybody(_caller: UserId, callees: Any) -> frozenset[UserId]:
        return frozenset(callees)

    monkeypatch.setattr(hub.people, "reachable", everybody)
    many = [new_uuid() for _ in range(62)]
    call_id = (await hub.send(DESK, "initiate", to=[BOB, *many], type="audio"))["callId"]
    await hub.send(PHONE, "accept", callId=call_id)
    await refused(hub.send(PHONE, "invite", callId=call_id, to=new_uuid()), PayloadTooLarge)
    await refused(hub.send(DESK, "initiate", to=[new_uuid() for _ in range(64)], type="audio"), InvalidPayload)


async def test_a_call_is_transferred_when_the_third_accepts_and_not_before(hub: CallHub) -> None:
    call_id = await hub.connect()
    await hub.rooms.join(PHONE.connection_id, user_room(BOB))
    await hub.send(PHONE, "transfer", callId=call_id, to=CAROL)
    assert (await states(hub, call_id))[BOB] == "joined"
    assert hub.told(f"user:{CAROL}") == [("call:incoming", "")]
    await hub.send(LAPTOP, "accept", callId=call_id)
    assert await states(hub, call_id) == {ALICE: "joined", BOB: "left", CAROL: "joined"}
    assert hub.told(f"call:{call_id}") == [("call:state", "invited"), ("call:accepted", ""), ("call:state", "left")]
    assert hub.told(f"user:{BOB}") == [("call:cancelled", "moved")]
    assert not hub.rooms.is_member(PHONE.connection_id, RoomName(f"call:{call_id}"))


async def test_a_call_that_still_rings_is_transferred_to_nobody(hub: CallHub) -> None:
    call_id = await hub.ring(DESK, BOB)
    await refused(hub.send(DESK, "transfer", callId=call_id, to=CAROL), errors.CallNotAccepted)


async def test_a_block_between_two_ends_no_group_that_they_are_in(hub: CallHub) -> None:
    call_id = await hub.connect()
    await hub.send(PHONE, "invite", callId=call_id, to=CAROL)
    hub.rooms.emitted.clear()
    await hub.service.separate(ALICE, BOB)
    assert hub.rooms.emitted == []
