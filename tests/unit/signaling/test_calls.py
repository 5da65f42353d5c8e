"""Calls as clients see them: every event through the router, over the model as a store."""

from collections.abc import Collection

import pytest

from hub.kernel.clock import from_ms
from hub.kernel.errors import Forbidden, InvalidPayload, NotFound, Unavailable
from hub.kernel.ids import ConnectionId, RoomName, UserId, new_ulid, new_uuid, user_room
from hub.kernel.wire import to_wire
from signaling import errors
from signaling.call.commands import End
from signaling.call.model import Call
from signaling.settings import CallSettings
from signaling.store import PARTED_S
from tests.support.call_hub import (
    ALICE,
    ANSWER,
    BOB,
    CANDIDATES,
    CAROL,
    DESK,
    OFFER,
    PHONE,
    TABLET,
    CallHub,
    device,
    refused,
)

STRANGER = device(CAROL, "c")


@pytest.fixture
def hub() -> CallHub:
    return CallHub()


async def test_a_call_rings_every_device_and_answers_with_what_the_caller_needs(hub: CallHub) -> None:
    reply = await hub.send(DESK, "initiate", to=[BOB], type="audio")
    call_id = reply["callId"]
    assert reply["state"] == "ringing"
    assert reply["iceServers"] == [{"urls": ["stun:a"]}]
    assert reply["expiresAt"] == to_wire(from_ms(hub.clock.now_ms() + 90_000))
    (event,) = hub.rooms.events_to(user_room(BOB))
    assert event.event == "call:incoming"
    assert (event.call_id, event.initiator, event.type) == (call_id, ALICE, "audio")  # type: ignore[attr-defined]
    assert hub.rooms.is_member(DESK.connection_id, RoomName(f"call:{call_id}"))


@pytest.mark.parametrize("to", [UserId(new_uuid()), CAROL], ids=["nobody", "blocked"])
async def test_a_blocked_person_and_nobody_are_the_same_to_the_caller(hub: CallHub, to: UserId) -> None:
    hub.people.blocks.add(frozenset((ALICE, CAROL)))
    error = await refused(hub.send(DESK, "initiate", to=to, type="audio"), NotFound)
    assert error.to_wire() == {"code": "not_found", "message": "There is nobody there to call.", "temporary": False}
    assert hub.store.calls == {}


@pytest.mark.parametrize(
    "to",
    [ALICE, [BOB, ALICE], [], "bob", ["bob"], BOB + "\n", None],
    ids=["oneself", "oneself among others", "none", "no id", "a list of no id", "an id with a line feed", "null"],
)
async def test_a_call_to_oneself_or_to_nonsense_is_refused(hub: CallHub, to: object) -> None:
    for _ in range(100):  # a few refusals of a string pattern beside an array once brought the process down
        error = await refused(hub.send(DESK, "initiate", to=to, type="audio"), InvalidPayload)
        assert error.details["errors"][0]["pointer"].startswith("/to")
    assert hub.rooms.emitted == []


async def test_a_repeated_initiate_is_the_same_call_and_rings_no_second_time(hub: CallHub) -> None:
    call_id = new_ulid()
    first = await hub.send(DESK, "initiate", to=BOB, type="video", callId=call_id)
    assert await hub.send(DESK, "initiate", to=BOB, type="video", callId=call_id) == first
    await hub.send(PHONE, "ringing", callId=call_id)
    await hub.send(DESK, "initiate", to=BOB, type="video", callId=call_id)
    assert hub.told(f"user:{BOB}") == [("call:incoming", "")]


async def test_somebody_elses_call_id_is_unknown(hub: CallHub) -> None:
    call_id = await hub.ring(DESK, BOB)
    await refused(hub.send(STRANGER, "initiate", to=BOB, type="video", callId=call_id), errors.UnknownCall)
    await refused(hub.send(PHONE, "initiate", to=CAROL, type="video", callId=call_id), errors.UnknownCall)
    assert not hub.rooms.is_member(STRANGER.connection_id, RoomName(f"call:{call_id}"))


async def test_a_repeat_rings_if_the_first_attempt_failed_before_it_could(hub: CallHub) -> None:
    claim, call_id = hub.store.claim_pair, new_ulid()

    async def fail(*_: object, **__: object) -> str:
        raise Unavailable

    hub.store.claim_pair = fail  # type: ignore[method-assign]
    await refused(hub.send(DESK, "initiate", to=BOB, type="video", callId=call_id), Unavailable)
    hub.store.claim_pair = claim  # type: ignore[method-assign]
    await hub.send(DESK, "initiate", to=BOB, type="video", callId=call_id)
    assert hub.told(f"user:{BOB}") == [("call:incoming", "")]


async def test_two_who_ring_each_other_are_in_one_call(hub: CallHub) -> None:
    first = await hub.ring(DESK, BOB)
    own = new_ulid()
    for _ in range(2):  # the second time as a repeat
        reply = await hub.send(PHONE, "initiate", to=ALICE, type="audio", callId=own)
        assert (reply["callId"], reply["state"], reply["initiator"]) == (first, "connecting", ALICE)
    assert hub.told(f"call:{first}") == [("call:accepted", "")]
    assert hub.told(f"user:{ALICE}") == []
    assert hub.store.calls[own].reason == "replaced"
    assert list(hub.store.deadlines) == [first]


async def test_a_second_call_between_the_same_two_names_the_first(hub: CallHub) -> None:
    first = await hub.ring(DESK, BOB)
    error = await refused(hub.send(DESK, "initiate", to=BOB, type="audio"), errors.CallInProgress)
    assert error.details == {"callId": first}
    await hub.send(PHONE, "accept", callId=first)
    await refused(hub.send(TABLET, "initiate", to=ALICE, type="audio"), errors.CallInProgress)


async def test_the_pair_is_free_again_after_the_call(hub: CallHub) -> None:
    first = await hub.ring(DESK, BOB)
    await hub.send(DESK, "hangup", callId=first)
    assert await hub.ring(PHONE, ALICE) != first
    assert len(hub.store.deadlines) == 1


async def test_a_pair_left_by_a_dead_node_is_taken_over(hub: CallHub) -> None:
    hub.store.pairs[frozenset((ALICE, BOB))] = new_ulid()  # a call that is gone
    call_id = await hub.ring(DESK, BOB)
    assert hub.store.pairs[frozenset((ALICE, BOB))] == call_id


async def test_the_caller_hears_once_that_it_rings(hub: CallHub) -> None:
    call_id = await hub.ring(DESK, BOB)
    await hub.send(PHONE, "ringing", callId=call_id)
    await hub.send(TABLET, "ringing", callId=call_id)
    assert hub.told(f"call:{call_id}") == [("call:state", "alerting")]
    await refused(hub.send(DESK, "ringing", callId=call_id), Forbidden)


async def test_the_first_device_wins_and_the_others_stop_ringing(hub: CallHub) -> None:
    call_id = await hub.ring(DESK, BOB)
    reply = await hub.send(PHONE, "accept", callId=call_id)
    assert (reply["state"], reply["iceServers"]) == ("connecting", [{"urls": ["stun:a"]}])
    assert await hub.send(PHONE, "accept", callId=call_id) == reply
    await refused(hub.send(TABLET, "accept", callId=call_id), errors.AnsweredElsewhere)
    await refused(hub.send(DESK, "accept", callId=call_id), Forbidden)
    assert hub.told(f"call:{call_id}") == [("call:accepted", "")]
    assert hub.told(f"user:{BOB}")[1:] == [("call:cancelled", "answered_elsewhere")]
    assert hub.rooms.skipped[-2:] == [PHONE.connection_id] * 2


@pytest.mark.parametrize("event", ["reject", "hangup"])
async def test_a_callee_who_refuses_ends_it_on_every_device(hub: CallHub, event: str) -> None:
    call_id = await hub.ring(DESK, BOB)
    reply = await hub.send(TABLET, event, callId=call_id)
    assert (reply["state"], reply["reason"]) == ("ended", "rejected")
    assert hub.told(f"call:{call_id}") == [("call:ended", "rejected")]
    assert hub.told(f"user:{BOB}")[1:] == [("call:cancelled", "rejected")]
    await refused(hub.send(PHONE, "accept", callId=call_id), errors.CallEnded)


async def test_ignoring_silences_one_device_and_tells_nobody(hub: CallHub) -> None:
    call_id = await hub.ring(DESK, BOB)
    hub.rooms.emitted.clear()
    assert (await hub.send(TABLET, "ignore", callId=call_id))["state"] == "ringing"
    assert hub.rooms.emitted == []
    assert (await hub.send(PHONE, "accept", callId=call_id))["state"] == "connecting"


async def test_a_caller_who_cancels_stops_the_ringing(hub: CallHub) -> None:
    call_id = await hub.ring(DESK, BOB)
    await hub.send(DESK, "hangup", callId=call_id)
    again = await hub.send(DESK, "hangup", callId=call_id)
    assert again["reason"] == "cancelled"
    assert hub.told(f"user:{BOB}")[1:] == [("call:cancelled", "cancelled")]


async def test_only_the_two_legs_can_hang_up_an_answered_call(hub: CallHub) -> None:
    call_id = await hub.connect()
    await refused(hub.send(TABLET, "hangup", callId=call_id), errors.AnsweredElsewhere)
    reply = await hub.send(PHONE, "hangup", callId=call_id, reason="user_media_failed")
    assert reply["reason"] == "user_media_failed"
    assert hub.told(f"call:{call_id}") == [("call:ended", "user_media_failed")]
    assert hub.told(f"user:{BOB}") == []
    assert hub.store.deadlines == {}


async def test_signals_go_to_the_other_leg_in_order_and_the_answer_makes_the_call_active(hub: CallHub) -> None:
    call_id = await hub.connect()
    first = await hub.send(DESK, "signal", callId=call_id, seq=1, signal=CANDIDATES, gen=3)  # before the answer: fine
    second = await hub.send(PHONE, "signal", callId=call_id, seq=1, signal=ANSWER)
    assert second["version"] == first["version"] + 1
    one, other = hub.rooms.events_to(RoomName(f"call:{call_id}"))
    assert to_wire(one) == {
        "callId": call_id,
        "from": ALICE,
        "version": first["version"],
        "gen": 3,
        "signal": {
            "type": "candidate",
            "candidates": [{"candidate": "candidate:1", "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": None}],
        },
    }
    assert to_wire(other)["signal"] == ANSWER
    assert hub.rooms.skipped == [DESK.connection_id, PHONE.connection_id]
    assert (await hub.send(DESK, "sync", callId=call_id, sinceVersion=0))["state"] == "active"


async def test_a_repeated_signal_has_its_version_again_and_is_not_sent_twice(hub: CallHub) -> None:
    call_id = await hub.connect()
    first = await hub.send(DESK, "signal", callId=call_id, seq=1, signal=OFFER)
    await hub.send(DESK, "signal", callId=call_id, seq=2, signal=CANDIDATES)
    assert await hub.send(DESK, "signal", callId=call_id, seq=1, signal=OFFER) == first
    assert len(hub.rooms.events_to(RoomName(f"call:{call_id}"))) == 2


async def test_a_gap_names_the_number_that_is_expected(hub: CallHub) -> None:
    call_id = await hub.connect()
    error = await refused(hub.send(DESK, "signal", callId=call_id, seq=2, signal=OFFER), errors.SignalGap)
    assert error.details == {"expectedSeq": 1}


async def test_signals_need_an_accepted_call_that_has_not_ended_and_the_leg(hub: CallHub) -> None:
    call_id = await hub.ring(DESK, BOB)
    signal = {"callId": call_id, "seq": 1, "signal": OFFER}
    await refused(hub.send(DESK, "signal", **signal), errors.CallNotAccepted)
    await hub.send(PHONE, "accept", callId=call_id)
    await refused(hub.send(TABLET, "signal", **signal), errors.AnsweredElsewhere)
    await hub.send(PHONE, "hangup", callId=call_id)
    error = await refused(hub.send(DESK, "signal", **signal), errors.CallEnded)
    assert error.details == {"reason": "user_hangup"}


@pytest.mark.parametrize(
    "signal",
    [
        {"type": "offer", "sdp": "x" * (64 * 1024 + 1)},
        {"type": "offer"},
        {"type": "candidate", "candidates": []},
        {"type": "candidate", "candidates": [{"candidate": "x"}] * 101},
        {"type": "candidate", "candidates": [{"candidate": "x" * 1025}]},
        {"type": "candidate", "candidates": [{"candidate": "x", "address": "10.0.0.1"}]},
        {"type": "bye"},
        "offer",
    ],
)
async def test_a_signal_that_does_not_fit_is_refused_and_takes_no_number(hub: CallHub, signal: object) -> None:
    call_id = await hub.connect()
    await refused(hub.send(DESK, "signal", callId=call_id, seq=1, signal=signal), InvalidPayload)
    await hub.send(DESK, "signal", callId=call_id, seq=1, signal=OFFER)


@pytest.mark.parametrize("event", ["accept", "reject", "ignore", "ringing", "hangup", "sync", "signal"])
async def test_to_an_outsider_every_call_is_unknown(hub: CallHub, event: str) -> None:
    call_id = await hub.connect()
    extra = {"seq": 1, "signal": OFFER} if event == "signal" else {}
    there = await refused(hub.send(STRANGER, event, callId=call_id, **extra), errors.UnknownCall)
    nowhere = await refused(hub.send(STRANGER, event, callId=new_ulid(), **extra), errors.UnknownCall)
    assert there.to_wire() == nowhere.to_wire()
    assert hub.rooms.emitted == []


@pytest.mark.parametrize("event", ["initiate", "accept", "reject", "ignore", "ringing", "hangup", "sync", "signal"])
@pytest.mark.parametrize("payload", [{}, {"callId": "1"}, {"callId": 5}])
async def test_a_payload_that_does_not_fit_is_refused(hub: CallHub, event: str, payload: dict[str, object]) -> None:
    await refused(hub.send(DESK, event, **payload), InvalidPayload)


async def test_a_new_connection_of_the_session_goes_on_with_the_call(hub: CallHub) -> None:
    call_id = await hub.connect()
    offer = await hub.send(DESK, "signal", callId=call_id, seq=1, signal=OFFER)
    back = device(BOB, "phone again", session="phone")
    await refused(hub.send(back, "signal", callId=call_id, seq=1, signal=ANSWER), errors.AnsweredElsewhere)
    reply = await hub.send(back, "sync", callId=call_id, sinceVersion=offer["version"] - 1)
    assert (reply["mine"], reply["complete"], reply["seq"]) == (True, True, 0)
    assert [(one["kind"], one["version"]) for one in reply["events"]] == [
        ("signal", offer["version"]),
        ("resumed", offer["version"] + 1),
    ]
    assert reply["events"][0]["signal"] == OFFER
    assert hub.told(f"call:{call_id}")[-1] == ("call:state", "resumed")  # whose version shows the other side a hole
    await hub.send(back, "signal", callId=call_id, seq=1, signal=ANSWER)
    assert hub.rooms.is_member(back.connection_id, RoomName(f"call:{call_id}"))


async def test_another_device_may_look_at_the_call_but_sees_no_signals(hub: CallHub) -> None:
    call_id = await hub.connect()
    await hub.send(DESK, "signal", callId=call_id, seq=1, signal=OFFER)
    reply = await hub.send(TABLET, "sync", callId=call_id, sinceVersion=0)
    assert (reply["state"], reply["mine"], reply["events"]) == ("connecting", False, [])
    assert [member["state"] for member in reply["members"]] == ["joined", "joined"]
    assert not hub.rooms.is_member(TABLET.connection_id, RoomName(f"call:{call_id}"))


async def test_a_call_whose_party_stays_away_ends_and_one_whose_parties_are_there_goes_on(hub: CallHub) -> None:
    call_id = await hub.connect()
    for _ in range(10):
        hub.clock.advance(20)
        await hub.sweeper.renew()
        await hub.sweeper.sweep()
    assert hub.told(f"call:{call_id}") == []
    await hub.rooms.leave(PHONE.connection_id, RoomName(f"call:{call_id}"))  # as its transport does when it is gone
    for _ in range(2):
        hub.clock.advance(20)
        await hub.sweeper.renew()
        await hub.sweeper.sweep()
    assert hub.told(f"call:{call_id}") == [("call:ended", "ice_failed")]
    assert (hub.store.deadlines, hub.store.pairs) == ({}, {})
    await hub.sweeper.renew()
    assert hub.legs.all() == []


async def test_an_unanswered_call_ends_for_caller_and_devices(hub: CallHub) -> None:
    call_id = await hub.ring(DESK, BOB)
    for _ in range(5):
        hub.clock.advance(20)
        await hub.sweeper.renew()
        await hub.sweeper.sweep()
    assert hub.told(f"call:{call_id}") == [("call:ended", "invite_timeout")]
    assert hub.told(f"user:{BOB}")[1:] == [("call:cancelled", "invite_timeout")]


async def test_after_an_outage_every_node_renews_before_any_node_sweeps(hub: CallHub) -> None:
    call_id = await hub.connect()
    hub.store.down = True
    await hub.sweeper.tick(now=100.0)
    await refused(hub.send(DESK, "hangup", callId=call_id), Unavailable)
    hub.store.down = False
    hub.clock.advance(600)  # every lease is over
    await hub.sweeper.tick(now=101.0)
    await hub.sweeper.tick(now=100.0 + 2 * CallSettings().leg_renew_every_s)
    assert hub.told(f"call:{call_id}") == []
    assert hub.store.calls[call_id].state == "connecting"


@pytest.mark.parametrize("blocker", [ALICE, BOB], ids=["caller", "callee"])
async def test_a_block_ends_the_call_of_the_two_as_if_the_blocker_had_hung_up(hub: CallHub, blocker: UserId) -> None:
    call_id = await hub.connect()
    await hub.service.separate(blocker, BOB if blocker == ALICE else ALICE)
    assert hub.told(f"call:{call_id}") == [("call:ended", "user_hangup")]
    assert hub.rooms.skipped == [None], "the blocker's own device is told too"
    assert await hub.ring(DESK, BOB) != call_id, "the pair is free again"


@pytest.mark.parametrize(("blocker", "reason"), [(ALICE, "cancelled"), (BOB, "rejected")], ids=["caller", "callee"])
async def test_a_block_ends_what_rings_as_if_the_blocker_had_refused_it(
    hub: CallHub, blocker: UserId, reason: str
) -> None:
    call_id = await hub.ring(DESK, BOB)
    await hub.service.separate(blocker, BOB if blocker == ALICE else ALICE)
    assert hub.told(f"call:{call_id}") == [("call:ended", reason)]
    assert hub.told(f"user:{BOB}") == [("call:incoming", ""), ("call:cancelled", reason)]


async def test_a_block_ends_no_call_with_others_and_none_that_is_over(hub: CallHub) -> None:
    call_id = await hub.connect()
    await hub.service.separate(BOB, CAROL)
    await hub.service.separate(CAROL, ALICE)
    assert hub.rooms.emitted == []
    await hub.service.separate(BOB, ALICE)
    told = len(hub.rooms.emitted)
    await hub.service.separate(BOB, ALICE)
    assert (len(hub.rooms.emitted), hub.store.calls[call_id].reason) == (told, "user_hangup")


@pytest.mark.parametrize("before", [True, False], ids=["before it has the pair", "as it has the pair"])
async def test_a_call_that_is_placed_beside_a_block_does_not_ring(
    hub: CallHub, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    claim = hub.store.claim_pair

    async def claim_and_block(call: Call, instead_of: str = "") -> str:
        holder = "" if before else await claim(call, instead_of)
        hub.people.blocks.add(frozenset((ALICE, BOB)))
        await hub.service.separate(BOB, ALICE)
        return holder or await claim(call, instead_of)

    monkeypatch.setattr(hub.store, "claim_pair", claim_and_block)
    placing = hub.send(DESK, "initiate", to=BOB, type="audio")
    if before:
        await refused(placing, NotFound)
    else:
        assert (await placing)["state"] == "ended"
    assert hub.told(f"user:{BOB}")[-1:] != [("call:incoming", "")]
    assert [call.is_over for call in hub.store.calls.values()] == [True]
    assert await hub.store.part(ALICE, BOB) is None, "no call has the pair"


async def test_a_block_that_is_taken_back_and_set_anew_while_a_call_is_placed_is_seen(
    hub: CallHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hub.service.separate(BOB, ALICE)  # a block of a moment ago, which was taken back
    looks = iter([None, None, frozenset((ALICE, BOB))])
    reachable = hub.people.reachable

    async def look_as_they_change_their_minds(caller: UserId, callees: Collection[UserId]) -> frozenset[UserId]:
        if (block := next(looks)) is not None:
            hub.people.blocks.add(block)
        seen = await reachable(caller, callees)
        await hub.service.separate(BOB, ALICE)
        return seen

    monkeypatch.setattr(hub.people, "reachable", look_as_they_change_their_minds)
    await refused(hub.send(DESK, "initiate", to=BOB, type="audio"), NotFound)
    assert hub.rooms.emitted == []


async def test_after_a_pause_whoever_places_a_call_looks_once_more(
    hub: CallHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    reachable = hub.people.reachable

    async def look_and_pause(caller: UserId, callees: Collection[UserId]) -> frozenset[UserId]:
        seen = await reachable(caller, callees)
        hub.people.blocks.add(frozenset((ALICE, BOB)))  # and all that said so has expired when the node goes on
        hub.clock.advance(PARTED_S)
        return seen

    monkeypatch.setattr(hub.people, "reachable", look_and_pause)
    await refused(hub.send(DESK, "initiate", to=BOB, type="audio"), NotFound)
    assert hub.rooms.emitted == []


async def test_a_block_while_calls_cannot_be_reached_is_told_so_that_it_is_tried_again(hub: CallHub) -> None:
    await hub.connect()
    hub.store.down = True
    await refused(hub.service.separate(ALICE, BOB), Unavailable)


async def test_who_comes_back_to_a_call_that_has_ended_is_told_even_if_no_node_has_told_its_end(hub: CallHub) -> None:
    call_id = await hub.connect()
    await hub.store.apply(call_id, End(PHONE))
    await refused(hub.deadlines.restore(device(ALICE, "desk again", "desk"), {call_id: b""}), errors.CallEnded)


async def test_who_comes_back_to_a_call_has_its_leg_again(hub: CallHub) -> None:
    call_id, again = await hub.connect(), device(ALICE, "desk again", "desk")
    await hub.deadlines.restore(again, {call_id: b""})
    assert hub.rooms.is_member(again.connection_id, RoomName(f"call:{call_id}"))
    assert (await hub.send(again, "signal", callId=call_id, seq=1, signal=OFFER))["version"]


async def test_one_who_accepts_as_the_caller_hangs_up_is_told_by_the_answer(
    hub: CallHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    call_id, join = await hub.ring(DESK, BOB), hub.rooms.join

    async def join_too_late(connection_id: ConnectionId, room: RoomName) -> int:
        if connection_id == PHONE.connection_id:
            await hub.send(DESK, "hangup", callId=call_id)
        return await join(connection_id, room)

    monkeypatch.setattr(hub.rooms, "join", join_too_late)
    error = await refused(hub.send(PHONE, "accept", callId=call_id), errors.CallEnded)
    assert error.details == {"reason": "user_hangup"}
    assert hub.told(f"user:{BOB}")[1:] == [("call:cancelled", "answered_elsewhere")], "the other devices ring no more"
    assert not hub.rooms.is_member(PHONE.connection_id, RoomName(f"call:{call_id}"))
