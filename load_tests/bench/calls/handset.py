"""What a device of somebody believes of its calls, as a careful client does. No I/O."""

from dataclasses import dataclass, field
from typing import Any

from hub.kernel.clock import Clock
from hub.kernel.ids import UserId

OVER = {"call_ended", "unknown_call", "answered_elsewhere"}
"""Refusals after which a device has nothing to do with a call any more."""
NOT_MINE = {"answered_elsewhere", "moved"}
"""Reasons that do not concern the device that has the call. Which one that is, it asks then."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Something that happened at a device."""

    at_ms: int
    user_id: str
    device: str
    what: str
    """``rings``, ``in``, ``over``, an event's name, or ``accepted`` for an acknowledged acceptance."""
    call_id: str
    version: int = 0


@dataclass(eq=False)
class Handset:
    """A device. Whoever has its connection tells it what comes over it."""

    user_id: UserId
    name: str
    """As its session's id."""
    seen: list[Seen]
    clock: Clock
    calls: dict[str, str] = field(default_factory=dict)
    """Where it believes each call to be: ``rings``, ``in`` or ``over``."""
    doubts: set[str] = field(default_factory=set)
    """Calls that it has to ask about: it may be another device that has them."""
    told_over: dict[str, int] = field(default_factory=dict)
    """Version of the event by which it heard that a call was over here. An answer may be older, and come later."""
    seqs: dict[str, int] = field(default_factory=dict)
    """Number of the last signal that it sent in each call."""

    def heard(self, event: str, payload: dict[str, Any]) -> None:
        """An event of calls came."""
        call_id = payload["callId"]
        where = self.calls.get(call_id)
        self._note(event, call_id, payload["version"])
        if event == "call:incoming" and where is None:
            self._is(call_id, "rings")
        elif event == "call:cancelled" and where == "in" and payload["reason"] in NOT_MINE:
            self.doubts.add(call_id)
        elif event in ("call:cancelled", "call:ended"):
            self.told_over[call_id] = payload["version"]
            self._is(call_id, "over")

    def answered(self, event: str, call_id: str, answer: dict[str, Any]) -> None:
        """What it asked was done."""
        if event == "call:accept":
            self._note("accepted", call_id, answer["version"])
            self._comes_in(call_id, answer)
        elif event == "call:initiate":
            if answer["callId"] != call_id:
                self._is(call_id, "over")
            self._comes_in(answer["callId"], answer)
        elif event in ("call:hangup", "call:reject") or (event == "call:ringing" and answer["state"] == "ended"):
            self._is(call_id, "over")
        elif event == "call:transfer" and "iceServers" in answer:  # else somebody else is to have it
            self._comes_in(call_id, answer)
        elif event == "call:sync":
            self._learn(call_id, answer)

    def is_done(self, event: str, call_id: str) -> bool:
        """Whether what had no answer need not be repeated: it is known by now, or the call came here otherwise."""
        return event == "call:sync" or (event == "call:accept" and self.calls.get(call_id) == "in")

    def refused(self, call_id: str, code: str) -> None:
        """What it asked was not done."""
        if code in OVER:
            self._is(call_id, "over")

    def _learn(self, call_id: str, snapshot: dict[str, Any]) -> None:
        self.doubts.discard(call_id)
        me = next((one for one in snapshot["members"] if one["userId"] == self.user_id), None)
        if snapshot["mine"]:
            self._comes_in(call_id, snapshot)
            self.seqs[call_id] = snapshot["seq"]
        elif snapshot["state"] == "ended" or me is None or me["state"] != "ringing":
            self._is(call_id, "over")

    def _comes_in(self, call_id: str, answer: dict[str, Any]) -> None:
        is_over = answer["state"] == "ended" or answer["version"] < self.told_over.get(call_id, 0)
        self._is(call_id, "over" if is_over else "in")

    def _is(self, call_id: str, where: str) -> None:
        if self.calls.get(call_id) != where:
            self.calls[call_id] = where
            self._note(where, call_id)

    def _note(self, what: str, call_id: str, version: int = 0) -> None:
        self.seen.append(Seen(self.clock.now_ms(), self.user_id, self.name, what, call_id, version))
