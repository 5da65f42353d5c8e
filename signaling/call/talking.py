"""Rules of those who are in a call: signals, media, hold, upgrade, restart; and of the media server."""

from collections.abc import Callable

from msgspec.structs import replace

from signaling.call.commands import Hold, Media, Move, Restart, Signal, Tell, Upgrade
from signaling.call.model import MEDIA, MESH, Member, Part, State
from signaling.call.outcome import Verdict
from signaling.call.step import Ruling, Step

SENT_KEPT = 64
"""Signals of a leg whose version a repeat still gets; an older repeat gets the call's version."""
MOST_SIGNALS = 2000
"""Of a leg in one generation. In a mesh of four it sends a hundred; who trickles ten thousand candidates is broken."""


def signal(step: Step, command: Signal, me: Member, sent: Callable[[str, int], int]) -> Ruling:
    """Pass a signal on, once, in the order of its numbers."""
    call, user_id = step.call, command.actor.user_id
    if call.state is State.RINGING:
        return Ruling(Verdict.NOT_ACCEPTED)
    if (refused := step.refused(me, command.actor)) is not None:
        return refused
    if call.group and not command.to:
        return Ruling(Verdict.NO_TARGET)
    to = command.to or (call.initiator if user_id == call.callee else call.callee)
    where = _destination(step, command, me, to)
    if (refused := _numbered(command, me, where, sent)) is not None:
        return refused
    step.put(user_id, replace(me, seq=command.seq))
    if where is not Verdict.DONE:
        return Ruling(where)
    _answered(step, command.kind)
    return Ruling(Verdict.DONE, step.record("signal", user_id, command.data, seq=command.seq, to=to))


def _destination(step: Step, command: Signal, me: Member, to: str) -> Verdict:
    """DONE if a signal can go to ``to``; else why not."""
    target = None if to == MEDIA else step.member(to)
    if target is not None and target.state is Part.RINGING:
        return Verdict.NOT_ACCEPTED
    is_there = step.call.engine != MESH if to == MEDIA else target is not None and target.joined and target is not me
    if not is_there:
        return Verdict.GONE
    generation = max(step.call.floor, me.gen, target.gen if target else 0)
    return Verdict.STALE if 0 <= command.gen < generation else Verdict.DONE


def _numbered(command: Signal, me: Member, where: Verdict, sent: Callable[[str, int], int]) -> Ruling | None:
    """Why a signal does not take its number now, if it does not."""
    if command.seq > me.seq + 1:
        return Ruling(Verdict.GAP)
    if command.seq <= me.seq:
        first = sent(command.actor.user_id, command.seq) if command.seq > me.seq - SENT_KEPT else None
        return Ruling(where if where in (Verdict.GONE, Verdict.STALE) else Verdict.REPEAT, first)
    if command.seq > me.base + MOST_SIGNALS:
        return Ruling(Verdict.FULL)
    return Ruling(where) if where is Verdict.NOT_ACCEPTED else None


def media(step: Step, command: Media, me: Member) -> Ruling:
    """Say what the leg sends."""
    if (refused := step.refused(me, command.actor)) is not None:
        return refused
    if me.media == command.media:
        return Ruling(Verdict.REPEAT, me.changed)
    return _changed(step, command, replace(me, media=command.media), "media", command.media)


def hold(step: Step, command: Hold, me: Member) -> Ruling:
    """Hold, or go on."""
    if (refused := step.refused(me, command.actor)) is not None:
        return refused
    if me.held == command.on:
        return Ruling(Verdict.REPEAT, me.changed)
    return _changed(step, command, replace(me, held=command.on), "held" if command.on else "unheld", "")


def upgrade(step: Step, command: Upgrade, me: Member) -> Ruling:
    """Change the type of the call."""
    if (refused := step.refused(me, command.actor)) is not None:
        return refused
    if step.call.type == command.type:
        return Ruling(Verdict.REPEAT, me.changed)
    step.change(type=command.type)
    return _changed(step, command, me, "upgraded", command.type)


def restart(step: Step, command: Restart, me: Member) -> Ruling:
    """Begin a new generation of the leg."""
    if (refused := step.refused(me, command.actor)) is not None:
        return refused
    if 0 <= command.gen < me.gen:
        return Ruling(Verdict.REPEAT, me.changed)
    gen = step.new_generation()
    return _changed(step, command, replace(me, gen=gen, base=me.seq), "restarted", str(gen))


def tell(step: Step, command: Tell) -> Ruling:
    """Pass something of the media server to a leg."""
    member = step.member(command.to)
    if step.call.is_over:
        return Ruling(Verdict.ENDED)
    if member is None or not member.joined:
        return Ruling(Verdict.GONE)
    _answered(step, command.kind)
    return Ruling(Verdict.DONE, step.record("signal", MEDIA, command.data, to=command.to))


def move(step: Step, command: Move) -> Ruling:
    """Change the engine. Of several who want to leave the same generation, the first does it."""
    step.everybody()
    if step.call.is_over:
        return Ruling(Verdict.ENDED)
    if step.call.floor > command.gen:
        return Ruling(Verdict.REPEAT)
    step.change(engine=command.engine, floor=step.new_generation())
    return Ruling(Verdict.DONE, step.record("move", "", command.engine))


def _changed(step: Step, command: Media | Hold | Upgrade | Restart, me: Member, kind: str, data: str) -> Ruling:
    user_id = command.actor.user_id
    changed = step.record(kind, user_id, data)
    step.put(user_id, replace(me, changed=changed, change=kind))
    return Ruling(Verdict.DONE, changed)


def _answered(step: Step, kind: str) -> None:
    if kind == "answer" and step.call.state is State.CONNECTING:
        step.change(state=State.ACTIVE)
