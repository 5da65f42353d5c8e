"""Rules of ringing and joining: create, alert, accept, invite, take, sync."""

from msgspec.structs import replace

from hub.kernel.ids import UserId
from signaling.call.commands import Accept, Alert, Create, Invite, Sync, Take
from signaling.call.model import MESH, MOST_MEMBERS, Call, Member, Part, State
from signaling.call.outcome import Verdict
from signaling.call.step import Ruling, Step, Times

FIRST = 1
"""Version of the change with which a call begins."""


def first_ring(call_id: str, command: Create, times: Times) -> Call:
    """A new call, at version 0."""
    actor = command.actor
    members = {
        callee.user_id: Member(Part.RINGING, command.ring_until, FIRST, actor.user_id, absent=callee.absent)
        for callee in command.to
    }
    members[actor.user_id] = Member(
        Part.JOINED,
        times.now + times.lease,
        FIRST,
        accepted=FIRST,
        session=actor.session_id,
        connection=actor.connection_id,
    )
    return Call(
        call_id,
        command.type,
        actor.user_id,
        command.ring_until,
        times.now,
        joined=1,
        ringing=len(command.to),
        callee=command.to[0].user_id if len(command.to) == 1 else UserId(""),
        group=len(command.to) > 1,
        members=members,
    )


def create_again(step: Step, command: Create, me: Member) -> Ruling:
    """The repeat of a call by its initiator. To everybody else its id is unknown."""
    step.everybody()
    call, actor = step.call, command.actor
    if call.initiator != actor.user_id or any(callee.user_id not in call.members for callee in command.to):
        return Ruling(Verdict.UNKNOWN)
    if call.is_over:
        return Ruling(Verdict.REPEAT)
    if not me.joined or me.session != actor.session_id:
        return Ruling(Verdict.ELSEWHERE)
    sync(step, Sync(actor), me)
    return Ruling(Verdict.REPEAT)


def alert(step: Step, command: Alert, me: Member) -> Ruling:
    """It rings at one of the actor's devices. The first time counts."""
    user_id = command.actor.user_id
    if not me.by:
        return Ruling(Verdict.FORBIDDEN)
    if step.call.is_over:
        return Ruling(Verdict.ENDED)
    if me.state is not Part.RINGING or me.alerted:
        return Ruling(Verdict.REPEAT, me.alerted or None)
    alerted = step.record("alerting", user_id)
    step.put(user_id, replace(me, alerted=alerted))
    return Ruling(Verdict.DONE, alerted)


def accept(step: Step, command: Accept, me: Member) -> Ruling:
    """Join with the actor's connection."""
    call, actor = step.call, command.actor
    if not me.by and not call.group:
        return Ruling(Verdict.FORBIDDEN)
    if call.is_over:
        return Ruling(Verdict.ENDED)
    if me.held_by(actor):
        return Ruling(Verdict.REPEAT, me.accepted)
    if me.joined or (command.only_if_ringing and me.state is not Part.RINGING):
        return Ruling(Verdict.ELSEWHERE)
    replaced = step.member(me.replaces) if me.replaces else None
    takes_a_place = replaced is None or not replaced.joined
    if takes_a_place and call.engine == MESH and 0 < command.mesh_limit <= call.joined:
        return Ruling(Verdict.FULL)
    # One who comes again begins anew, also for the others: their peer connections to the old leg are dead.
    gen = step.new_generation() if me.accepted else me.gen
    step.change(
        joined=call.joined + 1,
        ringing=call.ringing - (me.state is Part.RINGING),
        alone_until=0,
        state=State.CONNECTING if call.state is State.RINGING else call.state,
        answered=call.answered or step.times.now,
    )
    accepted = step.record("accepted", actor.user_id)
    joined = replace(me, state=Part.JOINED, accepted=accepted, reason="", replaces=UserId(""))
    step.put(actor.user_id, step.with_leg(replace(joined, seq=0, base=0, gen=gen), actor))
    if not takes_a_place:
        step.leave(me.replaces, "moved", me.replaces)
    else:
        step.look_around("", actor.user_id)
    return Ruling(Verdict.DONE, accepted)


def invite(step: Step, command: Invite, me: Member) -> Ruling:
    """Ring people who are not in the call and whom it does not ring. Each of them is told of the others."""
    step.everybody()
    call, actor = step.call, command.actor
    if (refused := step.refused(me, actor)) is not None:
        return refused
    if command.transfer and call.state is State.RINGING:
        return Ruling(Verdict.NOT_ACCEPTED)
    rung = [one for one in command.to if _can_be_rung(call.members.get(one.user_id), absent=one.absent)]
    if not rung:
        return Ruling(Verdict.REPEAT)
    if len(call.members) + sum(one.user_id not in call.members for one in rung) > MOST_MEMBERS:
        return Ruling(Verdict.FULL)
    version = step.record("invited", actor.user_id, ",".join(one.user_id for one in rung))
    ringing = call.ringing
    for one in rung:
        before = call.members.get(one.user_id)
        ringing += before is None or before.state is not Part.RINGING
        after = before or Member(Part.RINGING, 0, 0)
        step.put(
            one.user_id,
            replace(
                after,
                state=Part.RINGING,
                until=command.ring_until,
                rung=version,
                by=actor.user_id,
                absent=one.absent,
                replaces=actor.user_id if command.transfer else UserId(""),
                alerted=0,
                reason="",
            ),
        )
    step.change(group=True, ringing=ringing, ring_until=max(call.ring_until, command.ring_until), alone_until=0)
    return Ruling(Verdict.DONE, version)


def take(step: Step, command: Take, me: Member) -> Ruling:
    """Have the leg on the actor's connection, under a new generation: another device has no peer connection yet."""
    actor = command.actor
    if (refused := step.refused(me, actor)) is None:
        return Ruling(Verdict.REPEAT, me.changed)
    if refused.verdict is not Verdict.ELSEWHERE or not me.joined:
        return refused
    gen = step.new_generation()
    moved = step.record("moved", actor.user_id, str(gen))
    step.put(actor.user_id, step.with_leg(replace(me, seq=0, base=0, gen=gen, changed=moved, change="moved"), actor))
    return Ruling(Verdict.DONE, moved, me.session)


def sync(step: Step, command: Sync, me: Member) -> Ruling:
    """A new connection of the session that has the leg takes it over; for anybody else nothing changes."""
    step.everybody()
    actor = command.actor
    if step.call.is_over or not me.joined or me.session != actor.session_id:
        return Ruling(Verdict.ELSEWHERE)
    moved = not me.held_by(actor)
    step.put(actor.user_id, step.with_leg(me, actor))
    if not moved:
        return Ruling(Verdict.REPEAT)
    return Ruling(Verdict.DONE, step.record("resumed", actor.user_id))


def _can_be_rung(member: Member | None, *, absent: bool) -> bool:
    """Whether it does not ring there already, or only for nothing, and somebody invites to whom they are there."""
    if member is None or member.state in (Part.DECLINED, Part.LEFT):
        return True
    return member.state is Part.RINGING and member.absent and not absent
