"""What the others are told of a call, and where.

A call rings in the rooms of those who are called. The legs are in the room ``call:{id}``, on whichever nodes: what is
for all goes there, without the sender. A signal between two people goes there too; in a group it is for one leg, and
goes to the room of the sign-in that has it, which is one device.

Whoever is absent (see Member) is told nothing.
"""

from collections.abc import Sequence

import msgspec

from hub.kernel.clock import from_ms
from hub.kernel.events import Caller
from hub.kernel.ids import RoomName, UserId, session_room, user_room
from hub.kernel.ports import Rooms
from signaling import errors, schema, server_events
from signaling.call.model import MEDIA, Call, Member, Part
from signaling.legs import LocalLegs
from signaling.media.engines import Engines
from signaling.views import Relayed, member_views


class Telling:
    """Tells the others. Nothing here raises because Redis does not answer, but :meth:`hear`."""

    def __init__(self, rooms: Rooms, legs: LocalLegs, engines: Engines | None = None) -> None:
        """``engines`` are told too of who has left and of the end, if there are any."""
        self._rooms = rooms
        self._legs = legs
        self._engines = engines

    async def hear(self, actor: Caller, call_id: str) -> None:
        """Make the actor's connection, which has the leg, hear of the call. Raises Unavailable."""
        await self._rooms.join(actor.connection_id, call_room(call_id))
        self._legs.add(actor, call_id)

    async def hear_no_more(self, actor: Caller, call_id: str) -> None:
        """The actor's connection has no leg any more."""
        self._legs.drop(actor.connection_id, call_id)
        await self._rooms.leave(actor.connection_id, call_room(call_id))

    async def ring(self, call: Call, rung: Sequence[UserId], version: int, *, busy: bool = False) -> None:
        """Ring every device of these people."""
        first = next((call.members[user_id] for user_id in rung), None)
        if first is None:
            return
        event = server_events.CallIncoming(
            call_id=call.call_id,
            version=version,
            initiator=call.initiator,
            type=call.type,
            expires_at=from_ms(first.until),
            from_=msgspec.UNSET if first.by == call.initiator else first.by,
            members=member_views(call) if call.group else msgspec.UNSET,
            busy=busy or msgspec.UNSET,
        )
        await self._rooms.emit([user_room(user_id) for user_id in rung], event)

    async def accepted(self, actor: Caller, call: Call, version: int) -> None:
        """The actor joined: the legs hear it, and the actor's other devices stop ringing."""
        gen = max(call.floor, call.members[actor.user_id].gen)
        accepted = server_events.CallAccepted(
            call_id=call.call_id, version=version, state=call.state, from_=actor.user_id, gen=gen
        )
        await self._rooms.emit(call_room(call.call_id), accepted, skip=actor.connection_id)
        await self.stop_ringing(call.call_id, actor, version, errors.AnsweredElsewhere.code)

    async def stop_ringing(self, call_id: str, actor: Caller, version: int, reason: str) -> None:
        """The actor's other devices need not ring any more."""
        event = server_events.CallCancelled(call_id=call_id, version=version, reason=reason)
        await self._rooms.emit(user_room(actor.user_id), event, skip=actor.connection_id)

    async def state(self, actor: Caller, call: Call, version: int, kind: server_events.Kind, **more: object) -> None:
        """Something else of the actor's has changed."""
        event = _state(call, version, kind, actor.user_id, **more)
        await self._rooms.emit(call_room(call.call_id), event, skip=actor.connection_id)

    async def media(self, actor: Caller, call_id: str, version: int, media: schema.MediaState) -> None:
        """What the actor's leg sends."""
        event = server_events.CallMedia(
            call_id=call_id,
            version=version,
            from_=actor.user_id,
            audio_muted=media.audio_muted,
            video_muted=media.video_muted,
            screen=media.screen,
            streams=media.streams,
        )
        await self._rooms.emit(call_room(call_id), event, skip=actor.connection_id)

    async def signal(self, actor: Caller, call: Call, version: int, relayed: Relayed, leg_to: str) -> None:
        """Something for another leg. What is for the media server is no news to anybody."""
        if leg_to == MEDIA:
            return
        event = _signal(call, version, actor.user_id, relayed, leg_to)
        if call.group:
            await self._rooms.emit(session_room(call.members[UserId(leg_to)].session), event)
        else:
            await self._rooms.emit(call_room(call.call_id), event, skip=actor.connection_id)

    async def from_media(self, call: Call, version: int, relayed: Relayed, to: UserId) -> None:
        """Something of the media server for a leg."""
        event = _signal(call, version, MEDIA, relayed, to)
        await self._rooms.emit(session_room(call.members[to].session), event)

    async def moved(self, call: Call, version: int) -> None:
        """Another engine carries the media."""
        event = server_events.CallMove(call_id=call.call_id, version=version, engine=call.engine, gen=call.floor)
        await self._rooms.emit(call_room(call.call_id), event)

    async def taken(self, actor: Caller, former: RoomName, call: Call, version: int) -> None:
        """The actor's device took the call from another, whose sign-in has the room ``former``."""
        event = server_events.CallCancelled(call_id=call.call_id, version=version, reason="moved")
        await self._rooms.emit(former, event, skip=actor.connection_id)
        if former != session_room(actor.session_id):  # else the new leg would go with the old one, see Deadlines.renew
            await self._rooms.evict(call_room(call.call_id), of=former)
        gen = call.members[actor.user_id].gen
        await self.state(actor, call, version, "moved", gen=gen)

    async def gone(self, call: Call, user_id: UserId, member: Member, *, by: Caller | None = None) -> None:
        """A member of a group has left it, declined or not answered. ``by`` is the connection that knows already."""
        if self._engines is not None and member.state is Part.LEFT:
            self._engines.gone(call.call_id, call.engine, user_id)
        room, skip = call_room(call.call_id), by.connection_id if by else None
        kind: server_events.Kind = "declined" if member.state is Part.DECLINED else "left"
        reason = member.reason or msgspec.UNSET
        await self._rooms.emit(room, _state(call, member.left, kind, user_id, reason=reason), skip=skip)
        if member.absent or (by and kind == "left"):
            return
        event = server_events.CallCancelled(call_id=call.call_id, version=member.left, reason=member.reason)
        await self._rooms.emit(user_room(user_id), event, skip=skip)
        if kind == "left":
            await self._rooms.evict(room, of=user_room(user_id))

    async def ended(self, call: Call, *, by: Caller | None = None) -> None:
        """It is over, for legs and ringing devices, except the connection that did it."""
        if self._engines is not None:
            self._engines.over(call.call_id, call.engine)
        skip, room, reason = by.connection_id if by else None, call_room(call.call_id), call.reason
        await self._rooms.emit(
            room, server_events.CallEnded(call_id=call.call_id, version=call.version, reason=reason), skip=skip
        )
        # Also who declined last, and so ended it: their other devices ring on, or a node died before it told them.
        ringing = [user_room(one) for one, member in call.members.items() if _may_ring(member)]
        if ringing:
            cancelled = server_events.CallCancelled(call_id=call.call_id, version=call.version, reason=reason)
            await self._rooms.emit(ringing, cancelled, skip=skip)
        if any(member.joined for member in call.members.values()):
            await self._rooms.evict(room, of=room)


def rung(call: Call) -> list[UserId]:
    """Those at whose devices it rings."""
    ringing = call.members.items()
    return [user_id for user_id, member in ringing if member.state is Part.RINGING and not member.absent]


def _may_ring(member: Member) -> bool:
    return not member.absent and (member.state is Part.RINGING or member.untold)


def call_room(call_id: str) -> RoomName:
    """The room of a call's legs."""
    return RoomName(f"call:{call_id}")


def _state(
    call: Call, version: int, kind: server_events.Kind, user_id: UserId, **more: object
) -> server_events.CallState:
    event = server_events.CallState(call_id=call.call_id, version=version, state=call.state, kind=kind, from_=user_id)
    return msgspec.structs.replace(event, **more)


def _signal(call: Call, version: int, sender: str, relayed: Relayed, to: str) -> server_events.CallSignal:
    return server_events.CallSignal(
        call_id=call.call_id,
        from_=sender,
        to=to if call.group or sender == MEDIA else msgspec.UNSET,
        version=version,
        signal=relayed.signal,
        gen=relayed.gen,
    )
