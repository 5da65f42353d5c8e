"""What a command came to."""

import math
import time
from dataclasses import dataclass, field
from enum import StrEnum

from hub.kernel.ids import SessionId
from signaling.call.model import NO_SESSION, Call

REPEATED_S = 60.0
"""Longest time after which a client repeats what it had no answer to."""


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
class Owing:
    """A change that the others have to be told of. It is kept beside the call until somebody has told them."""

    call_id: str
    version: int
    entry: str = field(default="", compare=False)
    """Its name where it is kept."""


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
    owed: tuple[Owing, ...] = ()
    """The changes that it made, but signals: whoever gave the command tells the others, and then says so."""
    asked_s: float = field(default=math.inf, compare=False)
    """``time.monotonic()`` before it was given."""

    @property
    def age_s(self) -> float:
        """How long ago it was given, 0 if that is not known. The clock runs on while the process is stopped."""
        return max(time.monotonic() - self.asked_s, 0.0)

    @property
    def told_since_s(self) -> float:
        """For how long another node may have told of the change: of a repeat, since the first attempt."""
        return REPEATED_S if self.verdict is Verdict.REPEAT else self.age_s

    @property
    def versions(self) -> set[int]:
        """Of the changes that are owed."""
        return {owing.version for owing in self.owed}
