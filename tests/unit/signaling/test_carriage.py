"""The media of a call: when it moves to a media server, and what its legs get of one."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from hub.kernel.errors import Forbidden, InvalidPayload, Unavailable
from hub.kernel.events import Caller
from hub.kernel.ids import RoomName, session_room
from hub.kernel.wire import to_wire
from signaling import errors
from signaling.media.engine import EngineDown
from signaling.media.engines import Engines
from signaling.media.mesh import Mesh
from signaling.media.settings import MediaSettings
from tests.support.call_hub import BOB, CAROL, DAVE, DESK, OFFER, PHONE, TABLET, CallHub, device, refused
from tests.support.wait import until

CAROLS, DAVES = device(CAROL, "carol"), device(DAVE, "dave")


@pytest.fixture
async def hub() -> AsyncIterator[CallHub]:
    made = CallHub()
    made.media.there = True
    yield made
    await made.tasks.close()


async def group(hub: CallHub, *joining: Caller) -> str:
    """A call of Alice with three others, whom these accept for."""
    reply = await hub.send(DESK, "initiate", to=[BOB, CAROL, DAVE], type="video")
    for one in joining:
        await hub.send(one, "accept", callId=reply["callId"])
    return str(reply["callId"])


def moves(hub: CallHub, call_id: str) -> list[tuple[str, int]]:
    events = [to_wire(one) for one in hub.rooms.events_to(RoomName(f"call:{call_id}")) if one.event == "call:move"]
    return [(one["engine"], one["gen"]) for one in events]


async def offer(hub: CallHub, leg: Caller, call_id: str, seq: int, sdp: str = "v=0", **more: object) -> Any:
    signal = {"type": "offer", "sdp": sdp}
    return await hub.send(leg, "signal", callId=call_id, seq=seq, legTo="media", signal=signal, **more)


def answers(hub: CallHub, leg: Caller) -> list[tuple[str, int]]:
    """What the media server said to a device: SDP and generation."""
    told = [to_wire(one) for rooms, one in hub.rooms.emitted if rooms == [session_room(leg.session_id)]]
    return [(one["signal"]["sdp"], one["gen"]) for one in told if one["from"] == "media"]


async def test_the_third_who_joins_moves_the_call_to_a_media_server_and_the_fourth_does_not(hub: CallHub) -> None:
    call_id = await group(hub, PHONE)
    assert moves(hub, call_id) == []
    await hub.send(CAROLS, "accept", callId=call_id)
    assert moves(hub, call_id) == [("embedded", 1)]
    assert hub.media.rooms == [call_id]
    await hub.send(DAVES, "accept", callId=call_id)
    assert moves(hub, call_id) == [("embedded", 1)]


async def test_a_call_of_two_stays_between_them_and_nobody_is_asked_about_engines(hub: CallHub) -> None:
    hub.media.up = False
    call_id = await hub.connect()
    assert moves(hub, call_id) == []


@pytest.mark.parametrize("lack", ["there", "up"])
async def test_without_a_media_server_three_are_a_mesh_and_the_next_who_joins_tries_again(
    hub: CallHub, lack: str
) -> None:
    setattr(hub.media, lack, False)
    call_id = await group(hub, PHONE, CAROLS)
    assert moves(hub, call_id) == []
    setattr(hub.media, lack, True)
    await hub.send(DAVES, "accept", callId=call_id)
    assert moves(hub, call_id) == [("embedded", 1)]


async def test_an_offer_to_the_media_server_is_answered_to_the_device_that_made_it(hub: CallHub) -> None:
    call_id = await group(hub, PHONE, CAROLS)
    hub.rooms.emitted.clear()
    await offer(hub, PHONE, call_id, 1, "mine", gen=1)
    assert hub.media.offers == [(call_id, BOB, "mine")]
    assert answers(hub, PHONE) == [("answer to mine", 1)]
    assert answers(hub, CAROLS) == []


async def test_an_offer_of_a_generation_that_was_left_goes_nowhere(hub: CallHub) -> None:
    call_id = await group(hub, PHONE, CAROLS)
    await offer(hub, PHONE, call_id, 1, "old", gen=0)
    assert hub.media.offers == []


async def test_nobody_offers_to_a_media_server_that_the_call_has_not_or_from_outside(hub: CallHub) -> None:
    call_id = await group(hub, PHONE)
    await refused(offer(hub, PHONE, call_id, 1), errors.LegGone)
    await hub.send(CAROLS, "accept", callId=call_id)
    await refused(offer(hub, TABLET, call_id, 1), errors.AnsweredElsewhere)
    await refused(offer(hub, DAVES, call_id, 1), errors.CallNotAccepted)
    await refused(offer(hub, device(BOB, "stranger"), call_id, 1), errors.AnsweredElsewhere)
    assert hub.media.offers == []


async def test_what_the_media_server_cannot_use_is_the_clients_error(hub: CallHub) -> None:
    call_id = await group(hub, PHONE, CAROLS)
    error = await refused(offer(hub, PHONE, call_id, 1, "bad"), InvalidPayload)
    assert "It is no good." in str(error)


async def test_an_engine_that_refuses_one_leg_moves_nobody(hub: CallHub) -> None:
    """Else whoever finds an offer that a media server fails over could have the others begin anew for ever."""
    call_id = await group(hub, PHONE, CAROLS)
    await refused(offer(hub, PHONE, call_id, 1, "too much"), Unavailable)
    assert moves(hub, call_id) == [("embedded", 1)]


async def test_who_leaves_while_the_engine_answers_is_put_out_after_it(hub: CallHub) -> None:
    call_id = await group(hub, PHONE, CAROLS)

    async def leaves() -> None:
        await hub.send(PHONE, "hangup", callId=call_id)
        await until(lambda: hub.media.removed)

    hub.media.meanwhile = leaves
    await refused(offer(hub, PHONE, call_id, 1), errors.LegGone)
    await until(lambda: hub.media.removed == [(call_id, BOB)] * 2)


async def test_a_call_that_ends_while_the_engine_answers_leaves_no_room(hub: CallHub) -> None:
    call_id = await group(hub, PHONE, CAROLS)

    async def ends() -> None:
        for leg in (DESK, PHONE, CAROLS):
            await hub.send(leg, "hangup", callId=call_id)
        await until(lambda: hub.media.closed)

    hub.media.meanwhile = ends
    await refused(offer(hub, PHONE, call_id, 1), errors.CallEnded)
    await until(lambda: hub.media.closed == [call_id] * 2)


async def test_without_a_media_server_no_more_people_get_into_a_call_than_a_mesh_carries() -> None:
    hub = CallHub(media=MediaSettings(mesh_limit=3))
    call_id = await group(hub, PHONE, CAROLS)
    error = await refused(hub.send(DAVES, "accept", callId=call_id), errors.CallFull)
    assert error.to_wire() == {
        "code": "call_full",
        "message": "No more people fit into this call.",
        "temporary": True,
        "mostPeople": 3,
    }
    await hub.send(PHONE, "accept", callId=call_id)  # who is in it may say so again
    await hub.send(PHONE, "hangup", callId=call_id)
    await hub.send(DAVES, "accept", callId=call_id)
    await refused(hub.send(PHONE, "accept", callId=call_id), errors.CallFull)
    hub.media.there = True
    await hub.send(PHONE, "accept", callId=call_id)
    assert [engine for engine, _ in moves(hub, call_id)] == ["embedded"]
    await hub.tasks.close()


async def test_who_takes_the_place_of_another_in_a_full_call_gets_in() -> None:
    hub = CallHub(media=MediaSettings(mesh_limit=2))
    call_id = await hub.connect()
    await hub.send(PHONE, "transfer", callId=call_id, to=CAROL)
    await hub.send(CAROLS, "accept", callId=call_id)
    await refused(hub.send(PHONE, "accept", callId=call_id), errors.CallFull)
    await hub.tasks.close()


async def test_who_comes_to_an_engine_with_a_token_of_a_call_that_they_left_is_put_out(hub: CallHub) -> None:
    hub.engines = Engines({"mesh": Mesh(), "livekit": hub.media}, {}, hub.tasks)
    hub.carriage._engines = hub.engines
    call_id = await group(hub, PHONE, CAROLS)
    await hub.carriage.came(call_id, BOB)
    await hub.send(PHONE, "hangup", callId=call_id)
    for user in (BOB, DAVE, "hub-operator"):  # left, rings, and nobody's id
        await hub.carriage.came(call_id, user)
    await hub.carriage.came("01JNOSUCHCALL0000000000000", CAROL)
    await until(lambda: len(hub.media.removed) == 4)
    assert (call_id, CAROL) not in hub.media.removed
    assert [user for room, user in hub.media.removed if room == call_id] == [BOB, DAVE, "hub-operator"]


async def test_candidates_for_the_media_server_are_acknowledged_and_not_needed(hub: CallHub) -> None:
    call_id = await group(hub, PHONE, CAROLS)
    await hub.send(PHONE, "signal", callId=call_id, seq=1, legTo="media", signal={"type": "end-of-candidates"})
    assert hub.media.offers == []


async def test_when_the_media_server_dies_the_call_begins_anew_on_another_once(hub: CallHub) -> None:
    call_id = await group(hub, PHONE, CAROLS)
    await hub.carriage.rescue(call_id)
    assert moves(hub, call_id) == [("embedded", 1), ("embedded", 2)]
    await offer(hub, PHONE, call_id, 1, "old", gen=1)
    assert hub.media.offers == []
    await offer(hub, PHONE, call_id, 2, "new", gen=2)
    assert answers(hub, PHONE) == [("answer to new", 2)]


async def test_without_another_media_server_the_call_becomes_a_mesh(hub: CallHub) -> None:
    call_id = await group(hub, PHONE, CAROLS)
    hub.media.there = False
    await hub.carriage.rescue(call_id)
    assert moves(hub, call_id)[1:] == [("mesh", 2)]


async def test_a_rescue_that_fails_is_told_so_that_it_is_tried_again(hub: CallHub) -> None:
    call_id = await group(hub, PHONE, CAROLS)
    hub.media.up = False
    await refused(hub.carriage.rescue(call_id), Unavailable)
    assert len(moves(hub, call_id)) == 1


async def test_calls_that_are_over_or_have_no_media_server_need_no_rescue(hub: CallHub) -> None:
    two = await hub.connect()
    await hub.carriage.rescue(two)
    await hub.carriage.rescue("01JNOSUCHCALL0000000000000")
    call_id = await group(hub, PHONE, CAROLS)
    for leg in (DESK, PHONE, CAROLS):
        await hub.send(leg, "hangup", callId=call_id)
    await hub.carriage.rescue(call_id)
    assert (len(moves(hub, two)), len(moves(hub, call_id))) == (0, 1)


async def test_an_offer_to_a_dead_media_server_moves_the_call(hub: CallHub) -> None:
    call_id = await group(hub, PHONE, CAROLS)
    hub.media.up = False
    hub.media.there = False
    await offer(hub, PHONE, call_id, 1)
    assert moves(hub, call_id)[1:] == [("mesh", 2)]


async def test_who_leaves_is_put_out_and_at_the_end_the_room_is_closed(hub: CallHub) -> None:
    call_id = await group(hub, PHONE, CAROLS)
    await hub.send(PHONE, "hangup", callId=call_id)
    await until(lambda: hub.media.removed == [(call_id, BOB)])
    for leg in (DESK, CAROLS):
        await hub.send(leg, "hangup", callId=call_id)
    await until(lambda: hub.media.closed == [call_id])


async def test_clearing_up_that_fails_hurts_nobody(hub: CallHub) -> None:
    call_id = await group(hub, PHONE, CAROLS)
    hub.media.up = False
    await hub.send(PHONE, "hangup", callId=call_id)
    hub.engines.over(call_id, "an engine of yesterday")
    with pytest.raises(EngineDown):
        hub.engines["an engine of yesterday"]


async def test_a_leg_asks_how_to_reach_what_carries_the_media(hub: CallHub) -> None:
    call_id = await group(hub, PHONE)
    assert to_wire(await hub.send(PHONE, "engine", callId=call_id)) == {"engine": "mesh", "gen": 0}
    await hub.send(CAROLS, "accept", callId=call_id)
    way = to_wire(await hub.send(PHONE, "engine", callId=call_id))
    assert way == {"engine": "embedded", "gen": 1, "url": "wss://media", "token": f"token of {BOB}"}
    await refused(hub.send(TABLET, "engine", callId=call_id), errors.AnsweredElsewhere)
    hub.media.up = False
    await refused(hub.send(PHONE, "engine", callId=call_id), Unavailable)
    assert OFFER["type"] == "offer"


async def test_whoever_is_in_the_call_may_have_it_recorded_and_nobody_else(hub: CallHub) -> None:
    call_id = await group(hub, PHONE)
    await refused(hub.send(PHONE, "record", callId=call_id), Forbidden)  # a mesh
    await hub.send(CAROLS, "accept", callId=call_id)
    for on in (True, False):
        await hub.send(PHONE, "record", callId=call_id, on=on)
    assert hub.media.recorded == [(call_id, True), (call_id, False)]
    await refused(hub.send(TABLET, "record", callId=call_id), errors.AnsweredElsewhere)
    await refused(hub.send(DAVES, "record", callId=call_id), errors.CallNotAccepted)
    hub.media.records = False
    await refused(hub.send(PHONE, "record", callId=call_id), Forbidden)
    hub.media.up = False
    await refused(hub.send(PHONE, "record", callId=call_id), Unavailable)


async def test_who_began_the_call_may_mute_others_in_it_and_nobody_else(hub: CallHub) -> None:
    call_id = await group(hub, PHONE)
    bobs = {"callId": call_id, "userId": BOB, "kind": "audio"}
    await refused(hub.send(DESK, "mute-member", **bobs), Forbidden)  # a mesh
    await hub.send(CAROLS, "accept", callId=call_id)
    await hub.send(DESK, "mute-member", **bobs)
    await hub.send(DESK, "mute-member", **bobs, muted=False)
    assert hub.media.muted == [(call_id, BOB, "audio", True), (call_id, BOB, "audio", False)]
    await refused(hub.send(PHONE, "mute-member", **bobs), Forbidden)
    hub.media.up = False
    await refused(hub.send(DESK, "mute-member", **bobs), Unavailable)
