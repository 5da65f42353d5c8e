"""Calls between two people: who may call whom, what each move tells the others, and who gets which answer.

Order of things: the store moves the call, then the others are told. A node that dies in between leaves a hole in the
versions that the others see, and ``call:sync`` fills it; a client that comes back to its call makes a new version, so
the hole shows at once; an end that nobody was told comes up again at its deadline (signaling.store). Events are thus
told at least once, and clients drop versions that they have had.

Before the answer a call rings in the room of the callee. The legs are in the room ``call:{id}``, on whichever nodes:
what concerns the two goes there, without the sender, and no other device of either gets it.
"""

import logging
from collections.abc import Mapping
from typing import Literal

import msgspec

from hub.kernel.clock import Clock, from_ms
from hub.kernel.errors import Forbidden, InvalidPayload, NotFound, Unavailable
from hub.kernel.events import Caller
from hub.kernel.ids import ConnectionId, RoomName, SessionId, UserId, new_ulid, user_room
from hub.kernel.ports import Access, Rooms
from signaling import errors, schema
from signaling.legs import LocalLegs
from signaling.model import (
    Accept,
    Alert,
    Call,
    Command,
    Create,
    End,
    Expire,
    Logged,
    Outcome,
    Renew,
    Resume,
    Signal,
    State,
    Verdict,
)
from signaling.ports import People
from signaling.settings import CallSettings
from signaling.store import CallStore

log = logging.getLogger(__name__)

REPLACED = "replaced"
"""Reason of a call that gave way to another between the same two. It never rang."""
RINGING_VERSION = 1
"""A call begins with this change, which is what ``call:incoming`` tells."""
LOOKS = 5
"""Tries to end a call for somebody: each further one means that their leg moved in the very moment."""
CLAIMS = 3
"""Tries to get the pair: each further one means that a call of the two ended in the very moment."""


class Relayed(msgspec.Struct, omit_defaults=True):
    """A signal as it is kept in the log."""

    signal: schema.AnySignal
    gen: int | msgspec.UnsetType = msgspec.UNSET


class CallService:
    """The moves of a call. Every one raises UnknownCall for whoever is no party to it."""

    def __init__(
        self,
        store: CallStore,
        rooms: Rooms,
        access: Access,
        people: People,
        legs: LocalLegs,
        clock: Clock,
        settings: CallSettings,
    ) -> None:
        self._store = store
        self._rooms = rooms
        self._access = access
        self._people = people
        self._legs = legs
        self._clock = clock
        self._ring_ms = settings.ring_s * 1000

    async def initiate(self, actor: Caller, callee: UserId, media: str, call_id: str | None) -> Call:
        """Ring every device of ``callee`` and return the call.

        If the callee is ringing the actor at this moment (glare), that call is accepted instead and returned. A repeat
        with the same id changes nothing. Raises NotFound for somebody unknown or blocked, CallInProgress if the two are
        in a call.
        """
        if callee == actor.user_id:
            fault = {"pointer": "/to", "detail": "Nobody can call themselves"}
            raise InvalidPayload("Nobody can call themselves.", errors=[fault])
        if not await self._people.exists(callee) or await self._access.blocked(actor.user_id, callee):
            raise NotFound("There is nobody there to call.")
        command = Create(actor, callee, media, self._clock.now_ms() + self._ring_ms)
        created = await self._store.create(call_id or new_ulid(), command)
        if created.lapsed and created.call is not None:
            await self._tell_end(created.call)
        call = _ruled(created)
        if call.state is State.ENDED and call.reason != REPLACED:
            return call
        over = ""
        for _ in range(CLAIMS):
            holder = await self._store.claim_pair(call, instead_of=over)
            if holder == call.call_id:
                # Once more: a block since the first look has found no call of the two to end.
                if await self._access.blocked(actor.user_id, callee):
                    await self._give_way(actor, call)
                    raise NotFound("There is nobody there to call.")
                return await self._ring(actor, call)
            other = await self._apply(holder, Accept(actor))
            if other.call is None or other.call.state is State.ENDED:
                over = holder
                continue
            await self._give_way(actor, call)
            if other.verdict not in (Verdict.DONE, Verdict.REPEAT):
                raise errors.CallInProgress(callId=holder)
            return await self._accepted(actor, other)
        await self._give_way(actor, call)
        raise Unavailable("The call could not be placed. Try again.", retry_after=1)

    async def ringing(self, actor: Caller, call_id: str) -> Call:
        """A device of the callee rings: the caller hears the ringback tone, once."""
        outcome = await self._apply(call_id, Alert(actor))
        call = _ruled(outcome)
        if outcome.verdict is Verdict.DONE:
            await self._tell_state(actor, call, outcome.version, "alerting")
        return call

    async def accept(self, actor: Caller, call_id: str) -> Call:
        """Take the call with the actor's connection. Raises AnsweredElsewhere for all but the first."""
        outcome = await self._apply(call_id, Accept(actor))
        _ruled(outcome)
        return await self._accepted(actor, outcome)

    async def ignore(self, actor: Caller, call_id: str) -> Call:
        """Silence this one device. Nobody is told, and any device may still accept."""
        # Renew is the command that only looks, for a connection that has no leg.
        outcome = await self._apply(call_id, Renew(actor))
        if outcome.call is None or outcome.verdict is Verdict.UNKNOWN:
            raise errors.UnknownCall
        return outcome.call

    async def hang_up(self, actor: Caller, call_id: str, reason: str | None) -> Call:
        """End the call: cancelled or rejected while it rings, hung up after. A repeat gets the end that was."""
        outcome = await self._apply(call_id, End(actor, reason or ""))
        call = _ruled(outcome)
        if outcome.verdict is Verdict.DONE:  # what a lost first attempt did not tell, the sweeper does
            await self._tell_end(call, by=actor)
        return call

    async def separate(self, one: UserId, other: UserId) -> None:
        """Have the first of two people end the call between them, if there is one. For who keeps blocks.

        To the other it looks like any end: a block is seen by nobody. Raises Unavailable.
        """
        call_id = await self._store.between(one, other)
        if call_id is None:
            return
        for _ in range(LOOKS):
            call = (await self._store.apply(call_id, Expire())).call
            if call is None or call.state is State.ENDED:
                return
            leg = call.leg_of(one)  # none while it rings: then every device of theirs may refuse
            session_id, connection_id = (
                (SessionId(""), ConnectionId("")) if leg is None else (leg.session_id, leg.connection_id)
            )
            outcome = await self._store.apply(call_id, End(Caller(one, session_id, connection_id)))
            if outcome.verdict is Verdict.DONE and outcome.call is not None:
                await self._tell_end(outcome.call)
                return
        raise Unavailable("The call between the two could not be ended. Try again.")

    async def signal(self, actor: Caller, call_id: str, seq: int, kind: str, relayed: Relayed) -> int:
        """Pass a signal to the other leg and return its version. Raises SignalGap, CallNotAccepted, CallEnded."""
        outcome = await self._apply(call_id, Signal(actor, seq, kind, msgspec.json.encode(relayed).decode()))
        if outcome.verdict is Verdict.GAP and outcome.call is not None:
            leg = outcome.call.leg_of(actor.user_id)
            raise errors.SignalGap(expectedSeq=leg.seq + 1 if leg else 1)
        call = _ruled(outcome)
        if self._legs.first_time(actor, call_id, outcome.version):
            event = schema.CallSignal(
                call_id=call_id,
                from_=actor.user_id,
                version=outcome.version,
                signal=relayed.signal,
                gen=relayed.gen,
            )
            await self._rooms.emit(call_room(call.call_id), event, skip=actor.connection_id)
        return outcome.version

    async def sync(self, actor: Caller, call_id: str, since_version: int) -> tuple[Call, list[Logged]]:
        """The call, and for the leg what happened after ``since_version``.

        A new connection of the session that has the leg becomes the leg, and the other side is told that it is back.
        """
        outcome = await self._apply(call_id, Resume(actor))
        call = outcome.call
        if call is None or outcome.verdict is Verdict.UNKNOWN:
            raise errors.UnknownCall
        if outcome.verdict is not Verdict.ELSEWHERE:
            await self._hold(actor, call_id)
            if outcome.verdict is Verdict.DONE:
                await self._tell_state(actor, call, outcome.version, "resumed")
        if not call.held_by(actor):
            return call, []
        return call, await self._store.log(call_id, since_version)

    async def restore(self, actor: Caller, call_ids: Mapping[str, bytes]) -> None:
        """The actor's connection came back, and hears of these calls. It has the leg again, unless another took it.

        Raises UnknownCall and CallEnded for a call that is over for it: its end may not have been told yet.
        """
        for call_id in call_ids:
            call, _ = await self.sync(actor, call_id, 0)
            if call.state is State.ENDED:
                raise errors.CallEnded(reason=call.reason)
            if not call.held_by(actor):
                await self._rooms.leave(actor.connection_id, call_room(call_id))

    async def renew(self, actor: Caller, call_id: str) -> None:
        """Renew the lease of a leg whose connection is still here; stop doing so for one that is not."""
        # The transport takes a connection that is gone out of its rooms: that tells the living from the dead.
        alive = self._rooms.is_member(actor.connection_id, call_room(call_id))
        outcome = await self._apply(call_id, Renew(actor)) if alive else None
        if outcome is None or outcome.verdict is not Verdict.DONE:
            self._legs.drop(actor.connection_id, call_id)

    async def take_due(self) -> list[str]:
        """Calls to :meth:`expire`. Other nodes leave them alone for some seconds."""
        return await self._store.take_due()

    async def expire(self, call_id: str) -> None:
        """Look at a call whose deadline has come: end it, or find its next deadline."""
        outcome = await self._store.apply(call_id, Expire())
        if outcome.call is None:
            await self._store.forget(call_id)
        elif outcome.call.state is State.ENDED:  # by this very look, or by a node that died before it told anybody
            await self._tell_end(outcome.call)
        else:
            await self._store.reschedule(call_id, outcome.call.due_ms)

    async def _apply(self, call_id: str, command: Command) -> Outcome:
        outcome = await self._store.apply(call_id, command)
        if outcome.lapsed and outcome.call is not None:
            await self._tell_end(outcome.call)
        return outcome

    async def _hold(self, actor: Caller, call_id: str) -> None:
        """Make the actor's connection, which has the leg, hear of the call."""
        await self._rooms.join(actor.connection_id, call_room(call_id))
        self._legs.add(actor, call_id)

    async def _ring(self, actor: Caller, call: Call) -> Call:
        if call.state is State.ENDED:  # a repeat of a call that gave way to one that is over as well
            await self._store.settle(call)
            return call
        await self._hold(actor, call.call_id)
        if call.state is State.RINGING and self._legs.first_time(actor, call.call_id, RINGING_VERSION):
            event = schema.CallIncoming(
                call_id=call.call_id,
                version=RINGING_VERSION,
                initiator=call.initiator,
                type=call.type,
                expires_at=from_ms(call.ring_until_ms),
            )
            await self._rooms.emit(user_room(call.callee), event)
        return call

    async def _give_way(self, actor: Caller, call: Call) -> None:
        outcome = await self._store.apply(call.call_id, End(actor, REPLACED))
        if outcome.call is not None and outcome.call.state is State.ENDED:
            await self._store.settle(outcome.call)

    async def _accepted(self, actor: Caller, outcome: Outcome) -> Call:
        call = outcome.call
        assert call is not None  # noqa: S101 - accepted, so there is one
        await self._hold(actor, call.call_id)
        if self._legs.first_time(actor, call.call_id, outcome.version):
            version, reason = outcome.version, errors.AnsweredElsewhere.code
            accepted = schema.CallAccepted(call_id=call.call_id, version=version, state=call.state)
            await self._rooms.emit(call_room(call.call_id), accepted, skip=actor.connection_id)
            elsewhere = schema.CallCancelled(call_id=call.call_id, version=version, reason=reason)
            await self._rooms.emit(user_room(call.callee), elsewhere, skip=actor.connection_id)
        return call

    async def _tell_state(self, actor: Caller, call: Call, version: int, kind: Literal["alerting", "resumed"]) -> None:
        event = schema.CallState(call_id=call.call_id, version=version, state=call.state, kind=kind)
        await self._rooms.emit(call_room(call.call_id), event, skip=actor.connection_id)

    async def _tell_end(self, call: Call, by: Caller | None = None) -> None:
        """Tell legs and ringing devices, except the connection that did it; then clear up."""
        skip = by.connection_id if by else None
        room, reason = call_room(call.call_id), call.reason or ""
        ended = schema.CallEnded(call_id=call.call_id, version=call.version, reason=reason)
        await self._rooms.emit(room, ended, skip=skip)
        if call.callee_leg is None:
            cancelled = schema.CallCancelled(call_id=call.call_id, version=call.version, reason=reason)
            await self._rooms.emit(user_room(call.callee), cancelled, skip=skip)
        for user_id in (call.initiator, call.callee):
            await self._rooms.evict(room, of=user_room(user_id))
        try:
            await self._store.settle(call)
        except Unavailable:
            log.warning("call %s is not settled; a sweeper will tell of its end once more", call.call_id)


def _ruled(outcome: Outcome) -> Call:
    """The call, if the command was done now or before; else the error that says why not."""
    call = outcome.call
    if call is None or outcome.verdict is Verdict.UNKNOWN:
        raise errors.UnknownCall
    match outcome.verdict:
        case Verdict.ENDED:
            raise errors.CallEnded(reason=call.reason)
        case Verdict.NOT_ACCEPTED:
            raise errors.CallNotAccepted
        case Verdict.ELSEWHERE:
            raise errors.AnsweredElsewhere
        case Verdict.FORBIDDEN:
            raise Forbidden("Only the person who is called can do this.")
        case _:
            return call


def call_room(call_id: str) -> RoomName:
    """The room of a call's legs."""
    return RoomName(f"call:{call_id}")
