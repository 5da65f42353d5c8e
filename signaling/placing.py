"""Ringing people: who may call whom, two who call each other, groups and invitations."""

from collections.abc import Collection

from hub.kernel.clock import Clock
from hub.kernel.errors import InvalidPayload, NotFound, Unavailable
from hub.kernel.events import Caller
from hub.kernel.ids import ConnectionId, SessionId, UserId, new_ulid
from signaling import errors
from signaling.busy import BusyLines
from signaling.call.commands import Accept, Callee, Create, End, Expire, Invite, Renew
from signaling.call.joining import FIRST
from signaling.call.model import Call, State
from signaling.call.outcome import Outcome, Verdict
from signaling.legs import LocalLegs
from signaling.moves import REPLACED, Moves, ruled
from signaling.ports import Callees
from signaling.settings import CallSettings
from signaling.store import PARTED, PARTED_S, CallStore, Placement
from signaling.telling import Telling, rung

LATE_S = 1.0
"""After which nobody is rung by the node that placed the call: it was stopped, or PostgreSQL was slow. The call may be
over, and relays (relay.py) look at that before they ring."""
CLAIMS = 3
"""Tries to get the pair: each further one means that a call of the two ended in the very moment, or was parted."""
LOOK_HOLDS_MS = PARTED_S * 500
"""So long after a look whatever has come between the two since is certainly still to be found (PARTED)."""
NOBODY = "There is nobody there to call."


class Placing:
    """Places calls, and rings more people."""

    def __init__(
        self,
        store: CallStore,
        busy: BusyLines,
        moves: Moves,
        telling: Telling,
        callees: Callees,
        legs: LocalLegs,
        clock: Clock,
        settings: CallSettings,
    ) -> None:
        self._store = store
        self._busy = busy
        self._moves = moves
        self._telling = telling
        self._callees = callees
        self._legs = legs
        self._clock = clock
        self._ring_ms = settings.ring_s * 1000
        self._refuses_busy = settings.when_busy == "refuse"

    async def initiate(self, actor: Caller, to: Collection[UserId], media: str, call_id: str | None) -> Call:
        """Ring every device of these people and return the call.

        If the one person who is called rings the actor at this moment (glare), that call is accepted instead and
        returned. If they are in another call, this one ends as ``user_busy``, unless it is to ring all the same (see
        CallSettings). A repeat with the same id changes nothing. Raises NotFound if nobody is there for the actor,
        CallInProgress if the two are in a call. Of several, whoever is not there does not answer.
        """
        _refuse_oneself(actor, to)
        began = self._clock.now_ms()
        people = await self._callees_of(actor, to)
        call_id, command = call_id or new_ulid(), Create(actor, people, media, began + self._ring_ms)
        with self._telling.expect(call_id):
            return await self._place(actor, call_id, command, began)

    async def _place(self, actor: Caller, call_id: str, command: Create, began: int) -> Call:
        if len(command.to) > 1:
            placement = Placement(await self._store.create(call_id, command), "", None)
        else:
            placement = await self._store.place(call_id, command)
        created = placement.outcome
        call = ruled(await self._moves.look_at(created))
        if created.verdict is Verdict.REPEAT and created.owed and not call.is_over:
            await self._telling.state(actor, call, created.version, "resumed")
            self._moves.told(created)
        if call.is_over and call.reason != REPLACED:
            return call
        if call.group:
            return await self._ring(actor, call, created)
        return await self._pair_up(actor, call, placement, began)

    async def ring_for_another(self, call: Call, age_s: float) -> None:
        """Ring for a call that was placed ``age_s`` ago by a node that died before it rang anybody.

        Not if its initiator was to hear that the line is busy, or that the two are in another call: that is for the
        repeat to say. Raises Unavailable.
        """
        if call.is_over or call.state is not State.RINGING:
            return
        busy = False
        if not call.group:
            if await self._store.claim_pair(call) != call.call_id:
                return
            if not await self._callees.reachable(call.initiator, [call.callee]):
                return
            busy = await self._is_busy(call, await self._busy.call_of(call.callee))
        if not (busy and self._refuses_busy):
            await self._telling.ring(call, rung(call), FIRST, busy=busy, age_s=age_s)

    async def invite(self, actor: Caller, call_id: str, to: Collection[UserId], *, transfer: bool = False) -> Call:
        """Ring more people, which makes it a group call; with ``transfer`` the actor leaves when one of them joins.

        Who is in it, or rings, stays so. Raises NotFound if nobody of them is there for the actor.
        """
        _refuse_oneself(actor, to)
        people = await self._callees_of(actor, to)
        command = Invite(actor, people, self._clock.now_ms() + self._ring_ms, transfer)
        outcome = await self._moves.apply(call_id, command)
        call = ruled(outcome)
        await self._store.release(call)  # from now on a call of the two is another call
        version = outcome.version
        if outcome.verdict is Verdict.REPEAT:  # the first attempt may not have come so far
            version = max((member.rung for member in call.members.values() if member.by == actor.user_id), default=0)
        if version > FIRST and self._legs.first_time(actor, call_id, version):
            names = [user_id for user_id, member in call.members.items() if member.rung == version]
            await self._telling.invited(actor, call, version, names, age_s=outcome.told_since_s)
        self._moves.told(outcome)
        return call

    async def _callees_of(self, actor: Caller, to: Collection[UserId]) -> tuple[Callee, ...]:
        """The people of a list, and who of them is there for the actor. Raises NotFound for nobody at all."""
        there = await self._callees.reachable(actor.user_id, to)
        if not there:
            raise NotFound(NOBODY)
        return tuple(Callee(user_id, absent=user_id not in there) for user_id in sorted(to))

    async def _pair_up(self, actor: Caller, call: Call, placement: Placement, looked: int) -> Call:
        """Make it the one call between its two people, and ring; or join the call that there is.

        ``looked``: when it was begun to look whether they may call each other, in Unix ms.
        """
        over, created = "", placement.outcome
        for _ in range(CLAIMS):
            holder = await self._store.claim_pair(call, instead_of=over) if over else placement.holder
            if holder in ("", call.call_id):
                if self._clock.now_ms() - looked > LOOK_HOLDS_MS:
                    await self._look_again(actor, call)
                if call.state is not State.RINGING or not await self._is_busy(call, placement.line):
                    return await self._ring(actor, call, created)
                if self._refuses_busy:
                    return await self._refuse(actor, call)
                return await self._ring(actor, call, created, busy=True)
            if holder.startswith(PARTED):
                looked, over = self._clock.now_ms(), holder
                await self._look_again(actor, call)
                continue
            other = await self._moves.apply(holder, Accept(actor, only_if_ringing=True))
            if other.call is None or other.call.is_over or other.call.group:
                over = holder
                continue
            await self._give_way(actor, call)
            if other.verdict not in (Verdict.DONE, Verdict.REPEAT):
                raise errors.CallInProgress(callId=holder)
            return await self.joined(actor, other)
        await self._give_way(actor, call)
        raise Unavailable("The call could not be placed. Try again.", retry_after=1)

    async def _look_again(self, actor: Caller, call: Call) -> None:
        """Look for a block since the last look: it found no call to end. Raises NotFound, and then this one is over."""
        if not await self._callees.reachable(actor.user_id, [call.callee]):
            await self._give_way(actor, call)
            raise NotFound(NOBODY)

    async def joined(self, actor: Caller, outcome: Outcome) -> Call:
        """The actor has accepted: they hear of the call from now on, and the others of them. Raises CallEnded."""
        call = ruled(outcome)
        async with self._telling.hearing(actor, call.call_id):
            if self._legs.first_time(actor, call.call_id, outcome.version):
                await self._telling.accepted(actor, call, outcome.version, age_s=outcome.told_since_s)
            await self._moves.tell_who_went(outcome)  # who transferred the call to the actor
            # Also the initiator, who was not busy before: nobody who rings somebody shall be busy for that.
            await self._busy.take({actor.user_id, call.initiator} if not call.group else {actor.user_id}, call.call_id)
            await self._moves.still_on(actor, call.call_id)
        if call.alone_until:  # which is a deadline of its own
            await self._moves.look_after(call.call_id)
        return call

    async def _is_busy(self, call: Call, other: str | None) -> bool:
        """Whether the callee is in another call, which may be ``other``."""
        if other is None or other == call.call_id:
            return False
        # Renew is the command that only looks, for a connection that has no leg.
        look = Renew(Caller(call.callee, SessionId(""), ConnectionId("")))
        there = (await self._moves.apply(other, look)).call
        member = None if there is None or there.is_over else there.member(call.callee)
        return member is not None and member.joined

    async def _refuse(self, actor: Caller, call: Call) -> Call:
        """End a call that did not ring. The caller is told by the answer, the callee by their history."""
        outcome = await self._store.apply(call.call_id, End(actor, "user_busy"))
        ended = ruled(outcome)
        self._moves.told(outcome)
        await self._moves.settle(ended)
        return ended

    async def _ring(self, actor: Caller, call: Call, created: Outcome, *, busy: bool = False) -> Call:
        if call.is_over:  # a repeat of a call that gave way to one that is over as well
            await self._moves.settle(call)
            return call
        async with self._telling.hearing(actor, call.call_id):
            is_late = created.age_s > LATE_S
            if call.state is State.RINGING and not is_late and self._legs.first_time(actor, call.call_id, FIRST):
                await self._telling.ring(call, rung(call), FIRST, busy=busy, age_s=created.told_since_s)
                self._moves.told(created)
            try:
                await self._moves.still_on(actor, call.call_id)
            except errors.CallEnded:
                # Whoever ended it while this node was at it may have told them before it rang there.
                call = (await self._store.apply(call.call_id, Expire())).call or call
                await self._telling.ended(call)
        return call

    async def _give_way(self, actor: Caller, call: Call) -> None:
        outcome = await self._store.apply(call.call_id, End(actor, REPLACED))
        self._moves.told(outcome)
        if outcome.call is not None and outcome.call.is_over:
            await self._moves.settle(outcome.call)


def _refuse_oneself(actor: Caller, to: Collection[UserId]) -> None:
    """Raises InvalidPayload if the actor is among the people to ring."""
    if actor.user_id in to:
        fault = {"pointer": "/to", "detail": "Nobody can call themselves"}
        raise InvalidPayload("Nobody can call themselves.", errors=[fault])
