"""The client events of calls."""

import msgspec

from hub.kernel import wire
from hub.kernel.clock import from_ms
from hub.kernel.errors import InvalidPayload
from hub.kernel.events import Caller, EventRouter
from hub.kernel.ids import UserId
from hub.kernel.limits import Limit
from signaling import schema
from signaling.ice import Ice
from signaling.model import Call, Logged, State
from signaling.service import CallService, Relayed

INITIATIONS = Limit(per_minute=20, burst=10)
"""Each rings every device of somebody else."""
SIGNALS = Limit(per_minute=1200, burst=300)
"""A call begins with some thirty candidates on each side, and so does each restart."""


def call_events(service: CallService, ice: Ice) -> EventRouter:
    """Events ``call:*``. Those of one call complete in the order in which a connection sent them."""

    async def initiate(caller: Caller, payload: schema.Initiate) -> schema.Placed:
        call = await service.initiate(caller, _the_one(payload.to), payload.type, payload.call_id)
        return schema.Placed(
            call_id=call.call_id,
            state=call.state,
            version=call.version,
            type=call.type,
            initiator=call.initiator,
            ice_servers=ice.servers(caller.user_id),
            expires_at=from_ms(call.ring_until_ms),
        )

    async def accept(caller: Caller, payload: schema.CallRef) -> schema.Standing:
        standing = _standing(await service.accept(caller, payload.call_id))
        return msgspec.structs.replace(standing, ice_servers=ice.servers(caller.user_id))

    async def ringing(caller: Caller, payload: schema.CallRef) -> schema.Standing:
        return _standing(await service.ringing(caller, payload.call_id))

    async def ignore(caller: Caller, payload: schema.CallRef) -> schema.Standing:
        return _standing(await service.ignore(caller, payload.call_id))

    async def hang_up(caller: Caller, payload: schema.CallRef) -> schema.Standing:
        return _standing(await service.hang_up(caller, payload.call_id, payload.reason))

    async def signal(caller: Caller, payload: schema.SendSignal) -> schema.Signalled:
        relayed = Relayed(payload.signal, msgspec.UNSET if payload.gen is None else payload.gen)
        kind = "answer" if isinstance(payload.signal, schema.Answer) else "other"
        return schema.Signalled(version=await service.signal(caller, payload.call_id, payload.seq, kind, relayed))

    async def sync(caller: Caller, payload: schema.Sync) -> schema.Snapshot:
        call, missed = await service.sync(caller, payload.call_id, payload.since_version)
        return _snapshot(call, missed, payload.since_version, caller, ice)

    router = EventRouter(restores={"call": service.restore})
    router.on("call:initiate", schema.Initiate, initiate, order=_by_call, limit=INITIATIONS)
    router.on("call:ringing", schema.CallRef, ringing, order=_by_call, automatic=True)
    router.on("call:accept", schema.CallRef, accept, order=_by_call)
    router.on("call:ignore", schema.CallRef, ignore, order=_by_call)
    # The state says what an end is: cancelled by the caller, rejected by the callee, hung up by either.
    router.on("call:reject", schema.CallRef, hang_up, order=_by_call)
    router.on("call:hangup", schema.CallRef, hang_up, order=_by_call)
    router.on("call:signal", schema.SendSignal, signal, order=_by_call, limit=SIGNALS, automatic=True)
    router.on("call:sync", schema.Sync, sync, order=_by_call, automatic=True)
    return router


def _by_call(payload: schema.Initiate | schema.CallRef | schema.SendSignal | schema.Sync) -> str:
    return f"call:{payload.call_id}"


def _the_one(to: str | list[str]) -> UserId:
    people = {wire.decode({"to": to}, schema.OnePerson).to} if isinstance(to, str) else set(to)
    if len(people) != 1:
        detail = "A call goes to one person"
        raise InvalidPayload(f"{detail} (at /to)", errors=[{"pointer": "/to", "detail": detail}])
    return UserId(people.pop())


def _standing(call: Call) -> schema.Standing:
    reason = call.reason or msgspec.UNSET
    return schema.Standing(call_id=call.call_id, state=call.state, version=call.version, reason=reason)


def _snapshot(call: Call, missed: list[Logged], since: int, caller: Caller, ice: Ice) -> schema.Snapshot:
    mine, leg = call.held_by(caller), call.leg_of(caller.user_id)
    return schema.Snapshot(
        call_id=call.call_id,
        state=call.state,
        version=call.version,
        type=call.type,
        initiator=call.initiator,
        members=[_member(call, call.initiator), _member(call, call.callee)],
        expires_at=from_ms(call.ring_until_ms),
        mine=mine,
        seq=leg.seq if mine and leg else 0,
        complete=bool(missed) and missed[0].version == since + 1 if mine and since < call.version else True,
        events=[_told(one) for one in missed],
        ice_servers=[] if call.state is State.ENDED else ice.servers(caller.user_id),
        reason=call.reason or msgspec.UNSET,
    )


def _member(call: Call, user_id: UserId) -> schema.Member:
    if call.state is State.ENDED:
        return schema.Member(user_id=user_id, state="left")
    return schema.Member(user_id=user_id, state="joined" if call.leg_of(user_id) else "ringing")


def _told(change: Logged) -> schema.LoggedEvent:
    event = schema.LoggedEvent(version=change.version, kind=change.kind, at=from_ms(change.at_ms), from_=change.user_id)
    if change.kind == "signal":
        relayed = msgspec.json.decode(change.data, type=Relayed)
        return msgspec.structs.replace(event, signal=relayed.signal, gen=relayed.gen)
    return msgspec.structs.replace(event, reason=change.data or msgspec.UNSET)
