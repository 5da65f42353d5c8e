"""Calls that are over: what is kept of them, and how they look to each who was called."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from hub.kernel.clock import from_ms
from hub.kernel.ids import UserId
from signaling.call.model import Call, Member, Part

MISSED = "call.missed"
"""Topic of the outbox: ``{callId, userId}``. Committed with the call's entry, so once for each who missed it."""


class Answer(StrEnum):
    """What somebody did about a call."""

    JOINED = "joined"
    DECLINED = "declined"
    MISSED = "missed"


@dataclass(frozen=True, slots=True)
class PastMember:
    """One person of a call that is over."""

    user_id: UserId
    answer: Answer
    knows: bool = True
    """False for whom it did not ring, because nobody was there for who called (see Member.absent)."""


@dataclass(frozen=True, slots=True)
class PastCall:
    """A call that is over."""

    call_id: str
    type: str
    initiator: UserId
    group: bool
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime
    reason: str
    members: tuple[PastMember, ...]

    def missed_by(self, user_id: str) -> bool:
        """Whether it rang at somebody's, who neither answered nor declined."""
        return any(one.user_id == user_id and one.knows and one.answer is Answer.MISSED for one in self.members)


@dataclass(frozen=True, slots=True)
class Before:
    """A place in somebody's history, which runs from the latest call to the first."""

    started_at: datetime
    call_id: str


class CallHistory(Protocol):
    """Calls that are over, kept for good. Every method raises Unavailable if the database does not answer."""

    async def keep(self, past: PastCall) -> None:
        """Keep a call, with MISSED in the outbox for each who missed it; all of it once, however often it is asked."""
        ...

    async def page(self, user_id: UserId, before: Before | None, limit: int) -> list[PastCall]:
        """The calls that somebody knows of, latest first."""
        ...

    async def call(self, user_id: UserId, call_id: str) -> PastCall | None:
        """One of them; ``None`` if there is none that this user knows of."""
        ...


def past_call(call: Call) -> PastCall:
    """What is kept of an ended call, of which all members are there."""
    members = [
        PastMember(user_id, _answer(call, user_id, member), not member.absent)
        for user_id, member in sorted(call.members.items())
    ]
    return PastCall(
        call_id=call.call_id,
        type=call.type,
        initiator=call.initiator,
        group=call.group,
        started_at=from_ms(call.started),
        answered_at=from_ms(call.answered) if call.answered else None,
        ended_at=from_ms(call.ended),
        reason=call.reason,
        members=tuple(members),
    )


def _answer(call: Call, user_id: UserId, member: Member) -> Answer:
    if member.accepted:
        return Answer.JOINED
    # Between two, declining ends the call, and leaves the member as they were.
    declined = member.state is Part.DECLINED or call.ended_by == user_id
    return Answer.DECLINED if declined else Answer.MISSED
