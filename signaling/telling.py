"""What the others are told of a call, and where.

A call rings in the rooms of those who are called. The legs are in the room ``call:{id}``, on whichever nodes: what is
for all goes there, without the sender. A signal between two people goes there too; in a group it is for one leg, and
goes to the room of the sign-in that has it, which is one device.

Whoever is absent (see Member) is told nothing.

What is told of a change has the change's version as its id. Whoever tells it for a node that may have died before it
could (relay.py, or the node that gets a repeat) says how old the change is, and it is published unless it was already.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from typing import TypeAlias

import msgspec

from hub.kernel.clock import from_ms
from hub.kernel.events import Caller
from hub.kernel.ids import ConnectionId, RoomName, SessionId, UserId, session_room, user_room
from hub.kernel.ports import Rooms
from signaling import errors, schema, server_events
from signaling.call.model import MEDIA, NO_SESSION, Call, Member, Part
from signaling.legs import LocalLegs
from signaling.media.engines import Engines
from signaling.views import Relayed, member_views

ANSWERED = errors.AnsweredElsewhere.code
Versioned: TypeAlias = (
    server_events.CallIncoming
    | server_events.CallAccepted
    | server_events.CallCancelled
    | server_events.CallEnded
    | server_events.CallState
    | server_events.CallMedia
    | server_events.CallMove
)
"""What tells of a change."""


class Telling:
    """Tells the others. Nothing here raises because Redis does not answer, but :meth:`hear`."""

    def __init__(self, rooms: Rooms, legs: LocalLegs, engines: Engines | None = None) -> None:
        """``engines`` are told too of who has left and of the end, if there are any."""
        self._rooms = rooms
        self._legs = legs
        self._engines = engines

    def expect(self, call_id: str) -> AbstractContextManager[None]:
        """Have whoever gets a leg inside of ``with`` hear of the call sooner."""
        return self._rooms.expect(call_room(call_id))

    async def hear(self, actor: Caller, call_id: str) -> None:
        """Make the actor's connection, which has the leg, hear of the call. Raises Unavailable."""
        await self._rooms.join(actor.connection_id, call_room(call_id))
        self._legs.add(actor, call_id)

    @asynccontextmanager
    async def hearing(self, actor: Caller, call_id: str) -> AsyncIterator[None]:
        """The same from the beginning of ``async with`` on; behind it whoever comes back does, too. Raises Unavailable.

        What is told and asked inside goes to Redis together with that.
        """
        async with self._rooms.joining(actor.connection_id, call_room(call_id)):
            self._legs.add(actor, call_id)
            yield

    async def hear_no_more(self, actor: Caller, call_id: str) -> None:
        """The actor's connection has no leg any more."""
        self._legs.drop(actor.connection_id, call_id)
        await self._rooms.leave(actor.connection_id, call_room(call_id))

    async def ring(
        self, call: Call, rung: Sequence[UserId], version: int, *, busy: bool = False, age_s: float = 0.0
    ) -> None:
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
        await self._tell([user_room(user_id) for user_id in rung], event, age_s=age_s)

    async def invited(
        self, actor: Caller, call: Call, version: int, names: Sequence[UserId], *, age_s: float = 0.0
    ) -> None:
        """The actor has more people rung: the legs hear it, and it rings at the devices of those who are not absent."""
        for user_id in names:
            # They may have left on a node that died before it told anybody. Their device still hears of the call, and
            # would take its ringing for what it has heard as a leg: both are of this version.
            await self._rooms.evict(call_room(call.call_id), of=user_room(user_id))
        await self.state(actor, call, version, "invited", age_s=age_s, members=sorted(names))
        await self.ring(call, [one for one in rung(call) if one in names], version, age_s=age_s)

    async def accepted(self, actor: Caller, call: Call, version: int, *, age_s: float = 0.0) -> None:
        """The actor joined: the legs hear it, and the actor's other devices stop ringing."""
        gen = max(call.floor, call.members[actor.user_id].gen)
        accepted = server_events.CallAccepted(
            call_id=call.call_id, version=version, state=call.state, from_=actor.user_id, gen=gen
        )
        await self._tell(call_room(call.call_id), accepted, skip=actor.connection_id, age_s=age_s)
        await self.answered(actor, call, version, age_s=age_s)

    async def answered(self, actor: Caller, call: Call, version: int, *, age_s: float = 0.0) -> None:
        """The actor's other devices need not ring any more."""
        await self._cancelled(user_room(actor.user_id), call, version, ANSWERED, actor.connection_id, age_s)

    async def state(
        self,
        actor: Caller,
        call: Call,
        version: int,
        kind: server_events.Kind,
        *,
        age_s: float = 0.0,
        **more: object,
    ) -> None:
        """Something else of the actor's has changed."""
        event = _state(call, version, kind, actor.user_id, **more)
        await self._tell(call_room(call.call_id), event, skip=actor.connection_id, age_s=age_s)

    async def media(
        self, actor: Caller, call_id: str, version: int, media: schema.MediaState, *, age_s: float = 0.0
    ) -> None:
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
        await self._tell(call_room(call_id), event, skip=actor.connection_id, age_s=age_s)

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

    async def moved(self, call: Call, version: int, *, age_s: float = 0.0) -> None:
        """Another engine carries the media."""
        event = server_events.CallMove(call_id=call.call_id, version=version, engine=call.engine, gen=call.floor)
        await self._tell(call_room(call.call_id), event, age_s=age_s)

    async def taken(
        self, actor: Caller, call: Call, version: int, *, former: SessionId = NO_SESSION, age_s: float = 0.0
    ) -> None:
        """The actor's device took the call from another, of the sign-in ``former`` if that is known."""
        await self._cancelled(user_room(actor.user_id), call, version, "moved", actor.connection_id, age_s)
        if former not in (NO_SESSION, actor.session_id):  # else the new leg would go with the old one
            await self._rooms.evict(call_room(call.call_id), of=session_room(former))  # at once, see Deadlines.renew
        gen = call.members[actor.user_id].gen
        await self.state(actor, call, version, "moved", gen=gen, age_s=age_s)

    async def gone(
        self, call: Call, user_id: UserId, member: Member, *, by: Caller | None = None, age_s: float = 0.0
    ) -> None:
        """A member of a group has left it, declined or not answered. ``by`` is the connection that knows already."""
        if self._engines is not None and member.state is Part.LEFT:
            self._engines.gone(call.call_id, call.engine, user_id)
        room, skip = call_room(call.call_id), by.connection_id if by else None
        kind: server_events.Kind = "declined" if member.state is Part.DECLINED else "left"
        reason = member.reason or msgspec.UNSET
        await self._tell(room, _state(call, member.left, kind, user_id, reason=reason), skip=skip, age_s=age_s)
        if member.absent or (by and kind == "left"):
            return
        await self._cancelled(user_room(user_id), call, member.left, member.reason, skip, age_s)
        if kind == "left":
            await self._rooms.evict(room, of=user_room(user_id))

    async def ended(
        self, call: Call, *, went: Collection[int] = (), by: Caller | None = None, age_s: float = 0.0
    ) -> None:
        """It is over, for legs and ringing devices, except the connection that did it.

        ``went``: versions at which people left or declined, and ended it by that. This tells their devices too.
        """
        if self._engines is not None:
            self._engines.over(call.call_id, call.engine)
        skip, room = by.connection_id if by else None, call_room(call.call_id)
        ended = server_events.CallEnded(call_id=call.call_id, version=call.version, reason=call.reason)
        await self._tell(room, ended, skip=skip, age_s=age_s)
        people = [(user_id, member) for user_id, member in call.members.items() if not member.absent]
        ringing = [user_room(one) for one, member in people if member.state is Part.RINGING or member.left in went]
        if ringing:
            await self._cancelled(ringing, call, call.version, call.reason, skip, age_s)
        if any(member.joined for member in call.members.values()):
            await self._rooms.evict(room, of=room)

    async def _cancelled(
        self,
        rooms: RoomName | Sequence[RoomName],
        call: Call,
        version: int,
        reason: str,
        skip: ConnectionId | None,
        age_s: float,
    ) -> None:
        event = server_events.CallCancelled(call_id=call.call_id, version=version, reason=reason)
        await self._tell(rooms, event, skip=skip, age_s=age_s)

    async def _tell(
        self,
        rooms: RoomName | Sequence[RoomName],
        event: Versioned,
        *,
        skip: ConnectionId | None = None,
        age_s: float,
    ) -> None:
        await self._rooms.emit(rooms, event, skip=skip, id=f"{event.call_id}:{event.version}", age_s=age_s)


def rung(call: Call) -> list[UserId]:
    """Those at whose devices it rings."""
    ringing = call.members.items()
    return [user_id for user_id, member in ringing if member.state is Part.RINGING and not member.absent]


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
