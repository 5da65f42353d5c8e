"""A call store that is the model itself: for unit tests of what stands on it, without Redis."""

from dataclasses import dataclass, field, replace

from hub.kernel.clock import Clock
from hub.kernel.errors import Unavailable
from hub.kernel.ids import UserId
from signaling import model
from signaling.model import Call, Command, Create, Logged, Outcome, Verdict


@dataclass
class ModelCallStore:
    """Implements signaling.store.CallStore in memory. ``down`` makes it as unreachable as Redis can be."""

    clock: Clock
    lease_ms: int = 30_000
    calls: dict[str, Call] = field(default_factory=dict)
    pairs: dict[frozenset[str], str] = field(default_factory=dict)
    deadlines: dict[str, int] = field(default_factory=dict)
    down: bool = False

    async def create(self, call_id: str, command: Create) -> Outcome:
        if call_id in self.calls:
            return await self.apply(call_id, command)
        self._reach()
        outcome = model.new_call(call_id, command, self.clock.now_ms(), self.lease_ms)
        assert outcome.call is not None
        self.deadlines[call_id] = outcome.call.due_ms
        return self._keep(call_id, outcome)

    async def apply(self, call_id: str, command: Command) -> Outcome:
        self._reach()
        outcome = model.transition(self.calls.get(call_id), command, self.clock.now_ms(), self.lease_ms)
        return self._keep(call_id, outcome)

    async def log(self, call_id: str, since_version: int) -> list[Logged]:
        self._reach()
        return [change for change in self.calls[call_id].log if change.version > since_version]

    async def claim_pair(self, call: Call, instead_of: str = "") -> str:
        self._reach()
        pair = frozenset((call.initiator, call.callee))
        if self.pairs.get(pair) in (None, instead_of):
            self.pairs[pair] = call.call_id
        return self.pairs[pair]

    async def between(self, one: UserId, other: UserId) -> str | None:
        self._reach()
        return self.pairs.get(frozenset((one, other)))

    async def settle(self, call: Call) -> None:
        self._reach()
        pair = frozenset((call.initiator, call.callee))
        if self.pairs.get(pair) == call.call_id:
            del self.pairs[pair]
        await self.forget(call.call_id)

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

    def _keep(self, call_id: str, outcome: Outcome) -> Outcome:
        if outcome.call is None:
            return outcome
        self.calls[call_id] = outcome.call
        return replace(outcome, call=replace(outcome.call, log=()))

    def _reach(self) -> None:
        if self.down:
            raise Unavailable


def done(outcome: Outcome) -> Call:
    """The call of a command that must have been done just now."""
    assert outcome.verdict is Verdict.DONE, outcome
    assert outcome.call is not None
    return outcome.call
