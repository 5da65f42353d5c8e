"""The people whose presence is watched: devices that connect, are lost, and come back as those of people do."""

import asyncio
import itertools
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from hub.kernel.tasks import Tasks
from load_tests.bench.cluster.nodes import Node, Nodes
from load_tests.bench.errors import CannotMeasure
from load_tests.bench.presence.connection import CannotConnect, Claim, Connection
from load_tests.bench.presence.history import AnyRecord, Coming, Gone, Person, Said, Saying, There, Why

AT_ONCE = 48
"""Connections that are made at the same time, of those that nobody waits for: what a node takes in without a queue."""
FIRST_DELAY_S, LONGEST_DELAY_S, SPREAD = 1.0, 5.0, 0.5
"""Of socket.io-client: before the first attempt, the longest after failures, and the part by which it is randomised."""

Write = Callable[[AnyRecord], None]


@dataclass(frozen=True, slots=True)
class Scene:
    """What all devices share."""

    http: aiohttp.ClientSession
    tasks: Tasks
    nodes: Nodes
    write: Write
    draw: random.Random
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    """Of connections."""


class Device:
    """A device of a person, with at most one connection. It comes back by itself while it is ``wanted``."""

    def __init__(self, scene: Scene, person: Person, name: str, token: str, *, recovers: bool) -> None:
        self._scene = scene
        self.person = person
        self.name = name
        self._auth = {"token": token, "device": name}
        self._recovers = recovers
        """Whether it asks for its old connection, or begins anew as a reloaded page does."""
        self.wanted = False
        self.stays_away = False
        """Whether it does not come back when it is lost, as a device without network."""
        self.delay_s: float | None = None
        """Before it comes back for the first time; ``None``: as socket.io-client has it."""
        self._number = 0
        self._connection: Connection | None = None
        """While it is ready."""
        self._opening: Connection | None = None
        self._claim: Claim | None = None
        self._sent_away = False
        self._turn = asyncio.Lock()
        """Held while it connects: a slow attempt and the next would both stand, and one would never be closed."""
        self.node = ""

    @property
    def is_there(self) -> bool:
        """Whether its connection stands."""
        return self._connection is not None

    async def come(self, node: Node) -> bool:
        """Connect to a node, once, unless it has come meanwhile or is not wanted any more. Whether it could."""
        async with self._turn:
            if not self._wants_to_come():
                return True
            if not await self._connect(node):
                return False
        if not self.wanted:  # it left while it was coming
            await self.leave()
        return True

    async def _connect(self, node: Node) -> bool:
        scene = self._scene
        self._number, self._sent_away, self.node = next(scene.numbers), False, node.name
        connection = Connection(scene.http, scene.tasks, self)
        scene.write(Coming(now_ms(), self._number, self.person, self.name, node.name))
        self._opening = connection
        try:
            await connection.open(node.port, self._auth, self._claim if self._recovers else None)
        except CannotConnect:
            self._claim = None
            self._gone("refused")
            return False
        return True

    async def leave(self) -> None:
        """Close the connection, and do not come back."""
        self.wanted = False
        connection, self._connection = self._connection, None
        if connection is not None:
            self._claim = connection.claim
            self._gone("left")
            await connection.close()

    def stop(self) -> None:
        """Do not come back any more."""
        self.wanted = False

    async def say(self, status: str, text: str) -> None:
        """Send ``presence:update``. Raises CannotConnect."""
        if self._connection is None:
            raise CannotConnect("not connected")
        self._scene.write(Saying(now_ms(), self.person, self.name, status, text))
        await self._connection.call("presence:update", {"status": status, "text": text})
        self._scene.write(Said(now_ms(), self.person))

    def received(self, event: str, payload: Any) -> None:
        """See connection.Listener."""
        if event == "session:ready":  # not when `come` goes on: the connection may be lost by then
            self._connection = self._opening
            self._scene.write(There(now_ms(), self._number, self.person, payload["recovered"]))
        elif event == "hub:draining":
            self._sent_away = True

    def lost(self) -> None:
        """See connection.Listener."""
        if self._connection is not None:
            self._claim = self._connection.claim
            self._connection = None
        self._gone("sent away" if self._sent_away else "lost")
        if self.wanted and not self.stays_away:
            self._scene.tasks.start(self.come_back(), name="come back")

    async def come_back(self) -> None:
        """Try until it stands again, with the delays of socket.io-client, at any node that a balancer would try."""
        delay_s, first = FIRST_DELAY_S, self.delay_s
        while self._wants_to_come():
            draw = self._scene.draw
            await asyncio.sleep(draw.uniform(1 - SPREAD, 1 + SPREAD) * delay_s if first is None else first)
            delay_s, first = min(delay_s * 2, LONGEST_DELAY_S), None
            takers = self._scene.nodes.takers()
            if takers and self._wants_to_come():
                await self.come(draw.choice(takers))

    def _wants_to_come(self) -> bool:
        return self.wanted and not self.stays_away and self._connection is None

    def _gone(self, why: Why) -> None:
        self._scene.write(Gone(now_ms(), self._number, self.person, why))


async def come_all(devices: Sequence[Device], choose: Callable[[Device], Node]) -> None:
    """Have these devices connect. Raises CannotMeasure if one cannot."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def come(device: Device) -> None:
        device.wanted, device.stays_away = True, False
        async with turn:
            if not device.is_there and not await device.come(choose(device)):
                raise CannotMeasure(f"somebody could not connect to node {device.node}")

    await asyncio.gather(*map(come, devices))


async def leave_all(devices: Iterable[Device]) -> None:
    """Have these devices leave."""
    await asyncio.gather(*(device.leave() for device in devices))


def now_ms() -> float:
    """CLOCK_MONOTONIC, as the history has it."""
    return time.monotonic() * 1000
