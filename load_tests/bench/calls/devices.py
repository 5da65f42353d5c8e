"""Devices of people who call each other, as a careful client behaves: it repeats what had no answer, and syncs."""

import itertools
from dataclasses import dataclass, field
from typing import Any

from hub.kernel.errors import HubError
from hub.kernel.events import Caller
from hub.kernel.ids import ConnectionId, SessionId, UserId, session_room, user_room
from load_tests.bench.calls.network import Killed, Node

OVER = {"call_ended", "unknown_call", "answered_elsewhere"}
"""Refusals after which a device has nothing to do with a call any more."""
NOT_MINE = {"answered_elsewhere", "moved"}
"""Reasons that do not concern the device that has the call."""


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
class Device:
    """One device, with at most one connection."""

    user_id: UserId
    name: str
    seen: list[Seen]
    clock: Any
    node: Node | None = None
    caller: Caller | None = None
    calls: dict[str, str] = field(default_factory=dict)
    """Where it believes each call to be: ``rings``, ``in`` or ``over``."""
    unanswered: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    seqs: dict[str, int] = field(default_factory=dict)
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    async def connect(self, node: Node) -> None:
        """Come (back) to a node, ask what became of the calls, and repeat what had no answer."""
        connection_id = ConnectionId(f"{self.name}#{next(self._numbers)}")
        self.caller, self.node = Caller(self.user_id, SessionId(self.name), connection_id), node
        network = node.network
        network.listeners[connection_id] = self._hear
        for room in (user_room(self.user_id), session_room(SessionId(self.name))):
            network.rooms.setdefault(room, set()).add(connection_id)
        again, self.unanswered = self.unanswered, []
        for call_id in [call_id for call_id, where in self.calls.items() if where != "over"]:
            snapshot = await self.ask("call:sync", {"callId": call_id, "sinceVersion": 0})
            if snapshot is not None:
                self._learn(call_id, snapshot)
        for event, payload in again:
            if event != "call:sync":
                await self.ask(event, payload)

    def lose(self) -> None:
        """The connection is gone, with its node or without."""
        if self.caller is not None and self.node is not None:
            self.node.network.drop(self.caller.connection_id)
            del self.node.network.listeners[self.caller.connection_id]
        self.caller = self.node = None

    async def ask(self, event: str, payload: dict[str, Any]) -> Any:
        """Send an event, and act on the answer; ``None`` if it was refused, or is to be asked again."""
        call_id = payload["callId"]
        if self.node is None or self.caller is None:
            self.unanswered.append((event, payload))
            return None
        try:
            answer = await self.node.ask(event, self.caller, payload)
        except Killed:
            self.unanswered.append((event, payload))
            return None
        except HubError as error:
            if error.code in OVER:
                self._is(call_id, "over")
            return None
        if event == "call:accept":
            self._note("accepted", call_id, answer["version"])
            self._is(call_id, "in")
        elif event == "call:initiate":
            if answer["callId"] != call_id:
                self._is(call_id, "over")
            self._is(answer["callId"], "over" if answer["state"] == "ended" else "in")
        elif event in ("call:hangup", "call:reject"):
            self._is(call_id, "over")
        return answer

    def _hear(self, event: str, payload: dict[str, Any]) -> None:
        call_id = payload["callId"]
        where = self.calls.get(call_id)
        self._note(event, call_id, payload["version"])
        if event == "call:incoming" and where is None:
            self._is(call_id, "rings")
        elif event == "call:ended" or (
            event == "call:cancelled" and not (where == "in" and payload["reason"] in NOT_MINE)
        ):
            self._is(call_id, "over")

    def _learn(self, call_id: str, snapshot: dict[str, Any]) -> None:
        me = next((one for one in snapshot["members"] if one["userId"] == self.user_id), None)
        if snapshot["mine"]:
            self._is(call_id, "in")
            self.seqs[call_id] = snapshot["seq"]
        elif snapshot["state"] == "ended" or me is None or me["state"] != "ringing":
            self._is(call_id, "over")

    def _is(self, call_id: str, where: str) -> None:
        if self.calls.get(call_id) != where:
            self.calls[call_id] = where
            self._note(where, call_id)

    def _note(self, what: str, call_id: str, version: int = 0) -> None:
        self.seen.append(Seen(self.clock.now_ms(), self.user_id, self.name, what, call_id, version))
