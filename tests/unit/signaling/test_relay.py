"""What a node leaves untold of a call, as it dies: any other tells it two seconds later, once, if it still stands.

A node that dies after a change is a command that the store has taken, and nobody speaks of.
"""

from typing import Any

import pytest

from hub.kernel.errors import Unavailable
from hub.kernel.ids import RoomName, UserId, new_ulid, user_room
from hub.kernel.wire import to_wire
from signaling.call.commands import (
    Accept,
    Alert,
    Away,
    Callee,
    Command,
    Create,
    End,
    Hold,
    Invite,
    Media,
    Move,
    Restart,
    Sync,
    Take,
    Upgrade,
)
from signaling.call.model import Call
from signaling.placing import LATE_S
from signaling.relay import OVERDUE_S
from signaling.settings import CallSettings
from tests.support.call_hub import ALICE, BOB, CAROL, DESK, OFFER, PHONE, TABLET, CallHub, device

LAPTOP = device(CAROL, "laptop")
AGAIN = device(BOB, "phone again", "phone")
STATE = '{"audioMuted":true,"videoMuted":false,"screen":false,"streams":{}}'


@pytest.fixture
def hub() -> CallHub:
    return CallHub()


async def relayed(hub: CallHub) -> None:
    """Nothing is told before it is overdue; then it is, by two nodes at the same time."""
    before = len(hub.rooms.emitted)
    hub.clock.advance(OVERDUE_S - 0.1)
    await hub.relay.relay()
    assert len(hub.rooms.emitted) == before
    hub.clock.advance(0.1)
    owed = dict(hub.store.owed)
    await hub.relay.relay()
    hub.store.owed.update(owed)  # as the other one has read it
    await hub.relay.relay()
    assert hub.store.owed == {}


async def conference(hub: CallHub) -> str:
    """Alice called Bob and Carol, and both are in it."""
    call_id = str((await hub.send(DESK, "initiate", to=[BOB, CAROL], type="video"))["callId"])
    for one in (PHONE, LAPTOP):
        await hub.send(one, "accept", callId=call_id)
    hub.rooms.emitted.clear()
    return call_id


def people(*names: UserId) -> tuple[Callee, ...]:
    return tuple(Callee(name) for name in names)


async def test_what_a_living_node_has_told_is_told_by_no_other(hub: CallHub) -> None:
    call_id = await conference(hub)
    for event in ("hold", "resume", "restart", "media", "upgrade"):
        await hub.send(PHONE, event, callId=call_id)
    await hub.send(TABLET, "transfer", callId=call_id)
    await hub.send(DESK, "invite", callId=call_id, to=CAROL)
    await hub.carriage.move(call_id, "embedded", 0)
    for one in (TABLET, LAPTOP, DESK):
        await hub.send(one, "hangup", callId=call_id)
    told = len(hub.rooms.emitted)
    await hub.relay.relay()
    assert hub.store.owed == {}
    hub.clock.advance(60)
    await hub.relay.relay()
    assert len(hub.rooms.emitted) == told


async def test_devices_stop_ringing_though_the_node_that_took_the_acceptance_died(hub: CallHub) -> None:
    call_id = await hub.ring(DESK, BOB)
    await hub.store.apply(call_id, Accept(PHONE))
    await relayed(hub)
    assert hub.told(f"call:{call_id}") == [("call:accepted", "")]
    assert hub.told(f"user:{BOB}")[1:] == [("call:cancelled", "answered_elsewhere")]
    assert hub.rooms.skipped[-1] == PHONE.connection_id, "the device that has the call does not drop it"


async def test_devices_stop_ringing_though_the_call_that_they_were_not_told_of_is_over(hub: CallHub) -> None:
    call_id = await hub.ring(DESK, BOB)
    await hub.store.apply(call_id, Accept(PHONE))
    await hub.send(DESK, "hangup", callId=call_id)
    await relayed(hub)
    assert hub.told(f"user:{BOB}")[1:] == [("call:cancelled", "answered_elsewhere")]
    assert hub.told(f"call:{call_id}") == [("call:ended", "user_hangup")], "nobody is told of an acceptance any more"


async def test_who_is_invited_again_rings_on(hub: CallHub) -> None:
    call_id = await conference(hub)
    await hub.send(LAPTOP, "hangup", callId=call_id)
    hub.rooms.emitted.clear()
    await hub.store.apply(call_id, Accept(LAPTOP))
    await hub.store.apply(call_id, End(LAPTOP))
    await hub.send(DESK, "invite", callId=call_id, to=CAROL)
    await relayed(hub)
    assert hub.told(f"user:{CAROL}") == [("call:incoming", "")]


async def test_who_left_without_anybody_hearing_it_and_is_invited_again_hears_it_ring_and_not_as_a_leg(
    hub: CallHub,
) -> None:
    call_id = await conference(hub)
    room, legs_were_told = RoomName(f"call:{call_id}"), []
    await hub.rooms.join(LAPTOP.connection_id, user_room(CAROL))
    await hub.store.apply(call_id, End(LAPTOP))

    def hear(event: str, _payload: Any) -> None:
        legs_were_told.append((event, hub.rooms.is_member(LAPTOP.connection_id, room)))

    async with hub.rooms.listen(room, hear):
        await hub.send(DESK, "invite", callId=call_id, to=CAROL)
    assert legs_were_told == [("call:state", False)]
    assert hub.told(f"user:{CAROL}") == [("call:incoming", "")]


async def test_an_end_is_told_and_settled(hub: CallHub) -> None:
    call_id = await hub.connect()
    await hub.store.apply(call_id, End(DESK))
    await relayed(hub)
    assert hub.told(f"call:{call_id}") == [("call:ended", "user_hangup")]
    assert (hub.store.deadlines, hub.store.pairs) == ({}, {})
    assert call_id in hub.history.past


async def test_a_leg_that_is_renewed_before_the_end_is_told_still_hears_of_it(hub: CallHub) -> None:
    call_id = await hub.connect()
    await hub.store.apply(call_id, End(DESK))
    await hub.sweeper.renew()
    assert hub.rooms.is_member(PHONE.connection_id, RoomName(f"call:{call_id}"))
    await hub.sweeper.renew()
    assert hub.legs.all() == []


async def test_the_last_who_decline_a_group_ring_no_more_though_their_nodes_died(hub: CallHub) -> None:
    call_id = str((await hub.send(DESK, "initiate", to=[BOB, CAROL], type="audio"))["callId"])
    for one in (TABLET, LAPTOP):
        await hub.store.apply(call_id, End(one))
    await relayed(hub)
    assert hub.told(f"call:{call_id}")[-1] == ("call:ended", "rejected")
    for user in (BOB, CAROL):
        assert hub.told(f"user:{user}")[1:] == [("call:cancelled", "rejected")]


async def test_one_who_left_or_declined_is_told_of_once(hub: CallHub) -> None:
    call_id = await conference(hub)
    await hub.store.apply(call_id, End(PHONE))
    await relayed(hub)
    assert hub.told(f"call:{call_id}") == [("call:state", "left")]
    assert hub.told(f"user:{BOB}") == [("call:cancelled", "user_hangup")]
    second = str((await hub.send(DESK, "initiate", to=[BOB, CAROL], type="video"))["callId"])
    await hub.store.apply(second, End(TABLET))
    await relayed(hub)
    assert hub.told(f"call:{second}") == [("call:state", "declined")]
    assert hub.told(f"user:{BOB}")[-1] == ("call:cancelled", "rejected")


async def test_who_left_and_is_back_has_not_left_for_the_others(hub: CallHub) -> None:
    call_id = await conference(hub)
    await hub.store.apply(call_id, End(PHONE))
    await hub.send(TABLET, "accept", callId=call_id)
    await relayed(hub)
    assert hub.told(f"call:{call_id}") == [("call:accepted", "")]


async def test_a_call_rings_though_the_node_that_placed_it_died(hub: CallHub) -> None:
    call_id = await placed(hub, BOB)
    await relayed(hub)
    assert hub.told(f"user:{BOB}") == [("call:incoming", "")]
    assert hub.store.pairs[frozenset((ALICE, BOB))] == call_id
    group = await placed(hub, BOB, CAROL)
    await relayed(hub)
    assert [to_wire(one)["callId"] for one in hub.rooms.events_to(user_room(CAROL))] == [group]


@pytest.mark.parametrize("why", ["busy", "blocked", "another call of the two", "over", "replaced"])
async def test_a_call_that_was_not_to_ring_does_not(hub: CallHub, why: str) -> None:
    if why == "busy":
        other = await hub.ring(LAPTOP, BOB)
        await hub.send(PHONE, "accept", callId=other)
    if why == "another call of the two":
        await hub.ring(PHONE, ALICE)
    call_id = await placed(hub, BOB)
    if why == "blocked":
        hub.people.blocks.add(frozenset((ALICE, BOB)))
    if why in ("over", "replaced"):
        await hub.store.apply(call_id, End(DESK, why if why == "replaced" else ""))
    hub.rooms.emitted.clear()
    await relayed(hub)
    assert ("call:incoming", "") not in hub.told(f"user:{BOB}")
    assert bool(hub.rooms.emitted) == (why == "over")


async def test_call_waiting_says_so_whoever_rings(hub: CallHub) -> None:
    waiting = CallHub(CallSettings(when_busy="ring"))
    other = await waiting.ring(LAPTOP, BOB)
    await waiting.send(PHONE, "accept", callId=other)
    waiting.rooms.emitted.clear()
    await placed(waiting, BOB)
    await relayed(waiting)
    (incoming,) = waiting.rooms.events_to(user_room(BOB))
    assert to_wire(incoming)["busy"] is True


async def test_an_invitation_rings_though_its_node_died_and_only_where_it_still_rings(hub: CallHub) -> None:
    call_id = await conference(hub)
    for leg in (PHONE, LAPTOP):
        await hub.send(leg, "hangup", callId=call_id)
    await hub.store.apply(call_id, Invite(DESK, people(BOB, CAROL), hub.clock.now_ms() + 90_000))
    await hub.send(LAPTOP, "accept", callId=call_id)
    hub.rooms.emitted.clear()
    await relayed(hub)
    (invited,) = [to_wire(one) for one in hub.rooms.events_to(RoomName(f"call:{call_id}"))]
    assert (invited["kind"], invited["members"]) == ("invited", [BOB])
    assert hub.told(f"user:{BOB}") == [("call:incoming", "")]
    assert hub.told(f"user:{CAROL}") == []


CHANGES: list[tuple[list[Command], list[tuple[str, str]]]] = [
    ([Hold(PHONE, True)], [("call:state", "held")]),
    ([Hold(PHONE, True), Hold(PHONE, False)], [("call:state", "unheld")]),
    ([Upgrade(PHONE, "audio")], [("call:state", "upgraded")]),
    ([Upgrade(PHONE, "audio"), Upgrade(DESK, "video")], [("call:state", "upgraded")]),
    ([Restart(PHONE)], [("call:state", "restarted")]),
    ([Restart(PHONE), Restart(PHONE)], [("call:state", "restarted")]),
    ([Media(PHONE, STATE)], [("call:media", "")]),
    ([Media(PHONE, STATE), Media(PHONE, STATE.replace("true", "false"))], [("call:media", "")]),
    ([Away(PHONE)], [("call:state", "away")]),
    ([Away(PHONE), Sync(AGAIN)], [("call:state", "resumed")]),
    ([Take(TABLET)], [("call:state", "moved")]),
    ([Move("embedded", 0)], [("call:move", "")]),
    ([Move("embedded", 0), Move("mesh", 1)], [("call:move", "")]),
    ([Hold(PHONE, True), End(PHONE)], [("call:ended", "user_hangup")]),
]


NAMES = [" ".join(type(command).__name__.lower() for command in commands) for commands, _ in CHANGES]


@pytest.mark.parametrize(("commands", "told"), CHANGES, ids=NAMES)
async def test_of_what_a_leg_changed_the_last_state_is_told(
    hub: CallHub, commands: list[Command], told: list[tuple[str, str]]
) -> None:
    call_id = await hub.connect()
    for command in commands:
        await hub.store.apply(call_id, command)
    await relayed(hub)
    assert hub.told(f"call:{call_id}") == told
    (event,) = hub.rooms.events_to(RoomName(f"call:{call_id}"))
    assert to_wire(event)["version"] == hub.store.calls[call_id].version


async def test_a_device_that_lost_the_call_to_another_is_told(hub: CallHub) -> None:
    call_id = await hub.connect()
    await hub.store.apply(call_id, Take(TABLET))
    await relayed(hub)
    assert hub.told(f"user:{BOB}") == [("call:cancelled", "moved")]
    assert hub.rooms.skipped[0] == TABLET.connection_id


async def test_the_caller_hears_that_it_rings_if_it_still_does(hub: CallHub) -> None:
    call_id = await hub.ring(DESK, BOB)
    await hub.store.apply(call_id, Alert(PHONE))
    await relayed(hub)
    assert hub.told(f"call:{call_id}") == [("call:state", "alerting")]
    second = await placed(hub, CAROL)
    await hub.store.apply(second, Alert(LAPTOP))
    await hub.send(LAPTOP, "accept", callId=second)
    await relayed(hub)
    assert hub.told(f"call:{second}") == [("call:accepted", "")]


async def test_a_repeat_of_a_call_by_a_new_connection_is_told_as_its_return(hub: CallHub) -> None:
    call_id = str((await hub.send(DESK, "initiate", to=BOB, type="audio"))["callId"])
    back = device(ALICE, "desk again", "desk")
    await hub.send(back, "initiate", to=BOB, type="audio", callId=call_id)
    assert hub.told(f"call:{call_id}") == [("call:state", "resumed")]
    told = len(hub.rooms.emitted)
    await relayed(hub)
    assert len(hub.rooms.emitted) == told


async def test_a_signal_is_for_its_sender_to_repeat(hub: CallHub) -> None:
    call_id = await hub.connect()
    await hub.relay.relay()
    await hub.send(DESK, "signal", callId=call_id, seq=1, signal=OFFER)
    assert hub.store.owed == {}


async def test_what_redis_does_not_have_yet_is_still_owed(hub: CallHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub.rooms, "flushed", _fail)
    await hub.ring(DESK, BOB)
    with pytest.raises(Unavailable):
        await hub.relay.relay()
    assert [owing.version for owing in hub.store.owed] == [1]
    monkeypatch.undo()
    await hub.relay.relay()
    assert hub.store.owed == {}


async def test_what_cannot_be_told_now_is_told_later_and_published_once(
    hub: CallHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    call_id = await conference(hub)
    await hub.store.apply(call_id, End(PHONE))
    hub.clock.advance(OVERDUE_S)
    monkeypatch.setattr(hub.rooms, "evict", _fail)
    with pytest.raises(Unavailable):
        await hub.relay.relay()
    monkeypatch.undo()
    await hub.relay.relay()
    assert hub.told(f"user:{BOB}") == [("call:cancelled", "user_hangup")]
    assert hub.store.owed == {}


async def test_a_defect_in_one_does_not_keep_the_others_from_being_told(
    hub: CallHub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first = await hub.connect()
    await hub.store.apply(first, Hold(PHONE, True))
    await hub.store.apply(first, End(DESK))
    monkeypatch.setattr(hub.store, "log", _break_once(hub.store.log))
    hub.clock.advance(OVERDUE_S)
    await hub.relay.relay()
    assert "cannot be told" in caplog.text
    assert hub.told(f"call:{first}") == [("call:ended", "user_hangup")]


async def test_a_node_that_was_stopped_before_it_rang_anybody_rings_nobody_when_it_goes_on(
    hub: CallHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, stopped = hub.store.claim_pair, []

    async def claim_after_a_while(call: Call, instead_of: str = "") -> str:
        stopped.append(LATE_S + 0.1)
        return await claim(call, instead_of)

    monkeypatch.setattr(hub.store, "claim_pair", claim_after_a_while)
    monkeypatch.setattr("signaling.call.outcome.Outcome.age_s", property(lambda _: sum(stopped)))
    await hub.ring(DESK, BOB)
    assert hub.told(f"user:{BOB}") == []
    await relayed(hub)
    assert hub.told(f"user:{BOB}") == [("call:incoming", "")]


async def placed(hub: CallHub, *to: UserId) -> str:
    """The id of a call that Alice's node has created, and then it died."""
    call_id = new_ulid()
    await hub.store.create(call_id, Create(DESK, people(*to), "video", hub.clock.now_ms() + 90_000))
    return call_id


async def _fail(*_: object, **__: object) -> None:
    raise Unavailable


def _break_once(method: Any) -> Any:
    calls = iter([True])

    async def broken(*arguments: Any) -> Any:
        if next(calls, False):
            raise ZeroDivisionError
        return await method(*arguments)

    return broken
