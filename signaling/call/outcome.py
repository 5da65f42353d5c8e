"""What a command came to."""

from dataclasses import dataclass
from enum import StrEnum

from hub.kernel.ids import SessionId
from signaling.call.model import NO_SESSION, Call


class Verdict(StrEnum):
    """Whether a command was done, or why not."""

    DONE = "done"
    REPEAT = "repeat"
    """It was done before; nothing changed."""
    UNKNOWN = "unknown"
    """No such call for this user."""
    ENDED = "ended"
    NOT_ACCEPTED = "not_accepted"
    """The actor, or who the signal is for, has not accepted yet."""
    ELSEWHERE = "elsewhere"
    """The actor's connection is not their leg."""
    FORBIDDEN = "forbidden"
    """Only who is called may do this."""
    GAP = "gap"
    GONE = "gone"
    """Who the signal is for is not in the call. It has its number all the same."""
    STALE = "stale"
    """The signal is of an older generation. It has its number, and goes nowhere."""
    NO_TARGET = "no_target"
    """A signal in a group says whom it is for."""
    FULL = "full"
    """More signals or members than a call has."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command came to, and the call after it.

    Of the members it has those whom the command concerned; all after Create, Invite, Sync, Expire, and an end.
    """

    verdict: Verdict
    call: Call | None
    version: int = 0
    """Version of the change that the command made, or made the first time; of the call if it makes none."""
    lapsed: bool = False
    """A deadline ended the call just now, before the command was looked at."""
    former: SessionId = NO_SESSION
    """The session whose leg this command took."""
