"""What the members of a call do in it: answer, talk, leave, come back. Placing calls is in placing.py."""

import msgspec

from hub.kernel.errors import Unavailable
from hub.kernel.events import Caller
from hub.kernel.ids import UserId
from signaling import errors, schema, server_events
from signaling.busy import BusyLines
from signaling.call.commands import (
    Accept,
    Alert,
    End,
    Expire,
    Hold,
    Media,
    Renew,
    Restart,
    Signal,
    Sync,
    Take,
    Upgrade,
)
from signaling.call.model import Call, Change
from signaling.call.outcome import Outcome, Verdict
from signaling.legs import LocalLegs
from signaling.moves import Moves, ruled
from signaling.placing import Placing
from signaling.store import CallStore
from signaling.telling import Telling
from signaling.views import Relayed

LOOKS = 5
"""Looks for a call between two people: one finds it, one that it is over, and each further one means that it moved in
the very moment."""


class CallService:
    """The moves of a call. Every one raises UnknownCall for whoever is no member of it."""

    def __init__(
        self, store: CallStore, busy: BusyLines, moves: Moves, placing: Placing, telling: Telling, legs: LocalLegs
    ) -> None:
        self._store = store
        self._busy = busy
        self._moves = moves
        self._placing = placing
        self._telling = telling
        self._legs = legs

    async def ringing(self, actor: Caller, call_id: str) -> Call:
        """A device of the actor's rings: the legs hear it, once."""
        outcome = await self._moves.apply(call_id, Alert(actor))
        call = ruled(outcome)
        if outcome.verdict is Verdict.DONE:
            await self._telling.state(actor, call, outcome.version, "alerting")
            self._moves.told(outcome)
        return call

    async def accept(self, actor: Caller, call_id: str, mesh_limit: int = 0) -> Call:
        """Join with the actor's connection. Raises AnsweredElsewhere for all but the first of a member.

        Whoever left a group, or did not answer, can join it as long as it goes on. Raises CallFull if no engine carries
        it and as many as ``mesh_limit`` are in it.
        """
        with self._telling.expect(call_id):
            outcome = await self._moves.apply(call_id, Accept(actor, mesh_limit=mesh_limit))
            if outcome.verdict is Verdict.FULL:
                raise errors.CallFull(mostPeople=mesh_limit)
            return await self._placing.joined(actor, outcome)

    async def ignore(self, actor: Caller, call_id: str) -> Call:
        """Silence this one device. Nobody is told, and any device may still accept."""
        # Renew is the command that only looks, for a connection that has no leg.
        outcome = await self._moves.apply(call_id, Renew(actor))
        if outcome.call is None or outcome.verdict is Verdict.UNKNOWN:
            raise errors.UnknownCall
        return outcome.call

    async def hang_up(self, actor: Caller, call_id: str, reason: str | None) -> Call:
        """End the call (cancelled or rejected while it rings, hung up after), or leave or decline it in a group.

        A repeat gets what was.
        """
        outcome = await self._moves.apply(call_id, End(actor, reason or ""))
        call = ruled(outcome)
        if outcome.verdict is not Verdict.DONE:
            return call
        if call.is_over:
            await self._moves.conclude(outcome, by=actor)
        else:
            await self._moves.tell_who_went(outcome, by=actor)
            await self._telling.hear_no_more(actor, call_id)
            await self._busy.free([actor.user_id], call_id)
            await self._moves.look_after(call_id)  # whoever is alone now has a deadline of their own
        return call

    async def take(self, actor: Caller, call_id: str) -> Call:
        """Go on with the call on the actor's connection. The device that had it drops it, unless it is the same."""
        outcome = await self._moves.apply(call_id, Take(actor))
        call = ruled(outcome)
        await self._telling.hear(actor, call_id)
        if outcome.verdict is Verdict.DONE and self._legs.first_time(actor, call_id, outcome.version):
            await self._telling.taken(actor, call, outcome.version, former=outcome.former)
            self._moves.told(outcome)
        await self._moves.still_on(actor, call_id)
        return call

    async def signal(self, actor: Caller, call_id: str, seq: int, kind: str, relayed: Relayed, leg_to: str = "") -> int:
        """Pass a signal to another leg and return its version. Raises SignalGap, CallNotAccepted, CallEnded, LegGone.

        One of an older generation goes nowhere, and has the call's version.
        """
        gen = -1 if isinstance(relayed.gen, msgspec.UnsetType) else relayed.gen
        data = msgspec.json.encode(relayed).decode()
        outcome = await self._moves.apply(call_id, Signal(actor, seq, kind, data, leg_to, gen))
        if outcome.verdict is Verdict.GAP and outcome.call is not None:
            raise errors.SignalGap(expectedSeq=outcome.call.members[actor.user_id].seq + 1)
        call = ruled(outcome)
        # A repeat has the version of its first time, 0 if it went nowhere.
        is_told = outcome.version and outcome.verdict is not Verdict.STALE
        if is_told and self._legs.first_time(actor, call_id, outcome.version):
            await self._telling.signal(actor, call, outcome.version, relayed, leg_to)
        return outcome.version or call.version

    async def media(self, actor: Caller, call_id: str, media: schema.MediaState) -> int:
        """Say what the actor's leg sends. Returns the version."""
        outcome = await self._moves.apply(call_id, Media(actor, msgspec.json.encode(media).decode()))
        if self._is_untold(actor, outcome, "media"):
            await self._telling.media(actor, call_id, outcome.version, media, age_s=outcome.told_since_s)
            self._moves.told(outcome)
        return outcome.version

    async def hold(self, actor: Caller, call_id: str, *, on: bool) -> int:
        """Hold the call, or go on. Returns the version."""
        outcome = await self._moves.apply(call_id, Hold(actor, on))
        await self._tell_once(actor, outcome, "held" if on else "unheld")
        return outcome.version

    async def upgrade(self, actor: Caller, call_id: str, media: str) -> int:
        """Make it a call with video, or without. Returns the version."""
        outcome = await self._moves.apply(call_id, Upgrade(actor, media))
        await self._tell_once(actor, outcome, "upgraded", type=media)
        return outcome.version

    async def restart(self, actor: Caller, call_id: str, gen: int | None) -> tuple[Call, int]:
        """Begin a new generation of the actor's leg; ``gen`` is the one to be left. Returns call and version."""
        outcome = await self._moves.apply(call_id, Restart(actor, -1 if gen is None else gen))
        call = ruled(outcome)
        await self._tell_once(actor, outcome, "restarted", gen=call.members[actor.user_id].gen)
        return call, outcome.version

    async def sync(self, actor: Caller, call_id: str, since_version: int) -> tuple[Call, list[Change], bool]:
        """The call, and for the leg what happened after ``since_version`` and whether none of it is missing.

        A new connection of the session that has the leg becomes the leg, and the others are told that it is back.
        """
        outcome = await self._moves.apply(call_id, Sync(actor))
        call = outcome.call
        if call is None or outcome.verdict is Verdict.UNKNOWN:
            raise errors.UnknownCall
        if outcome.verdict is not Verdict.ELSEWHERE:
            await self._telling.hear(actor, call_id)
            if outcome.verdict is Verdict.DONE:
                await self._telling.state(actor, call, outcome.version, "resumed")
                self._moves.told(outcome)
                await self._moves.still_on(actor, call_id)
        if not call.held_by(actor):
            return call, [], True
        missed, complete = await self._store.log(call_id, actor.user_id, since_version)
        return call, missed, complete

    async def separate(self, one: UserId, other: UserId) -> None:
        """Have the first of two people end the call between them, if there is one. For who keeps blocks.

        To the other it looks like any end: a block is seen by nobody. A group goes on. Whoever is placing a call at
        this moment, and has looked before whether they may, looks once more. Raises Unavailable.
        """
        over = ""
        for _ in range(LOOKS):
            call_id = await self._store.part(one, other, instead_of=over)
            if call_id is None:
                return
            call = (await self._store.apply(call_id, Expire())).call
            if call is None or call.is_over or call.group:
                over = call_id
                continue
            member = call.members[one]  # without a leg while it rings: then every device of theirs may refuse
            outcome = await self._store.apply(call_id, End(Caller(one, member.session, member.connection)))
            if outcome.verdict is Verdict.DONE and outcome.call is not None:
                await self._moves.conclude(outcome)
        raise Unavailable("The call between the two could not be ended. Try again.")

    async def _tell_once(self, actor: Caller, outcome: Outcome, kind: server_events.Kind, **more: object) -> None:
        if self._is_untold(actor, outcome, kind):
            age_s = outcome.told_since_s
            await self._telling.state(actor, ruled(outcome), outcome.version, kind, age_s=age_s, **more)
            self._moves.told(outcome)

    def _is_untold(self, actor: Caller, outcome: Outcome, kind: str) -> bool:
        """Whether a change of the actor's leg is yet to be told. Of a repeat, only their last change can be."""
        call = ruled(outcome)
        is_last = call.members[actor.user_id].change == kind
        return is_last and self._legs.first_time(actor, call.call_id, outcome.version)
