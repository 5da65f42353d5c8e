"""The rules of a call, without I/O: who may move it, and what each move answers.

lua/call/ is the same machine inside Redis, where a move is atomic; a property-based test keeps the two alike.
"""

from collections.abc import Callable
from dataclasses import dataclass

from msgspec.structs import replace

from signaling.call import joining, leaving, talking
from signaling.call.commands import (
    Accept,
    Alert,
    Away,
    Command,
    Create,
    End,
    Expire,
    Hold,
    Invite,
    Media,
    Move,
    Renew,
    Restart,
    Signal,
    Sync,
    Take,
    Tell,
    Upgrade,
)
from signaling.call.model import Call, Change, State
from signaling.call.outcome import Outcome, Owing, Verdict
from signaling.call.step import Ruling, Step, Times


@dataclass(frozen=True, slots=True)
class Transition:
    """A command applied."""

    outcome: Outcome
    call: Call | None
    """The call after it, with all members."""
    changes: tuple[Change, ...] = ()


def transition(call: Call | None, command: Command, times: Times, sent: Callable[[str, int], int]) -> Transition:
    """Apply one command. ``call`` is None where there is none under the id; Create needs ``new_call`` for it.

    ``sent`` tells the version that a signal of somebody got the first time, 0 if it went nowhere.
    """
    if call is None:
        return Transition(Outcome(Verdict.UNKNOWN, None), None)
    step = Step(call, times)
    # A ring deadline is judged at every command, so that nobody answers a call that is over. A lease is judged by the
    # sweeper alone: after an outage of Redis everybody is late, and the first command must not end the calls whose
    # renewal is just behind it.
    if call.state is State.RINGING and times.now >= call.ring_until:
        step.finish("invite_timeout", "")
    lapsed = bool(step.changes)
    ruling = _rule(step, command, sent)
    if isinstance(command, Expire):
        lapsed = lapsed or (step.call.is_over and not call.is_over)
    version = step.call.version if ruling.version is None else ruling.version
    shown = replace(step.call, members={one: step.call.members[one] for one in step.seen})
    outcome = Outcome(ruling.verdict, shown, version, lapsed, ruling.former, _owed(step))
    return Transition(outcome, step.call, tuple(step.changes))


def new_call(call_id: str, command: Create, times: Times) -> Transition:
    """The call that Create makes where there is none."""
    step = Step(joining.first_ring(call_id, command, times), times)
    step.record("ringing", command.actor.user_id)
    step.everybody()
    outcome = Outcome(Verdict.DONE, step.call, step.call.version, owed=_owed(step))
    return Transition(outcome, step.call, tuple(step.changes))


def _owed(step: Step) -> tuple[Owing, ...]:
    return tuple(Owing(step.call.call_id, change.version) for change in step.changes if change.is_owed)


def _rule(step: Step, command: Command, sent: Callable[[str, int], int]) -> Ruling:
    match command:
        case Expire():
            return leaving.expire(step, command)
        case Tell():
            return talking.tell(step, command)
        case Move():
            return talking.move(step, command)
    me = step.member(command.actor.user_id)
    if me is None or me.absent:
        return Ruling(Verdict.UNKNOWN)
    if isinstance(command, Signal):
        return talking.signal(step, command, me, sent)
    return _RULES[type(command)](step, command, me)


_RULES: dict[type, Callable[..., Ruling]] = {
    Create: joining.create_again,
    Alert: joining.alert,
    Accept: joining.accept,
    Invite: joining.invite,
    Take: joining.take,
    Sync: joining.sync,
    End: leaving.end,
    Renew: leaving.renew,
    Away: leaving.away,
    Media: talking.media,
    Hold: talking.hold,
    Upgrade: talking.upgrade,
    Restart: talking.restart,
}
