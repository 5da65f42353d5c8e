"""One move of a call, and what must follow from it whoever makes it.

The store moves the call, and notes in the same step what the others have to be told of (``Outcome.owed``); then they
are told, and then it is owed no more (told.py). What a node leaves untold, since it died in between, any other tells
two seconds later (relay.py); a client that repeats what it got no answer to has it told before that (``first_time``).
All of it under the change's version as its id, so it is published once; clients drop versions that they have had.

An end is also settled: its pair given back, put into the history, its deadline dropped, in this order. The deadline
brings it up until it is dropped.
"""

import logging
from collections.abc import Callable

from hub.kernel.clock import Clock
from hub.kernel.errors import Forbidden, HubError, InvalidPayload, PayloadTooLarge, Unavailable
from hub.kernel.events import Caller
from signaling import errors
from signaling.busy import BusyLines
from signaling.call.commands import Command, Expire, Renew
from signaling.call.model import MOST_MEMBERS, Call
from signaling.call.outcome import Outcome, Verdict
from signaling.call.talking import MOST_SIGNALS
from signaling.history import CallHistory, past_call
from signaling.store import CallStore
from signaling.telling import Telling
from signaling.told import Told

log = logging.getLogger(__name__)

REPLACED = "replaced"
"""Reason of a call that gave way to another between the same two. It never rang, and is in no history."""
HISTORY_AGAIN_MS = 10_000


class Moves:
    """Moves calls, and sees to their ends."""

    def __init__(
        self, store: CallStore, busy: BusyLines, history: CallHistory, telling: Telling, told: Told, clock: Clock
    ) -> None:
        self._store = store
        self._busy = busy
        self._history = history
        self._telling = telling
        self._told = told
        self._clock = clock

    async def apply(self, call_id: str, command: Command) -> Outcome:
        """Move a call by one command; if a deadline ended it just now, the others are told. Raises Unavailable."""
        return await self.look_at(await self._store.apply(call_id, command))

    async def look_at(self, outcome: Outcome) -> Outcome:
        """The outcome itself, after its end was told if a deadline has just ended the call."""
        if outcome.lapsed:
            await self.conclude(outcome)
        return outcome

    def told(self, outcome: Outcome) -> None:
        """Whoever is to hear of what a command changed has been told, or need not be."""
        self._told.add(outcome.owed)

    async def still_on(self, actor: Caller, call_id: str) -> None:
        """Return if the call goes on, for a leg that has just begun to hear of it.

        An end before that was told to a room in which it was not yet. Raises CallEnded.
        """
        call = (await self.apply(call_id, Renew(actor))).call
        if call is None or call.is_over:
            await self._telling.hear_no_more(actor, call_id)
            raise errors.CallEnded(reason=call.reason if call else "")

    async def conclude(self, outcome: Outcome, *, by: Caller | None = None) -> None:
        """Tell of an end that a command has made, and clear up. ``by`` is the connection that knows already."""
        call = outcome.call
        if call is None or not call.is_over:
            return
        await self._telling.ended(call, went=outcome.versions, by=by)
        self.told(outcome)
        try:
            await self.settle(call)
        except Unavailable:
            log.warning("call %s is not settled; a sweeper will do it", call.call_id)

    async def settle(self, call: Call) -> None:
        """Give back what an ended call holds, keep it in the history, drop its deadline. All members are in ``call``.

        Idempotent. Raises Unavailable if Redis does not answer; a history that does not is tried again later.
        """
        await self._store.release(call)
        await self._busy.free([user_id for user_id, member in call.members.items() if member.accepted], call.call_id)
        if call.reason != REPLACED:
            try:
                await self._history.keep(past_call(call))
            except Unavailable:
                log.warning("call %s is not in the history yet; a sweeper will try again", call.call_id)
                await self._store.apply(call.call_id, Expire(unkept=True))
                await self._store.reschedule(call.call_id, self._clock.now_ms() + HISTORY_AGAIN_MS)
                return
        await self._store.forget(call.call_id)

    async def look_after(self, call_id: str) -> None:
        """Act on the deadlines of a call that have passed, tell of it, and note when it comes up next.

        Raises Unavailable.
        """
        outcome = await self._store.apply(call_id, Expire())
        call = outcome.call
        if call is None:
            await self._store.forget(call_id)
        elif outcome.lapsed:
            await self.conclude(outcome)
        elif call.is_over:  # and not settled: a node died before it could, or the history cannot be reached
            await self.settle(call)
        else:
            await self.tell_who_went(outcome)
            await self._store.reschedule(call_id, call.due)

    async def tell_who_went(self, outcome: Outcome, *, by: Caller | None = None) -> None:
        """Tell of those whom a command has taken out of a group, which goes on."""
        call = outcome.call
        if call is not None:
            for user_id, member in call.members.items():
                if member.left in outcome.versions:
                    await self._telling.gone(call, user_id, member, by=by)
        self.told(outcome)


def ruled(outcome: Outcome) -> Call:
    """The call, if the command was done now or before; else the error that says why not."""
    call = outcome.call
    if call is None or outcome.verdict is Verdict.UNKNOWN:
        raise errors.UnknownCall
    if outcome.verdict in (Verdict.DONE, Verdict.REPEAT, Verdict.STALE):
        return call
    if outcome.verdict is Verdict.ENDED:
        raise errors.CallEnded(reason=call.reason)
    raise _REFUSALS[outcome.verdict]()


def _no_target() -> InvalidPayload:
    detail = "A signal in a group call says whom it is for"
    return InvalidPayload(f"{detail} (at /legTo)", errors=[{"pointer": "/legTo", "detail": detail}])


def _full() -> PayloadTooLarge:
    return PayloadTooLarge(
        f"A call has {MOST_MEMBERS} members at most, and a leg sends {MOST_SIGNALS} signals in a generation."
    )


_REFUSALS: dict[Verdict, Callable[[], HubError]] = {
    Verdict.NOT_ACCEPTED: errors.CallNotAccepted,
    Verdict.ELSEWHERE: errors.AnsweredElsewhere,
    Verdict.FORBIDDEN: lambda: Forbidden("Only the person who is called can do this."),
    Verdict.GONE: errors.LegGone,
    Verdict.NO_TARGET: _no_target,
    Verdict.FULL: _full,
}
