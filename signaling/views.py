"""Calls as clients see them."""

import msgspec
from msgspec import UNSET, UnsetType

from hub.kernel.clock import from_ms
from hub.kernel.events import Caller
from hub.kernel.ids import UserId
from signaling import schema
from signaling.call.model import Call, Change, Member
from signaling.ice import Paths


class Relayed(msgspec.Struct, omit_defaults=True):
    """A signal as it is kept in the log."""

    signal: schema.AnySignal
    gen: int | UnsetType = UNSET


def placed(call: Call, paths: Paths) -> schema.Placed:
    """For who placed it."""
    return schema.Placed(
        call_id=call.call_id,
        state=call.state,
        version=call.version,
        type=call.type,
        initiator=call.initiator,
        ice_servers=paths.servers,
        ice_transport_policy=paths.policy,
        expires_at=from_ms(call.ring_until),
        members=member_views(call) if call.group else UNSET,
        reason=call.reason or UNSET,
    )


def standing(call: Call, user_id: UserId, paths: Paths | None = None, *, members: bool = False) -> schema.Standing:
    """For one of its members. ``members``: with the others, of whom the call has to have all then."""
    return schema.Standing(
        call_id=call.call_id,
        state=call.state,
        version=call.version,
        gen=generation(call, user_id),
        members=member_views(call) if members and call.group else UNSET,
        engine=call.engine if paths else UNSET,
        reason=call.reason or UNSET,
        ice_servers=paths.servers if paths else UNSET,
        ice_transport_policy=paths.policy if paths else UNSET,
    )


def restarted(call: Call, version: int, user_id: UserId, paths: Paths) -> schema.Restarted:
    """For one whose leg began a new generation, by the change ``version``."""
    gen = generation(call, user_id)
    return schema.Restarted(version=version, gen=gen, ice_servers=paths.servers, ice_transport_policy=paths.policy)


def snapshot(call: Call, missed: list[Change], caller: Caller, paths: Paths, *, complete: bool) -> schema.Snapshot:
    """For one of its members, with what their leg missed."""
    mine, member = call.held_by(caller), call.member(caller.user_id)
    return schema.Snapshot(
        call_id=call.call_id,
        state=call.state,
        version=call.version,
        type=call.type,
        initiator=call.initiator,
        members=member_views(call),
        expires_at=from_ms(call.ring_until),
        mine=mine,
        seq=member.seq if mine and member else 0,
        gen=generation(call, caller.user_id),
        engine=call.engine,
        complete=complete,
        events=[_told(change) for change in missed],
        ice_servers=paths.servers,
        ice_transport_policy=paths.policy,
        reason=call.reason or UNSET,
    )


def generation(call: Call, user_id: UserId) -> int:
    """The generation of somebody's leg."""
    member = call.members.get(user_id)
    return max(call.floor, member.gen if member else 0)


def member_views(call: Call) -> list[schema.Member]:
    """The members, those first whom it rang first."""
    members = sorted(call.members.items(), key=lambda item: (item[1].rung, bool(item[1].by), item[0]))
    return [_member(user_id, member, call) for user_id, member in members]


def media_state(text: str) -> schema.MediaState:
    """What a leg sends, as a call keeps it."""
    return msgspec.json.decode(text, type=schema.MediaState)


def _member(user_id: UserId, member: Member, call: Call) -> schema.Member:
    return schema.Member(
        user_id=user_id,
        state="left" if call.is_over else member.state.value,
        gen=generation(call, user_id),
        held=member.held,
        away=member.away,
        media=media_state(member.media) if member.media else UNSET,
    )


def _told(change: Change) -> schema.LoggedEvent:
    event = schema.LoggedEvent(version=change.version, kind=change.kind, at=from_ms(change.at_ms), from_=change.by)
    more: dict[str, object]
    match change.kind:
        case "signal":
            relayed = msgspec.json.decode(change.data, type=Relayed)
            more = {"signal": relayed.signal, "gen": relayed.gen}
        case "media":
            more = {"media": media_state(change.data)}
        case "invited":
            more = {"members": change.data.split(",")}
        case "restarted" | "moved":
            more = {"gen": int(change.data)}
        case "upgraded":
            more = {"type": change.data}
        case "move":
            more = {"engine": change.data}
        case _:
            more = {"reason": change.data or UNSET}
    return msgspec.structs.replace(event, **more)
