"""Ringing people: who may call whom, two who call each other, groups and invitations."""

from collections.abc import Collection

from hub.kernel.clock import Clock
from hub.kernel.errors import InvalidPayload, NotFound, Unavailable
from hub.kernel.events import Caller
from hub.kernel.ids import UserId, new_ulid
from signaling import errors
from signaling.call.commands import Accept, Callee, Create, End, Invite
from signaling.call.joining import FIRST
from signaling.call.model import Call, Part, State
from signaling.call.outcome import Outcome, Verdict
from signaling.legs import LocalLegs
from signaling.moves import Moves, ruled
from signaling.ports import Callees
from signaling.settings import CallSettings
from signaling.store import CallStore
from signaling.telling import Telling, rung

REPLACED = "replaced"
"""Reason of a call that gave way to another between the same two. It never rang."""
CLAIMS = 3
"""Tries to get the pair: each further one means that a call of the two ended in the very moment."""
NOBODY = "There is nobody there to call."


class Placing:
    """Places calls, and rings more people."""

    def __init__(
        self,
        store: CallStore,
        moves: Moves,
        telling: Telling,
        callees: Callees,
        legs: LocalLegs,
        clock: Clock,
        settings: CallSettings,
    ) -> None:
        self._store = store
        self._moves = moves
        self._telling = telling
        self._callees = callees
        self._legs = legs
        self._clock = clock
        self._ring_ms = settings.ring_s * 1000

    async def initiate(self, actor: Caller, to: Collection[UserId], media: str, call_id: str | None) -> Call:
        """Ring every device of these people and return the call.

        If the one person who is called rings the actor at this moment (glare), that call is accepted instead and
        returned. A repeat with the same id changes nothing. Raises NotFound if nobody is there for the actor,
        CallInProgress if the two are in a call. Of several, whoever is not there does not answer.
        """
        people = await self._callees_of(actor, to)
        ring_until = self._clock.now_ms() + self._ring_ms
        created = await self._store.create(call_id or new_ulid(), Create(actor, people, media, ring_until))
        call = ruled(await self._moves.look_at(created))
        if call.is_over and call.reason != REPLACED:
            return call
        return await (self._ring(actor, call) if call.group else self._pair_up(actor, call))

    async def invite(self, actor: Caller, call_id: str, to: Collection[UserId], *, transfer: bool = False) -> Call:
        """Ring more people, which makes it a group call; with ``transfer`` the actor leaves when one of them joins.

        Who is in it, or rings, stays so. Raises NotFound if nobody of them is there for the actor.
        """
        people = await self._callees_of(actor, to)
        command = Invite(actor, people, self._clock.now_ms() + self._ring_ms, transfer)
        outcome = await self._moves.apply(call_id, command)
        call = ruled(outcome)
        await self._store.release(call)  # from now on a call of the two is another call
        asked = [one.user_id for one in people if not one.absent]
        ringing = [one for one in asked if call.members[one].state is Part.RINGING]
        if outcome.verdict is Verdict.REPEAT:  # the first attempt may not have come so far
            version = max((call.members[one].rung for one in ringing), default=0)
        else:
            version = outcome.version
        if self._legs.first_time(actor, call_id, version):
            names = [one.user_id for one in people]
            await self._telling.state(actor, call, version, "invited", members=names)
            await self._telling.ring(call, [one for one in ringing if call.members[one].rung == version], version)
        return call

    async def _callees_of(self, actor: Caller, to: Collection[UserId]) -> tuple[Callee, ...]:
        """The people of a list, and who of them is there for the actor. Raises NotFound for nobody at all."""
        if actor.user_id in to:
            fault = {"pointer": "/to", "detail": "Nobody can call themselves"}
            raise InvalidPayload("Nobody can call themselves.", errors=[fault])
        there = await self._callees.reachable(actor.user_id, to)
        if not there:
            raise NotFound(NOBODY)
        return tuple(Callee(user_id, absent=user_id not in there) for user_id in sorted(to))

    async def _pair_up(self, actor: Caller, call: Call) -> Call:
        """Make it the one call between its two people, and ring; or join the call that there is."""
        over = ""
        for _ in range(CLAIMS):
            holder = await self._store.claim_pair(call, instead_of=over)
            if holder == call.call_id:
                # Once more: a block since the first look has found no call of the two to end.
                if not await self._callees.reachable(actor.user_id, [call.callee]):
                    await self._give_way(actor, call)
                    raise NotFound(NOBODY)
                return await self._ring(actor, call)
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

    async def joined(self, actor: Caller, outcome: Outcome) -> Call:
        """The actor has accepted: they hear of the call from now on, and the others of them."""
        call = ruled(outcome)
        await self._telling.hear(actor, call.call_id)
        if self._legs.first_time(actor, call.call_id, outcome.version):
            await self._telling.accepted(actor, call, outcome.version)
        # Who was replaced by the actor is to be told, and who is alone has a deadline of their own.
        if call.alone_until or any(member.untold for member in call.members.values()):
            await self._moves.look_after(call.call_id)
        return call

    async def _ring(self, actor: Caller, call: Call) -> Call:
        if call.is_over:  # a repeat of a call that gave way to one that is over as well
            await self._moves.settle(call)
            return call
        await self._telling.hear(actor, call.call_id)
        if call.state is State.RINGING and self._legs.first_time(actor, call.call_id, FIRST):
            await self._telling.ring(call, rung(call), FIRST)
        return call

    async def _give_way(self, actor: Caller, call: Call) -> None:
        outcome = await self._store.apply(call.call_id, End(actor, REPLACED))
        if outcome.call is not None and outcome.call.is_over:
            await self._moves.settle(outcome.call)
