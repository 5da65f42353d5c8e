"""What is kept of calls, and what of it is atomic."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from hub.kernel.ids import UserId
from signaling.call.commands import Command, Create
from signaling.call.model import Call, Change
from signaling.call.outcome import Outcome, Owing


@dataclass(frozen=True, slots=True)
class Overdue:
    """A change that the others ought to have been told of by now: whoever made it is slow, or dead."""

    owing: Owing
    age_s: float


PARTED = "parted"
"""What begins with this has the pair of two people between whom something has come, such as a block: each time other
text."""
PARTED_S = 60
"""How long it has."""


class Placement(NamedTuple):
    """What came of placing a call between two."""

    outcome: Outcome
    holder: str
    """The call that has the pair of the two, or what came between them (PARTED); empty if this one is over, or a group,
    and can have none."""
    line: str | None
    """The call that the callee has answered last, and may be in (see BusyLines); ``None`` if none is known."""


class CallStore(Protocol):
    """Calls, what is owed of them, their deadlines, and which two people are in a call with each other.

    A call changes only by :meth:`apply`, which is atomic, and adds what the others have to be told of in the same step.
    Live calls are forgotten 10 minutes after the last renewal of a lease, ended ones after
    ``CallSettings.ended_kept_s``. Deadlines and pairs are not atomic with the call they belong to (pairs may live on
    another server), so they are written in an order in which a crash between two writes leaves nothing stuck:

    - a deadline is written before its call and removed after everything else of the call is; in between it is only
      moved while it is there. A deadline without a call is dropped when it falls due, and a call whose end nobody
      settled comes up once more at its deadline;
    - a pair is claimed for a call that exists, so a pair whose call is gone, over or a group is free for the taking.

    Every method raises Unavailable if Redis does not answer; what was asked may or may not have happened.
    """

    async def create(self, call_id: str, command: Create) -> Outcome:
        """Note the first deadline, then create the call (or repeat it, as commands.Create says)."""
        ...

    async def place(self, call_id: str, command: Create) -> Placement:
        """Create a call to one person, claim the pair for it, and look whether they are in a call."""
        ...

    async def apply(self, call_id: str, command: Command) -> Outcome:
        """Move a call by one command, as call.transition does. Verdict UNKNOWN if there is no such call."""
        ...

    async def log(self, call_id: str, user_id: UserId, since_version: int) -> tuple[list[Change], bool]:
        """The changes after ``since_version`` that are for all, or for this user's leg, oldest first.

        And whether none is missing for sure: the last 256 are kept of either kind.
        """
        ...

    async def overdue(self, older_than_s: float) -> list[Overdue]:
        """Changes older than this that are still owed: the oldest of all calls, a bounded number."""
        ...

    async def told(self, owed: Iterable[Owing]) -> None:
        """These are not owed any more. Idempotent."""
        ...

    async def claim_pair(self, call: Call, instead_of: str = "") -> str:
        """Make ``call`` the one call between its two people, unless another has the pair. Returns the id that has it.

        ``instead_of`` names a call that may be replaced, as it is over, or what came between the two (PARTED).
        """
        ...

    async def part(self, one: UserId, other: UserId, instead_of: str = "") -> str | None:
        """The call that has the pair of two people, over or not. If none has it, or ``instead_of``, the pair is PARTED.

        So whoever is just placing a call between the two has either claimed the pair, and the call is found here, or
        finds it parted, and looks once more whether they may.
        """
        ...

    async def release(self, call: Call) -> None:
        """Give back the pair of a call that is over, or a group by now. Idempotent."""
        ...

    async def take_due(self) -> list[str]:
        """Calls with a deadline in the past, at most some hundreds. Nobody else gets them for the next seconds."""
        ...

    async def reschedule(self, call_id: str, due_ms: int) -> None:
        """Move the deadline of a call, if it still has one."""
        ...

    async def forget(self, call_id: str) -> None:
        """Drop the deadline of a call that is gone, or over and needs nothing more."""
        ...
