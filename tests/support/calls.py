"""A call store that is the model itself: for unit tests of what stands on it, without Redis."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from hub.kernel.clock import Clock
from hub.kernel.errors import Unavailable
from hub.kernel.ids import UserId, new_ulid
from signaling.call.commands import Command, Create, Signal
from signaling.call.model import Call, Change
from signaling.call.outcome import Outcome, Owing, Verdict
from signaling.call.step import Times
from signaling.call.talking import SENT_KEPT
from signaling.call.transition import Transition, new_call, transition
from signaling.store import PARTED, Overdue, Placement

NUMBERED = {Verdict.DONE, Verdict.GONE, Verdict.STALE}
"""Verdicts on a signal whose number is taken."""


@dataclass
class ModelCallStore:
    """Implements signaling.store.CallStore in memory. ``down`` makes it as unreachable as Redis can be."""

    clock: Clock
    lease_ms: int = 30_000
    alone_ms: int = 20_000
    calls: dict[str, Call] = field(default_factory=dict)
    changes: dict[str, list[Change]] = field(default_factory=dict)
    sent: dict[tuple[str, str, int], int] = field(default_factory=dict)
    pairs: dict[frozenset[str], str] = field(default_factory=dict)
    deadlines: dict[str, int] = field(default_factory=dict)
    owed: dict[Owing, int] = field(default_factory=dict)
    """Since when, in Unix ms."""
    line_of: Callable[[UserId], str | None] = lambda _: None
    """The call that somebody has answered last, as BusyLines know it."""
    down: bool = False

    async def create(self, call_id: str, command: Create) -> Outcome:
        if call_id in self.calls:
            return await self.apply(call_id, command)
        self._reach()
        moved = new_call(call_id, command, self._times)
        assert moved.call is not None
        self.deadlines[call_id] = moved.call.due
        return self._keep(call_id, moved)

    async def place(self, call_id: str, command: Create) -> Placement:
        outcome = await self.create(call_id, command)
        call, (callee,) = outcome.call, command.to
        holder = self.pairs.get(frozenset((command.actor.user_id, callee.user_id)), "")
        if call is not None and call.initiator == command.actor.user_id and not call.is_over and not call.group:
            holder = await self.claim_pair(call)
        elif holder == call_id:
            holder = ""
        return Placement(outcome, holder, self.line_of(callee.user_id))

    async def apply(self, call_id: str, command: Command) -> Outcome:
        self._reach()

        def sent(user_id: str, seq: int) -> int:
            return self.sent.get((call_id, user_id, seq % SENT_KEPT), 0)

        moved = transition(self.calls.get(call_id), command, self._times, sent)
        if isinstance(command, Signal) and moved.outcome.verdict in NUMBERED:
            slot = call_id, command.actor.user_id, command.seq % SENT_KEPT
            self.sent[slot] = moved.outcome.version if moved.outcome.verdict is Verdict.DONE else 0
        return self._keep(call_id, moved)

    async def log(self, call_id: str, user_id: UserId, since_version: int) -> tuple[list[Change], bool]:
        self._reach()
        missed = [one for one in self.changes[call_id] if one.version > since_version and one.to in ("", user_id)]
        return missed, True

    async def overdue(self, older_than_s: float) -> list[Overdue]:
        self._reach()
        ages = {owing: (self.clock.now_ms() - since) / 1000 for owing, since in self.owed.items()}
        return [Overdue(owing, age_s) for owing, age_s in ages.items() if age_s >= older_than_s]

    async def told(self, owed: Iterable[Owing]) -> None:
        self._reach()
        for owing in owed:
            self.owed.pop(owing, None)

    async def claim_pair(self, call: Call, instead_of: str = "") -> str:
        self._reach()
        pair = frozenset((call.initiator, call.callee))
        if self.pairs.get(pair) in (None, instead_of):
            self.pairs[pair] = call.call_id
        return self.pairs[pair]

    async def part(self, one: UserId, other: UserId, instead_of: str = "") -> str | None:
        self._reach()
        pair = frozenset((one, other))
        holder = self.pairs.get(pair, PARTED)
        if holder != instead_of and not holder.startswith(PARTED):
            return holder
        self.pairs[pair] = f"{PARTED} {new_ulid()}"
        return None

    async def release(self, call: Call) -> None:
        self._reach()
        pair = frozenset((call.initiator, call.callee))
        if self.pairs.get(pair) == call.call_id:
            del self.pairs[pair]

    async def take_due(self) -> list[str]:
        self._reach()
        return [call_id for call_id, due in self.deadlines.items() if due <= self.clock.now_ms()]

    async def reschedule(self, call_id: str, due_ms: int) -> None:
        self._reach()
        if call_id in self.deadlines:
            self.deadlines[call_id] = due_ms

    async def forget(self, call_id: str) -> None:
        self._reach()
        self.deadlines.pop(call_id, None)

    @property
    def _times(self) -> Times:
        return Times(self.clock.now_ms(), self.lease_ms, self.alone_ms)

    def _keep(self, call_id: str, moved: Transition) -> Outcome:
        if moved.call is not None:
            self.calls[call_id] = moved.call
            self.changes.setdefault(call_id, []).extend(moved.changes)
            self.owed.update(dict.fromkeys(moved.outcome.owed, self.clock.now_ms()))
        return moved.outcome

    def _reach(self) -> None:
        if self.down:
            raise Unavailable


def done(outcome: Outcome) -> Call:
    """The call of a command that must have been done just now."""
    assert outcome.verdict is Verdict.DONE, outcome
    assert outcome.call is not None
    return outcome.call
