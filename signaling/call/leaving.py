"""Rules of leaving and ending: end, renew, away, and the deadlines."""

from msgspec.structs import replace

from hub.kernel.ids import UserId
from signaling.call.commands import Away, End, Expire, Renew
from signaling.call.model import Member, Part, State
from signaling.call.outcome import Verdict
from signaling.call.step import Ruling, Step

LAPSED = {State.RINGING: "cancelled", State.CONNECTING: "ice_failed", State.ACTIVE: "ice_timeout"}
"""Reason when a leg's lease is over: the words are Matrix's, ``ice_failed`` where no media ever flowed."""


def end(step: Step, command: End, me: Member) -> Ruling:
    """Leave or decline; between two people that ends the call."""
    call, user_id = step.call, command.actor.user_id
    if call.is_over:
        return Ruling(Verdict.REPEAT)
    if me.state in (Part.DECLINED, Part.LEFT):
        return Ruling(Verdict.REPEAT, me.left)
    # Every device of somebody whom it rings may decline; everything else takes the leg.
    if me.joined and not me.held_by(command.actor):
        return Ruling(Verdict.ELSEWHERE)
    usual = "rejected" if not me.joined else "cancelled" if call.state is State.RINGING else "user_hangup"
    if not call.group:
        step.finish(command.reason or usual, user_id)
        return Ruling(Verdict.DONE)
    left = call.version + 1
    step.leave(user_id, command.reason or usual, user_id)
    return Ruling(Verdict.DONE, left)


def renew(step: Step, command: Renew, me: Member) -> Ruling:
    """Begin the lease anew."""
    if (refused := step.refused(me, command.actor)) is not None:
        return refused
    step.put(command.actor.user_id, step.with_leg(me, command.actor))
    return Ruling(Verdict.DONE)


def away(step: Step, command: Away, me: Member) -> Ruling:
    """Note that the connection is gone, unless another has the leg by now."""
    if step.call.is_over:
        return Ruling(Verdict.ENDED)
    if not me.held_by(command.actor):
        return Ruling(Verdict.ELSEWHERE)
    if me.away:
        return Ruling(Verdict.REPEAT)
    gone = step.record("away", command.actor.user_id)
    step.put(command.actor.user_id, replace(me, away=True))
    return Ruling(Verdict.DONE, gone)


def expire(step: Step, command: Expire) -> Ruling:
    """Take out those whose time is up, and end the call if nobody is left or somebody is alone for too long."""
    users = step.everybody()
    if step.call.is_over:
        step.change(unkept=step.call.unkept or command.unkept)
        return Ruling(Verdict.ENDED)
    for user_id in users:
        member = step.call.members[user_id]
        if member.state in (Part.RINGING, Part.JOINED) and step.times.now >= member.until:
            _lapse(step, user_id, member)
        if _over(step):
            return Ruling(Verdict.ENDED)
    if step.call.alone_until and step.times.now >= step.call.alone_until:
        step.finish("empty", "")
    return Ruling(Verdict.ENDED if _over(step) else Verdict.DONE)


def _over(step: Step) -> bool:
    return step.call.is_over


def _lapse(step: Step, user_id: UserId, member: Member) -> None:
    reason = LAPSED[step.call.state] if member.joined else "invite_timeout"
    if step.call.group:
        step.leave(user_id, reason, "")
    else:
        step.finish(reason, "")
