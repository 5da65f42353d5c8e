"""The rules of a call, without I/O: its states, who may move it, and what each move answers.

lua/call.lua is the same machine inside Redis, where a move is atomic; a property-based test keeps the two alike.

A call rings, connects (accepted), is active (the answer was signalled) and ends. Each of the two parties has a *leg*:
one connection, that of the device they call with, and a lease that is renewed while the connection lives. To all other
devices the call is elsewhere.
Every change has a version, counted from 1 per call: what a client misses in the numbers it asks for with ``call:sync``.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from hub.kernel.events import Caller
from hub.kernel.ids import ConnectionId, SessionId, UserId

SENT_KEPT = 64
"""Signals of a leg whose version a repeat still gets; an older repeat gets the call's version."""


class State(StrEnum):
    """Where a call is."""

    RINGING = "ringing"
    CONNECTING = "connecting"
    ACTIVE = "active"
    ENDED = "ended"


class Verdict(StrEnum):
    """What a command came to."""

    DONE = "done"
    REPEAT = "repeat"
    """It was done before; nothing changed."""
    UNKNOWN = "unknown"
    """No such call for this user."""
    ENDED = "ended"
    NOT_ACCEPTED = "not_accepted"
    ELSEWHERE = "elsewhere"
    """The user's leg is on another connection."""
    FORBIDDEN = "forbidden"
    """Only the callee may do this."""
    GAP = "gap"


@dataclass(frozen=True, slots=True)
class Leg:
    """One party's connection to the call."""

    session_id: SessionId
    connection_id: ConnectionId
    lease_until_ms: int
    seq: int = 0
    """Number of the last signal taken from it. Goes on when the leg moves to a new connection."""


@dataclass(frozen=True, slots=True)
class Logged:
    """One change of a call."""

    version: int
    kind: str
    """``ringing``, ``alerting``, ``accepted``, ``signal``, ``resumed`` or ``ended``."""
    user_id: str
    """Who made it; empty for a deadline."""
    at_ms: int
    seq: int = 0
    data: str = ""
    """Of a signal its JSON, of an end its reason."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call between two people."""

    call_id: str
    type: str
    initiator: UserId
    callee: UserId
    ring_until_ms: int
    caller_leg: Leg
    callee_leg: Leg | None = None
    state: State = State.RINGING
    version: int = 0
    alerted: int | None = None
    """Version at which a device of the callee said that it rings."""
    accepted: int | None = None
    """Version at which it was accepted."""
    reason: str | None = None
    log: tuple[Logged, ...] = field(default=(), compare=False, repr=False)
    """The changes. Only the model carries them along; a store keeps them beside the call."""

    @property
    def due_ms(self) -> int:
        """When the next deadline ends the call unless something happens before."""
        legs = [leg.lease_until_ms for leg in (self.caller_leg, self.callee_leg) if leg is not None]
        return min([*legs, self.ring_until_ms] if self.state is State.RINGING else legs)

    def leg_of(self, user_id: str) -> Leg | None:
        """The leg of a party."""
        return self.caller_leg if user_id == self.initiator else self.callee_leg

    def held_by(self, actor: Caller) -> bool:
        """Whether the actor's connection is their leg."""
        leg = self.leg_of(actor.user_id)
        return leg is not None and leg.connection_id == actor.connection_id


@dataclass(frozen=True, slots=True)
class Create:
    """Ring ``callee``. Again, by the same initiator: nothing but that their new connection takes the leg."""

    actor: Caller
    callee: UserId
    type: str
    ring_until_ms: int


@dataclass(frozen=True, slots=True)
class Alert:
    """A device of the callee rings."""

    actor: Caller


@dataclass(frozen=True, slots=True)
class Accept:
    """Take the call. The first connection wins."""

    actor: Caller


@dataclass(frozen=True, slots=True)
class End:
    """Cancel, reject or hang up, whichever the state makes of it. Without a reason, the usual one."""

    actor: Caller
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Signal:
    """Pass something to the other leg: ``data`` is JSON. The ``answer`` makes the call active."""

    actor: Caller
    seq: int
    kind: str
    data: str


@dataclass(frozen=True, slots=True)
class Resume:
    """Look at the call, and take over the leg if the actor's session has it."""

    actor: Caller


@dataclass(frozen=True, slots=True)
class Renew:
    """The actor's connection is alive."""

    actor: Caller


@dataclass(frozen=True, slots=True)
class Expire:
    """End the call if a deadline has passed."""


Command = Create | Alert | Accept | End | Signal | Resume | Renew | Expire


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command came to, and the call after it."""

    verdict: Verdict
    call: Call | None
    version: int = 0
    """Version of the change that the command made, or made the first time; of the call if it makes none."""
    lapsed: bool = False
    """A deadline ended the call just now, before the command was looked at."""


def transition(call: Call | None, command: Command, now_ms: int, lease_ms: int) -> Outcome:
    """Apply one command. ``call`` is None where there is none under the id; Create needs ``new_call`` for it."""
    lapsed = False
    if call is not None and call.state is State.RINGING and now_ms >= call.ring_until_ms:
        call, lapsed = _finish(call, "invite_timeout", "", now_ms), True
    if call is None:
        return Outcome(Verdict.UNKNOWN, None)
    if isinstance(command, Expire):
        if call.state is not State.ENDED and now_ms >= call.due_ms:
            call, lapsed = _finish(call, _LAPSED[call.state], "", now_ms), True
        return Outcome(Verdict.ENDED if call.state is State.ENDED else Verdict.DONE, call, call.version, lapsed)
    if command.actor.user_id not in (call.initiator, call.callee):
        return Outcome(Verdict.UNKNOWN, call, call.version, lapsed)
    verdict, after, version = _RULES[type(command)](call, command, now_ms, lease_ms)
    return Outcome(verdict, after, after.version if version is None else version, lapsed)


def new_call(call_id: str, command: Create, now_ms: int, lease_ms: int) -> Outcome:
    """The call that Create makes where there is none."""
    leg = _leg(command.actor, None, now_ms + lease_ms)
    call = Call(call_id, command.type, command.actor.user_id, command.callee, command.ring_until_ms, leg)
    call = _record(call, "ringing", command.actor.user_id, now_ms)
    return Outcome(Verdict.DONE, call, call.version)


_LAPSED = {State.RINGING: "cancelled", State.CONNECTING: "ice_failed", State.ACTIVE: "ice_timeout"}
"""Reason of the end when a party's lease is over: the words are Matrix's, ``ice_failed`` where no media ever flowed."""

_Ruling = tuple[Verdict, Call, int | None]


def _create_again(call: Call, command: Create, now_ms: int, lease_ms: int) -> _Ruling:
    if (call.initiator, call.callee) != (command.actor.user_id, command.callee):
        return Verdict.UNKNOWN, call, None
    if call.state is State.ENDED:
        return Verdict.REPEAT, call, None
    if call.caller_leg.session_id != command.actor.session_id:
        return Verdict.ELSEWHERE, call, None
    _, call, _ = _resume(call, Resume(command.actor), now_ms, lease_ms)
    return Verdict.REPEAT, call, None


def _alert(call: Call, command: Alert, now_ms: int, _lease_ms: int) -> _Ruling:
    if command.actor.user_id != call.callee:
        return Verdict.FORBIDDEN, call, None
    if call.state is State.ENDED:
        return Verdict.ENDED, call, None
    if call.state is not State.RINGING or call.alerted is not None:
        return Verdict.REPEAT, call, call.alerted
    call = _record(call, "alerting", command.actor.user_id, now_ms)
    return Verdict.DONE, replace(call, alerted=call.version), call.version


def _accept(call: Call, command: Accept, now_ms: int, lease_ms: int) -> _Ruling:
    if command.actor.user_id != call.callee:
        return Verdict.FORBIDDEN, call, None
    if call.state is State.ENDED:
        return Verdict.ENDED, call, None
    if call.state is State.RINGING:
        call = _record(call, "accepted", command.actor.user_id, now_ms)
        leg = _leg(command.actor, None, now_ms + lease_ms)
        return Verdict.DONE, replace(call, state=State.CONNECTING, accepted=call.version, callee_leg=leg), call.version
    if call.held_by(command.actor):
        return Verdict.REPEAT, call, call.accepted
    return Verdict.ELSEWHERE, call, None


def _end(call: Call, command: End, now_ms: int, _lease_ms: int) -> _Ruling:
    if call.state is State.ENDED:
        return Verdict.REPEAT, call, None
    answered = call.state is not State.RINGING
    is_caller = command.actor.user_id == call.initiator
    # While it rings, every device of the callee may refuse; everything else takes the leg.
    if (answered or is_caller) and not call.held_by(command.actor):
        return Verdict.ELSEWHERE, call, None
    usual = "user_hangup" if answered else "cancelled" if is_caller else "rejected"
    return Verdict.DONE, _finish(call, command.reason or usual, command.actor.user_id, now_ms), None


def _signal(call: Call, command: Signal, now_ms: int, _lease_ms: int) -> _Ruling:
    if call.state is State.ENDED:
        return Verdict.ENDED, call, None
    if call.state is State.RINGING:
        return Verdict.NOT_ACCEPTED, call, None
    leg = call.leg_of(command.actor.user_id)
    if leg is None or not call.held_by(command.actor):
        return Verdict.ELSEWHERE, call, None
    if command.seq > leg.seq + 1:
        return Verdict.GAP, call, None
    if command.seq <= leg.seq:
        return Verdict.REPEAT, call, _version_of(call, command, leg.seq)
    call = _with_leg(call, command.actor, replace(leg, seq=command.seq))
    if command.kind == "answer":
        call = replace(call, state=State.ACTIVE)
    call = _record(call, "signal", command.actor.user_id, now_ms, command.seq, command.data)
    return Verdict.DONE, call, call.version


def _resume(call: Call, command: Resume, now_ms: int, lease_ms: int) -> _Ruling:
    leg = call.leg_of(command.actor.user_id)
    if call.state is State.ENDED or leg is None or leg.session_id != command.actor.session_id:
        return Verdict.ELSEWHERE, call, None
    moved = not call.held_by(command.actor)
    call = _with_leg(call, command.actor, _leg(command.actor, leg, now_ms + lease_ms))
    if not moved:
        return Verdict.REPEAT, call, None
    return Verdict.DONE, _record(call, "resumed", command.actor.user_id, now_ms), None


def _renew(call: Call, command: Renew, now_ms: int, lease_ms: int) -> _Ruling:
    if call.state is State.ENDED:
        return Verdict.ENDED, call, None
    if not call.held_by(command.actor):
        return Verdict.ELSEWHERE, call, None
    leg = _leg(command.actor, call.leg_of(command.actor.user_id), now_ms + lease_ms)
    return Verdict.DONE, _with_leg(call, command.actor, leg), None


_RULES: dict[type, Callable[..., _Ruling]] = {
    Create: _create_again,
    Alert: _alert,
    Accept: _accept,
    End: _end,
    Signal: _signal,
    Resume: _resume,
    Renew: _renew,
}


def _leg(actor: Caller, before: Leg | None, lease_until_ms: int) -> Leg:
    return Leg(actor.session_id, actor.connection_id, lease_until_ms, before.seq if before else 0)


def _with_leg(call: Call, actor: Caller, leg: Leg) -> Call:
    return replace(call, caller_leg=leg) if actor.user_id == call.initiator else replace(call, callee_leg=leg)


def _finish(call: Call, reason: str, user_id: str, now_ms: int) -> Call:
    return _record(replace(call, state=State.ENDED, reason=reason), "ended", user_id, now_ms, data=reason)


def _record(call: Call, kind: str, user_id: str, now_ms: int, seq: int = 0, data: str = "") -> Call:
    version = call.version + 1
    return replace(call, version=version, log=(*call.log, Logged(version, kind, user_id, now_ms, seq, data)))


def _version_of(call: Call, command: Signal, last: int) -> int | None:
    """The version that a repeated signal got the first time, None if that is too long ago."""
    if command.seq <= last - SENT_KEPT:
        return None
    mine = (one for one in call.log if one.kind == "signal" and one.user_id == command.actor.user_id)
    return next(one.version for one in mine if one.seq == command.seq)
