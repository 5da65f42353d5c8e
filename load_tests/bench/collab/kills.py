"""Killing whatever keeps documents, by a seed: SIGKILL to nodes, PostgreSQL, Valkey, compactors and clients.

A client that lives gives the hub back whatever it has lost, as Yjs clients do. So what an acknowledgement is worth
shows only where everybody who has the text dies with those who said that they had stored it.
"""

import asyncio
import contextlib
import os
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from hub.embedded.errors import EmbeddedError
from load_tests.bench.cluster.backends import Backends
from load_tests.bench.cluster.nodes import Node, Nodes
from load_tests.bench.collab.typists import Typists

WEIGHTS = {
    "a node": 5,
    "every node": 2,
    "clients": 2,
    "nodes and clients": 4,
    "PostgreSQL": 2,
    "PostgreSQL, nodes and clients": 2,
    "Valkey": 2,
    "compactors": 4,
}
PAUSE_S = (0.5, 5.0)
"""Between two: some come while what was killed before is on its way back."""
STARTS = 20
"""Of PostgreSQL: children of one that was killed hold its memory for a moment."""


class Kills:
    """Kills, starts again, and counts."""

    def __init__(
        self,
        backends: Backends,
        nodes: Nodes,
        typists: Sequence[Typists],
        start_typists: Callable[[Typists], Awaitable[None]],
        seed: int,
        tell: Callable[[str], None],
    ) -> None:
        self.done: Counter[str] = Counter()
        """Processes that were killed, by what they were."""
        self._backends = backends
        self._nodes = nodes
        self._typists = typists
        self._start_typists = start_typists
        self._draw = random.Random(seed)
        self._tell = tell
        self._starting: dict[Node, asyncio.Task[None]] = {}

    async def until(self, kills: int) -> None:
        """Go on until so many processes were killed, and all that should run does again."""
        while self.done.total() < kills:
            await asyncio.sleep(self._draw.uniform(*PAUSE_S))
            (what,) = self._draw.choices(list(WEIGHTS), list(WEIGHTS.values()))
            before = self.done.total()
            await self._strike(what)
            self._tell(f"{self.done.total()} of {kills}: {what}, {self.done.total() - before} processes")
        await asyncio.gather(*self._starting.values())
        await self._nodes.ready()

    async def _strike(self, what: str) -> None:
        if what == "compactors":
            self._kill_compactors()
            return
        if "PostgreSQL" in what:
            self._backends.postgres.kill()
            self.done["PostgreSQL"] += 1
        if what == "Valkey":
            self.done["Valkey"] += 1
            async with self._backends.redis_down(clean=False):
                await asyncio.sleep(self._draw.uniform(0.0, 1.0))
        if "node" in what:
            await self._kill_nodes([self._draw.choice(self._nodes.all)] if what == "a node" else self._nodes.all)
        if "clients" in what:
            some = self._typists if "nodes" in what else [self._draw.choice(self._typists)]
            await asyncio.gather(*(typists.kill() for typists in some))
            self.done["client processes"] += len(some)
            for typists in some:
                await self._start_typists(typists)
        if "PostgreSQL" in what:
            await self._start_postgres()

    async def _kill_nodes(self, nodes: Sequence[Node]) -> None:
        self._kill_compactors(of=nodes)  # before their parents, who alone know of them
        for node in nodes:
            if not node.has_ended:
                self.done["nodes"] += 1
            if (starting := self._starting.pop(node, None)) is not None:
                starting.cancel()
                await asyncio.wait([starting])
            await node.kill()
        for node in nodes:
            self._starting[node] = asyncio.get_running_loop().create_task(node.start())

    def _kill_compactors(self, of: Sequence[Node] | None = None) -> None:
        for node in self._nodes.all if of is None else of:
            for pid in compactors_of(node):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    self.done["compactors"] += 1

    async def _start_postgres(self) -> None:
        for left in reversed(range(STARTS)):
            await self._backends.postgres.stop()
            try:
                await self._backends.postgres.start()
            except EmbeddedError:
                if not left:
                    raise
                await asyncio.sleep(0.2)
            else:
                return


def compactors_of(node: Node) -> list[int]:
    """The processes that compact for a node, if it runs."""
    if node.has_ended:
        return []
    found = []
    for task in Path(f"/proc/{node.pid}/task").iterdir():
        with contextlib.suppress(OSError):
            for child in (task / "children").read_text().split():
                if b"collab.compactor" in Path(f"/proc/{child}/cmdline").read_bytes():
                    found.append(int(child))
    return found
