"""Devices on simulated nodes: they repeat what had no answer, and ask what became of their calls when they are back."""

import itertools
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hub.kernel.errors import HubError
from hub.kernel.events import Caller
from hub.kernel.ids import ConnectionId, SessionId, session_room, user_room
from load_tests.bench.calls.handset import Handset
from load_tests.bench.calls.network import Killed, Node


@dataclass(eq=False)
class Device(Handset):
    """One device, with at most one connection."""

    node: Node | None = None
    caller: Caller | None = None
    unanswered: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    killed_in: Counter[str] = field(default_factory=Counter)
    """Events over which nodes have died."""
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    async def connect(self, node: Node) -> None:
        """Come (back) to a node, ask what became of the calls, and repeat what had no answer."""
        connection_id = ConnectionId(f"{self.name}#{next(self._numbers)}")
        self.caller, self.node = Caller(self.user_id, SessionId(self.name), connection_id), node
        network = node.network
        network.listeners[connection_id] = self.heard
        for room in (user_room(self.user_id), session_room(SessionId(self.name))):
            network.rooms.setdefault(room, set()).add(connection_id)
        again, self.unanswered = self.unanswered, []
        accepting = {payload["callId"] for event, payload in again if event == "call:accept"}
        for call_id in [one for one, where in self.calls.items() if where != "over" or one in accepting]:
            await self.ask("call:sync", {"callId": call_id, "sinceVersion": 0})
        for event, payload in again:
            if not self.is_done(event, payload["callId"]):
                await self.ask(event, payload)

    def lose(self) -> None:
        """The connection is gone, with its node or without."""
        if self.caller is not None and self.node is not None:
            self.node.network.drop(self.caller.connection_id)
            del self.node.network.listeners[self.caller.connection_id]
        self.caller = self.node = None

    async def settle_doubts(self) -> None:
        """Ask about the calls that another device may have."""
        for call_id in list(self.doubts):
            await self.ask("call:sync", {"callId": call_id, "sinceVersion": 0})

    async def ask(self, event: str, payload: dict[str, Any]) -> Any:
        """Send an event, and act on the answer; ``None`` if it was refused, or is to be asked again."""
        if self.node is None or self.caller is None:
            self.unanswered.append((event, payload))
            return None
        was_alive = not self.node.is_dead
        try:
            answer = await self.node.ask(event, self.caller, payload)
        except Killed:
            self.killed_in[event] += was_alive
            self.unanswered.append((event, payload))
            return None
        except HubError as error:
            self.refused(payload["callId"], error.code)
            return None
        self.answered(event, payload["callId"], answer)
        return answer
