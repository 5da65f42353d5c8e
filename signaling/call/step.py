"""One command being applied: the call as it is so far, and the changes made to it."""

from dataclasses import dataclass, field

from msgspec.structs import replace

from hub.kernel.events import Caller
from hub.kernel.ids import ConnectionId, SessionId, UserId
from signaling.call.model import NO_SESSION, Call, Change, Member, Part, State
from signaling.call.outcome import Verdict


@dataclass(frozen=True, slots=True)
class Times:
    """When a command is applied, and how long things last, in ms."""

    now: int
    lease: int
    alone: int
    """How long one may be alone in a group call."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a rule says. ``version`` is of the change made now or before; ``None``: the call's."""

    verdict: Verdict
    version: int | None = None
    former: SessionId = NO_SESSION


@dataclass
class Step:
    """What the rules work on. lua/call/step.lua has the same functions."""

    call: Call
    times: Times
    changes: list[Change] = field(default_factory=list)
    seen: set[UserId] = field(default_factory=set)
    """The members that were looked at: these are in the outcome."""

    def member(self, user_id: str) -> Member | None:
        """The member, if there is one for whoever asks."""
        member = self.call.members.get(UserId(user_id))
        if member is None:
            return None
        self.seen.add(UserId(user_id))
        return member

    def everybody(self) -> list[UserId]:
        """All members, in the order of their ids."""
        self.seen.update(self.call.members)
        return sorted(self.call.members)

    def put(self, user_id: UserId, member: Member) -> None:
        """Set a member."""
        self.seen.add(user_id)
        self.change(members={**self.call.members, user_id: member})

    def change(self, **fields: object) -> None:
        """Set fields of the call."""
        self.call = replace(self.call, **fields)

    def record(self, kind: str, by: str, data: str = "", *, seq: int = 0, to: str = "") -> int:
        """Note a change under the next version."""
        version = self.call.version + 1
        self.change(version=version)
        self.changes.append(Change(version, kind, by, self.times.now, seq, data, to))
        return version

    def refused(self, me: Member, actor: Caller) -> Ruling | None:
        """Why the actor's connection has no say in the call, if it has none."""
        if self.call.is_over:
            return Ruling(Verdict.ENDED)
        if me.state is Part.RINGING:
            return Ruling(Verdict.NOT_ACCEPTED)
        return None if me.held_by(actor) else Ruling(Verdict.ELSEWHERE)

    def with_leg(self, member: Member, actor: Caller) -> Member:
        """The member with the actor's connection as their leg, whose lease begins."""
        until = self.times.now + self.times.lease
        return replace(member, session=actor.session_id, connection=actor.connection_id, until=until, away=False)

    def new_generation(self) -> int:
        """Begin one."""
        self.change(gen=self.call.gen + 1)
        return self.call.gen

    def leave(self, user_id: UserId, reason: str, by: str) -> None:
        """Take somebody out of the call, or end their ringing; the call may end by that."""
        member, call = self.call.members[user_id], self.call
        part = Part.DECLINED if by and not member.joined else Part.LEFT
        if member.joined:
            self.change(joined=call.joined - 1)
        else:
            self.change(ringing=call.ringing - 1)
        left = self.record("declined" if part is Part.DECLINED else "left", user_id, reason)
        none = {"session": NO_SESSION, "connection": ConnectionId(""), "away": False, "held": False}
        self.put(user_id, replace(member, state=part, until=0, left=left, reason=reason, **none))
        self.look_around(reason, by)

    def look_around(self, reason: str, by: str) -> None:
        """End the call if nobody is in it, or nobody will be; else note whether somebody is alone."""
        call = self.call
        if call.joined == 0:
            self.finish("cancelled" if call.state is State.RINGING else reason, by)
        elif call.state is State.RINGING:
            if call.ringing == 0:
                self.finish(reason, by)
        elif call.joined == 1 and call.ringing == 0:
            self.change(alone_until=call.alone_until or self.times.now + self.times.alone)

    def finish(self, reason: str, by: str) -> None:
        """End the call."""
        self.everybody()
        self.change(state=State.ENDED, reason=reason, ended_by=UserId(by), ended=self.times.now, alone_until=0)
        self.record("ended", by, reason)
