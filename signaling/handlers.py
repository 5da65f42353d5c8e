"""The client events of calls."""

from msgspec import UNSET

from hub.kernel import wire
from hub.kernel.events import Caller, EventRouter
from hub.kernel.ids import UserId
from hub.kernel.limits import Limit
from hub.kernel.wire import Nothing
from signaling import errors, schema, views
from signaling.call.model import MEDIA
from signaling.carriage import Carriage
from signaling.deadlines import Deadlines
from signaling.ice import Ice
from signaling.placing import Placing
from signaling.pre_call import PreCall
from signaling.service import CallService

INITIATIONS = Limit(per_minute=20, burst=10)
"""Each rings every device of somebody else."""
TESTS = Limit(per_minute=20, burst=10)
"""Each is a connection to a media server, or a new negotiation of one."""
SIGNALS = Limit(per_minute=1200, burst=300)
"""A call begins with some thirty candidates on each side, and so does each restart."""


def call_events(
    placing: Placing, service: CallService, deadlines: Deadlines, carriage: Carriage, ice: Ice
) -> EventRouter:
    """Events ``call:*``. Those of one call complete in the order in which a connection sent them."""
    router = EventRouter(restores={"call": deadlines.restore}, disconnected=[deadlines.disconnected])
    _ringing(router, placing, service, carriage, ice)
    _talking(router, service, carriage, ice)
    return router


def pre_call_events(pre_call: PreCall) -> EventRouter:
    """Events ``call:test``, ``call:test-result`` and ``call:test-end``."""

    async def test(caller: Caller, payload: schema.TestConnection) -> schema.TestAnswered:
        return schema.TestAnswered(sdp=await pre_call.offer(caller, payload.sdp))

    async def result(caller: Caller, _: Nothing) -> schema.ConnectionTested:
        return await pre_call.result(caller)

    async def end(caller: Caller, _: Nothing) -> Nothing:
        await pre_call.end(caller)
        return Nothing()

    router = EventRouter(disconnected=[pre_call.end])
    router.on("call:test", schema.TestConnection, test, order=_alone, limit=TESTS)
    router.on("call:test-result", Nothing, result, order=_alone)
    router.on("call:test-end", Nothing, end, order=_alone)
    return router


def _alone(_: object) -> str:
    return "call:test"


def _ringing(router: EventRouter, placing: Placing, service: CallService, carriage: Carriage, ice: Ice) -> None:
    """What begins and ends a call, and who is in it."""

    async def initiate(caller: Caller, payload: schema.Initiate) -> schema.Placed:
        call = await placing.initiate(caller, _people(payload.to), payload.type, payload.call_id)
        return views.placed(call, ice.paths(caller.user_id))

    async def invite(caller: Caller, payload: schema.Invite) -> schema.Standing:
        call = await placing.invite(caller, payload.call_id, _people(payload.to))
        return views.standing(call, caller.user_id, members=True)

    async def transfer(caller: Caller, payload: schema.Transfer) -> schema.Standing:
        if payload.to is not None:
            call = await placing.invite(caller, payload.call_id, {UserId(payload.to)}, transfer=True)
            return views.standing(call, caller.user_id, members=True)
        call = await service.take(caller, payload.call_id)
        return views.standing(call, caller.user_id, ice.paths(caller.user_id))

    async def ringing(caller: Caller, payload: schema.CallRef) -> schema.Standing:
        return views.standing(await service.ringing(caller, payload.call_id), caller.user_id)

    async def accept(caller: Caller, payload: schema.CallRef) -> schema.Standing:
        try:
            call = await service.accept(caller, payload.call_id, carriage.mesh_limit)
        except errors.CallFull:
            if not await carriage.has_engine():
                raise
            call = await service.accept(caller, payload.call_id)
        await carriage.follow(call)
        return views.standing(call, caller.user_id, ice.paths(caller.user_id))

    async def ignore(caller: Caller, payload: schema.CallRef) -> schema.Standing:
        return views.standing(await service.ignore(caller, payload.call_id), caller.user_id)

    async def hang_up(caller: Caller, payload: schema.CallRef) -> schema.Standing:
        return views.standing(await service.hang_up(caller, payload.call_id, payload.reason), caller.user_id)

    router.on("call:initiate", schema.Initiate, initiate, order=_by_call, limit=INITIATIONS)
    router.on("call:invite", schema.Invite, invite, order=_by_call, limit=INITIATIONS)
    router.on("call:transfer", schema.Transfer, transfer, order=_by_call, limit=INITIATIONS)
    router.on("call:ringing", schema.CallRef, ringing, order=_by_call, automatic=True)
    router.on("call:accept", schema.CallRef, accept, order=_by_call)
    router.on("call:ignore", schema.CallRef, ignore, order=_by_call)
    # The state says what an end is: cancelled by the caller, rejected by the callee, hung up by either.
    router.on("call:reject", schema.CallRef, hang_up, order=_by_call)
    router.on("call:hangup", schema.CallRef, hang_up, order=_by_call)


def _talking(router: EventRouter, service: CallService, carriage: Carriage, ice: Ice) -> None:
    """What the legs say in it."""

    async def signal(caller: Caller, payload: schema.SendSignal) -> schema.Signalled:
        relayed = views.Relayed(payload.signal, UNSET if payload.gen is None else payload.gen)
        kind = "answer" if isinstance(payload.signal, schema.Answer) else "other"
        leg_to = payload.leg_to or ""
        version = await service.signal(caller, payload.call_id, payload.seq, kind, relayed, leg_to)
        # A media server needs no candidates: its own are in the answer, and the client's checks find the way.
        if leg_to == MEDIA and isinstance(payload.signal, schema.Offer):
            await carriage.offer(caller, payload.call_id, payload.signal, payload.gen)
        return schema.Signalled(version=version)

    async def media(caller: Caller, payload: schema.SetMedia) -> schema.Changed:
        state = schema.MediaState(
            audio_muted=payload.audio_muted,
            video_muted=payload.video_muted,
            screen=payload.screen,
            streams=payload.streams,
        )
        return schema.Changed(version=await service.media(caller, payload.call_id, state))

    async def hold(caller: Caller, payload: schema.Hold) -> schema.Changed:
        return schema.Changed(version=await service.hold(caller, payload.call_id, on=True))

    async def resume(caller: Caller, payload: schema.Hold) -> schema.Changed:
        return schema.Changed(version=await service.hold(caller, payload.call_id, on=False))

    async def upgrade(caller: Caller, payload: schema.Upgrade) -> schema.Changed:
        media = "video" if payload.video else "audio"
        return schema.Changed(version=await service.upgrade(caller, payload.call_id, media))

    async def restart(caller: Caller, payload: schema.Restart) -> schema.Restarted:
        call, version = await service.restart(caller, payload.call_id, payload.gen)
        return views.restarted(call, version, caller.user_id, ice.paths(caller.user_id))

    async def sync(caller: Caller, payload: schema.Sync) -> schema.Snapshot:
        call, missed, complete = await service.sync(caller, payload.call_id, payload.since_version)
        paths = ice.no_paths() if call.is_over else ice.paths(caller.user_id)
        return views.snapshot(call, missed, caller, paths, complete=complete)

    async def engine(caller: Caller, payload: schema.EngineRef) -> schema.MediaWay:
        return await carriage.way(caller, payload.call_id)

    async def record(caller: Caller, payload: schema.Record) -> Nothing:
        await carriage.record(caller, payload.call_id, payload.on)
        return Nothing()

    async def mute_member(caller: Caller, payload: schema.MuteMember) -> Nothing:
        await carriage.mute(caller, payload.call_id, UserId(payload.user_id), payload.kind, payload.muted)
        return Nothing()

    router.on("call:mute-member", schema.MuteMember, mute_member, order=_by_call)
    router.on("call:record", schema.Record, record, order=_by_call)
    router.on("call:engine", schema.EngineRef, engine, order=_by_call, automatic=True)
    router.on("call:signal", schema.SendSignal, signal, order=_by_call, limit=SIGNALS, automatic=True)
    router.on("call:media", schema.SetMedia, media, order=_by_call)
    router.on("call:hold", schema.Hold, hold, order=_by_call)
    router.on("call:resume", schema.Hold, resume, order=_by_call)
    router.on("call:upgrade", schema.Upgrade, upgrade, order=_by_call)
    router.on("call:restart", schema.Restart, restart, order=_by_call, automatic=True)
    router.on("call:sync", schema.Sync, sync, order=_by_call, automatic=True)


_Payload = (
    schema.Initiate
    | schema.Invite
    | schema.Transfer
    | schema.CallRef
    | schema.Hold
    | schema.EngineRef
    | schema.Record
    | schema.MuteMember
    | schema.SendSignal
    | schema.SetMedia
    | schema.Upgrade
    | schema.Restart
    | schema.Sync
)


def _by_call(payload: _Payload) -> str:
    return f"call:{payload.call_id}"


def _people(to: str | list[str]) -> set[UserId]:
    """The people of a list, or the one of its short form. Raises InvalidPayload."""
    people = {wire.decode({"to": to}, schema.OnePerson).to} if isinstance(to, str) else to
    return {UserId(user_id) for user_id in people}
