"""Devices on real nodes: when their node is killed they come back to another, ask about their calls, and go on."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from hub.kernel.tasks import Tasks
from load_tests.bench.calls.handset import Handset
from load_tests.bench.cluster.nodes import Nodes
from load_tests.bench.errors import CannotMeasure
from load_tests.bench.presence.connection import CannotConnect, Claim, Connection, Refused

AGAIN_S = 0.1
"""Between two attempts."""
BACK_S = (0.1, 0.5)
"""Before a lost device tries to connect; half of what socket.io-client waits, so that it is back before relays tell."""
OFFLINE_S = (3.0, 6.0)
"""The same for one that has no network for a while: relays have told everything by then."""
OFFLINE = 0.2
"""Part of those that are lost."""
TRIES = 20
"""Of one event that is refused for the moment: a node that has just lost its Redis link, or is full."""


@dataclass
class Scene:
    """What all devices share."""

    http: aiohttp.ClientSession
    tasks: Tasks
    nodes: Nodes
    draw: random.Random
    resumed_s: list[float] = field(default_factory=list)
    """From the first attempt to connect to the answer about the last of its calls, of each device with a call."""


@dataclass(eq=False)
class Survivor(Handset):
    """One device. It is somewhere, or coming back, until it is closed."""

    scene: Scene = field(kw_only=True)
    token: str = field(kw_only=True)
    recovers: bool = field(kw_only=True)
    """Whether it asks for its old connection (Socket.IO 4.6), or begins anew as a reloaded page does."""
    unanswered: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    is_back: bool = False
    """Whether it is connected, and knows where its calls are."""
    _connection: Connection | None = None
    _claim: Claim | None = None
    _closed: bool = False
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while it comes: it may be lost in the middle of that."""

    async def come(self) -> None:
        """Connect to any node, ask what became of the calls, and repeat what had no answer."""
        async with self._turn:
            await self._come()

    async def _come(self) -> None:
        began = time.perf_counter()
        self._connection = connection = await self._connect()
        again, self.unanswered = self.unanswered, []
        accepting = {payload["callId"] for event, payload in again if event == "call:accept"}
        asked = [one for one, where in self.calls.items() if where != "over" or one in accepting]
        for call_id in asked:
            await self.ask("call:sync", {"callId": call_id, "sinceVersion": 0})
        if asked and self._connection is connection:
            self.scene.resumed_s.append(time.perf_counter() - began)
        for event, payload in again:
            if not self.is_done(event, payload["callId"]):
                await self.ask(event, payload)
        self.is_back = self._connection is connection
        self._settle_doubts()

    async def _connect(self) -> Connection:
        while True:
            connection = Connection(self.scene.http, self.scene.tasks, self)
            node = self.scene.draw.choice(self.scene.nodes.takers())
            try:
                await connection.open(node.port, {"token": self.token}, self._claim if self.recovers else None)
            except CannotConnect:
                self._claim = None
                await asyncio.sleep(AGAIN_S)
                continue
            return connection

    async def ask(self, event: str, payload: dict[str, Any]) -> Any:
        """Send an event, and act on the answer; ``None`` if it was refused, or is to be asked again."""
        for _ in range(TRIES):
            connection = self._connection
            try:
                if connection is None:
                    raise CannotConnect("not connected")
                answer = await connection.call(event, payload)
            except Refused as refusal:
                if not refusal.is_temporary:
                    self.refused(payload["callId"], refusal.code)
                    return None
                await asyncio.sleep(AGAIN_S)
            except CannotConnect:
                self.unanswered.append((event, payload))
                return None
            else:
                self.answered(event, payload["callId"], answer)
                self._settle_doubts()
                return answer
        raise CannotMeasure(f"{event} was refused {TRIES} times for the moment")

    async def close(self) -> None:
        """Go, and do not come back."""
        self._closed = True
        if self._connection is not None:
            await self._connection.close()

    def received(self, event: str, payload: Any) -> None:
        """See Listener."""
        if event.startswith("call:") and "version" in payload:
            self.heard(event, payload)
            self._settle_doubts()

    def lost(self) -> None:
        """See Listener."""
        if self._connection is not None:
            self._claim = self._connection.claim
        self._connection, self.is_back = None, False
        if not self._closed:
            self.scene.tasks.start(self._come_back(), name="device that comes back")

    async def _come_back(self) -> None:
        draw = self.scene.draw
        await asyncio.sleep(draw.uniform(*(OFFLINE_S if draw.random() < OFFLINE else BACK_S)))
        await self.come()

    def _settle_doubts(self) -> None:
        if self._connection is None:
            return
        for call_id in list(self.doubts):
            self.doubts.discard(call_id)
            asked = self.ask("call:sync", {"callId": call_id, "sinceVersion": 0})
            self.scene.tasks.start(asked, name="question about a call")


async def until(condition: Callable[[], bool], what: str, timeout_s: float = 10.0) -> None:
    """Return when it is so. Raises CannotMeasure."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            raise CannotMeasure(f"not so after {timeout_s:g} s: {what}")
        await asyncio.sleep(0.005)
