"""The nodes of a cluster, each a process of ``sparkle-hub serve`` that can be killed, stopped, drained and started."""

import asyncio
import random
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from hub.embedded.spawn import Process, spawn
from hub.supervisor.node import answers_ready
from load_tests.bench.errors import CannotMeasure
from load_tests.bench.processes import free_port

START_S = 60.0
STARTS = 3
POLL_S = 0.05
DRAIN_S = 20.0
NOTICED_S = 2.0
"""A balancer that asks for health every second takes a node that does not answer out after so long."""


class Node:
    """One node and its successors, at the same address."""

    def __init__(
        self,
        name: str,
        port: int,
        own_port: int,
        environment: Mapping[str, str],
        folder: Path,
        program: str = "hub.cli",
    ) -> None:
        self.name = name
        self.port = port
        """For clients. A node that drains does not listen there any more."""
        self.own_port = own_port
        self._environment = environment
        self._program = program
        self._log = folder / f"{name}.log"
        self._process: Process | None = None
        self._stopped_at: float | None = None
        self.busy = False
        """Whether a fault of this node is under way."""

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether its process has."""
        return self._process is None or self._process.exit_code is not None

    @property
    def in_rotation(self) -> bool:
        """Whether a balancer sends somebody there."""
        return self._stopped_at is None or time.monotonic() - self._stopped_at < NOTICED_S

    def launch(self) -> None:
        """Start it; it is not ready yet."""
        command = [
            *(sys.executable, "-m", self._program, "serve", "--port", str(self.port)),
            *("--own-port", str(self.own_port)),
            *("--node-name", self.name, "--start-wait-s", "30"),
        ]
        with self._log.open("ab") as log:
            self._process = spawn(command, environment=self._environment, when_parent_dies=signal.SIGKILL, output=log)

    async def ready(self) -> None:
        """Wait until it says that it is. Raises CannotMeasure when it ends instead, or takes too long."""
        end = time.monotonic() + START_S
        while not await answers_ready(self.own_port):
            if self.has_ended or time.monotonic() > end:
                raise CannotMeasure(f"node {self.name} is not ready:\n{self.said()[-2000:]}")
            await asyncio.sleep(POLL_S)

    async def start(self) -> None:
        """Start it until it is ready, again if it ends while Redis is away, as a supervisor does."""
        tries = 0
        while True:
            tries += 1
            self.launch()
            try:
                await self.ready()
            except CannotMeasure:
                if tries == STARTS or not self.has_ended:
                    raise
            else:
                return

    async def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.send(signal.SIGKILL)
            await self._process.wait()

    async def drain(self) -> None:
        """SIGTERM, and wait for its orderly end."""
        if self._process is not None:
            await self._process.stop(signal.SIGTERM, DRAIN_S)

    def stop(self) -> None:
        """SIGSTOP: it holds its connections, and does nothing."""
        if self._process is not None:
            self._process.send(signal.SIGSTOP)
            self._stopped_at = time.monotonic()

    def go_on(self) -> None:
        """SIGCONT."""
        if self._process is not None:
            self._process.send(signal.SIGCONT)
            self._stopped_at = None

    def said(self) -> str:
        """What it has written, and its predecessors."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""


class Nodes:
    """All of them."""

    def __init__(self, count: int, environment: Mapping[str, str], folder: Path, program: str = "hub.cli") -> None:
        """``program`` is a module that takes the arguments of ``sparkle-hub``."""
        draw = random.Random()  # not of the seed: another run on this machine would want the same ports
        names = [f"n{number}" for number in range(1, count + 1)]
        self.all = [Node(name, free_port(draw), free_port(draw), environment, folder, program) for name in names]

    def ports(self) -> Sequence[int]:
        """Where a balancer would send somebody now."""
        return [node.port for node in self.all if node.in_rotation]

    def takers(self) -> Sequence[Node]:
        """The nodes to which a balancer would send somebody, and which are not being broken."""
        return [node for node in self.all if node.in_rotation and not node.busy]

    async def start(self) -> None:
        """Start all at once; return when all are ready."""
        for node in self.all:
            node.launch()
        await self.ready()

    async def ready(self) -> None:
        """Wait until all are."""
        await asyncio.gather(*(node.ready() for node in self.all))

    async def kill(self) -> None:
        """SIGKILL to all."""
        await asyncio.gather(*(node.kill() for node in self.all))

    async def end(self) -> None:
        """End all in good order."""
        for node in self.all:
            node.go_on()
        await asyncio.gather(*(node.drain() for node in self.all))
