"""What a leg does in a call: media, hold, upgrade, restart, another device, going away and coming back."""

import pytest

from hub.kernel.errors import PayloadTooLarge
from hub.kernel.ids import RoomName, session_room, user_room
from hub.kernel.wire import to_wire
from signaling import errors
from signaling.call.commands import Signal
from signaling.call.talking import MOST_SIGNALS
from tests.support.call_hub import ALICE, ANSWER, BOB, DESK, OFFER, PHONE, TABLET, CallHub, device, refused

STATE = {"audioMuted": True, "videoMuted": False, "screen": True, "streams": {"s1": "screenshare"}}


@pytest.fixture
def hub() -> CallHub:
    return CallHub()


async def test_what_a_leg_sends_is_told_once_and_shown_to_who_comes_later(hub: CallHub) -> None:
    call_id = await hub.connect()
    reply = await hub.send(DESK, "media", callId=call_id, **STATE)
    assert await hub.send(DESK, "media", callId=call_id, **STATE) == reply
    (event,) = hub.rooms.events_to(RoomName(f"call:{call_id}"))
    assert to_wire(event) == {"callId": call_id, "from": ALICE, "version": reply["version"], **STATE}
    seen = await hub.send(TABLET, "sync", callId=call_id, sinceVersion=0)
    assert {member["userId"]: member.get("media") for member in seen["members"]} == {ALICE: STATE, BOB: None}


async def test_a_caller_can_be_muted_before_the_answer_and_a_callee_cannot(hub: CallHub) -> None:
    call_id = await hub.ring(DESK, BOB)
    await hub.send(DESK, "media", callId=call_id, audioMuted=True)
    await refused(hub.send(PHONE, "media", callId=call_id, audioMuted=True), errors.CallNotAccepted)


@pytest.mark.parametrize("event", ["media", "hold", "resume", "upgrade", "restart"])
async def test_only_the_leg_changes_the_call_and_only_as_long_as_it_lasts(hub: CallHub, event: str) -> None:
    call_id = await hub.connect()
    await refused(hub.send(TABLET, event, callId=call_id), errors.AnsweredElsewhere)
    await hub.send(DESK, event, callId=call_id)
    await hub.send(DESK, "hangup", callId=call_id)
    await refused(hub.send(DESK, event, callId=call_id), errors.CallEnded)


async def test_holding_and_going_on_are_told_and_seen(hub: CallHub) -> None:
    call_id = await hub.connect()
    await hub.send(PHONE, "hold", callId=call_id)
    await hub.send(PHONE, "hold", callId=call_id)
    seen = await hub.send(DESK, "sync", callId=call_id, sinceVersion=0)
    assert [member["held"] for member in seen["members"]] == [False, True]
    await hub.send(PHONE, "resume", callId=call_id)
    assert hub.told(f"call:{call_id}") == [("call:state", "held"), ("call:state", "unheld")]


async def test_a_call_with_sound_becomes_one_with_video(hub: CallHub) -> None:
    call_id = (await hub.send(DESK, "initiate", to=BOB, type="audio"))["callId"]
    await hub.send(PHONE, "accept", callId=call_id)
    await hub.send(PHONE, "upgrade", callId=call_id)
    assert hub.store.calls[call_id].type == "video"
    assert to_wire(hub.rooms.events_to(RoomName(f"call:{call_id}"))[-1])["type"] == "video"
    await hub.send(DESK, "upgrade", callId=call_id, video=False)
    assert hub.store.calls[call_id].type == "audio"


async def test_a_restart_begins_a_generation_and_older_signals_go_nowhere(hub: CallHub) -> None:
    call_id = await hub.connect()
    reply = await hub.send(DESK, "restart", callId=call_id, gen=0)
    assert (reply["gen"], reply["iceServers"]) == (1, [{"urls": ["stun:a"]}])
    assert await hub.send(DESK, "restart", callId=call_id, gen=0) == reply, "it was left already"
    assert hub.told(f"call:{call_id}") == [("call:state", "restarted")]
    hub.rooms.emitted.clear()
    stale = {"callId": call_id, "seq": 1, "gen": 0, "signal": OFFER}
    assert await hub.send(PHONE, "signal", **stale) == {"version": reply["version"]}
    assert await hub.send(PHONE, "signal", **stale) == {"version": reply["version"]}
    assert hub.rooms.emitted == []
    await hub.send(PHONE, "signal", callId=call_id, seq=2, gen=1, signal=OFFER)
    assert len(hub.rooms.emitted) == 1


async def test_another_device_takes_the_call_and_the_first_one_drops_it(hub: CallHub) -> None:
    call_id = await hub.connect()
    await hub.send(PHONE, "signal", callId=call_id, seq=1, signal=ANSWER)
    hub.rooms.emitted.clear()
    reply = await hub.send(TABLET, "transfer", callId=call_id)
    assert (reply["gen"], reply["iceServers"]) == (1, [{"urls": ["stun:a"]}])
    assert hub.told(user_room(BOB)) == [("call:cancelled", "moved")]
    assert hub.rooms.skipped[1] == TABLET.connection_id
    assert hub.told(f"call:{call_id}") == [("call:state", "moved")]
    await refused(hub.send(PHONE, "signal", callId=call_id, seq=2, signal=OFFER), errors.AnsweredElsewhere)
    await hub.send(TABLET, "signal", callId=call_id, seq=1, gen=1, signal=OFFER)
    assert await hub.send(TABLET, "transfer", callId=call_id) == reply | {"version": reply["version"] + 1}


async def test_a_device_that_lost_its_leg_on_a_dead_node_hears_no_more(hub: CallHub) -> None:
    call_id, tab = await hub.connect(), device(BOB, "tab", session="phone")
    await hub.send(tab, "transfer", callId=call_id)  # of the same sign-in, so nobody puts the old one out
    await hub.sweeper.renew()
    assert not hub.rooms.is_member(PHONE.connection_id, RoomName(f"call:{call_id}"))
    assert hub.rooms.is_member(tab.connection_id, RoomName(f"call:{call_id}"))


async def test_a_call_that_was_not_accepted_is_taken_by_no_device(hub: CallHub) -> None:
    call_id = await hub.ring(DESK, BOB)
    await refused(hub.send(TABLET, "transfer", callId=call_id), errors.CallNotAccepted)


async def test_a_lost_connection_is_away_until_it_is_back(hub: CallHub) -> None:
    call_id = await hub.connect()
    await hub.deadlines.disconnected(PHONE)
    await hub.deadlines.disconnected(PHONE)
    assert hub.told(f"call:{call_id}") == [("call:state", "away")]
    seen = await hub.send(DESK, "sync", callId=call_id, sinceVersion=0)
    assert [member["away"] for member in seen["members"]] == [False, True]
    back = device(BOB, "phone again", session="phone")
    await hub.send(back, "sync", callId=call_id, sinceVersion=0)
    await hub.deadlines.disconnected(PHONE)
    assert hub.told(f"call:{call_id}")[1:] == [("call:state", "resumed")]
    seen = await hub.send(DESK, "sync", callId=call_id, sinceVersion=0)
    assert [member["away"] for member in seen["members"]] == [False, False]


async def test_a_leg_sends_so_many_signals_in_a_generation(hub: CallHub) -> None:
    call_id = await hub.connect()
    for seq in range(1, MOST_SIGNALS + 1):
        await hub.store.apply(call_id, Signal(DESK, seq, "other", "{}"))
    more = {"callId": call_id, "seq": MOST_SIGNALS + 1, "signal": OFFER}
    await refused(hub.send(DESK, "signal", **more), PayloadTooLarge)
    await hub.send(DESK, "restart", callId=call_id)
    await hub.send(DESK, "signal", **more)


async def test_the_media_server_talks_to_one_leg_and_its_answer_makes_the_call_active(hub: CallHub) -> None:
    call_id = await hub.connect()
    await hub.carriage.move(call_id, "embedded", 0)
    await hub.carriage.move(call_id, "embedded", 0)
    assert hub.told(f"call:{call_id}") == [("call:move", "")]
    hub.rooms.emitted.clear()
    await hub.send(DESK, "signal", callId=call_id, seq=1, gen=1, legTo="media", signal=OFFER)
    ((rooms, event),) = hub.rooms.emitted
    assert rooms == [session_room(DESK.session_id)], "the other leg does not hear it"
    assert (to_wire(event)["from"], to_wire(event)["to"]) == ("media", ALICE)
    assert hub.store.calls[call_id].state == "active"
    missed = (await hub.send(DESK, "sync", callId=call_id, sinceVersion=0))["events"]
    assert [one["from"] for one in missed if one["kind"] == "signal"] == ["media"]
