"""What the faults of a schedule do to a running cluster. Each begins at once and is mended in the background."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from redis.asyncio import Redis
from redis.exceptions import RedisError

from hub.kernel.tasks import Tasks
from load_tests.bench.cluster.backends import Backends
from load_tests.bench.cluster.clients import Clients
from load_tests.bench.cluster.nodes import Node, Nodes
from load_tests.bench.cluster.proxy import Proxy
from load_tests.bench.cluster.schedule import Planned
from load_tests.bench.cluster.witness import Witness
from load_tests.bench.errors import CannotMeasure

ROOM_FOR_FAULTS_S = 20.0
"""Longest wait until a fault may be done: a node is broken only while another serves, and Redis only once at a time."""
BURST = {"count": 150, "bytes": 14_000}
"""Twice what the hub keeps for a slow reader, with what the kernel takes beside it."""
WRITTEN_S = 0.02
"""Until a command that was written is in Redis's socket."""
COMMANDS = frozenset({"exec", "fcall"})
"""Last commands of a link over which a node publishes, or asks where rooms stand."""


class Log(Protocol):
    """Where faults are written down."""

    def fault(self, planned: Planned, what: str, *, over: bool = False) -> None:
        """It has begun, or is over."""
        ...


class Faults:
    """Does them. ``in_vain`` counts those that found nothing to break."""

    def __init__(
        self, backends: Backends, nodes: Nodes, proxy: Proxy, clients: Clients, witness: Witness, log: Log
    ) -> None:
        self._backends = backends
        self._nodes = nodes
        self._proxy = proxy
        self._clients = clients
        self._witness = witness
        self._log = log
        self._mending = Tasks()
        self._redis_is_down = asyncio.Lock()
        self._under_way = 0
        self.done: dict[str, int] = {}
        self.in_vain: dict[str, int] = {}
        self._ways: Mapping[str, Callable[[Planned, random.Random], Awaitable[bool]]] = {
            "cut": self._cut,
            "cut all": self._cut_all,
            "black hole": self._black_hole,
            "stall": self._stall,
            "slow reader": self._slow_reader,
            "kill node": self._kill_node,
            "stop node": self._stop_node,
            "drain node": self._drain_node,
            "rolling restart": self._rolling_restart,
            "kill redis": self._kill_redis,
            "restart redis": self._restart_redis,
            "cut pub/sub": self._cut_pubsub,
            "cut commands": self._cut_commands,
        }

    async def do(self, planned: Planned) -> None:
        """Begin a fault. Its end comes by itself."""
        happened = await self._ways[planned.kind](planned, random.Random(planned.choice))
        tally = self.done if happened else self.in_vain
        tally[planned.kind] = tally.get(planned.kind, 0) + 1

    async def mended(self) -> None:
        """Wait until all are over."""
        while self._under_way:  # noqa: ASYNC110 nobody tells, and it takes seconds
            await asyncio.sleep(0.05)

    async def close(self) -> None:
        """Mend nothing more."""
        await self._mending.close()

    def _begin(self, planned: Planned, what: str, mend: Callable[[], Awaitable[object]] | None = None) -> bool:
        self._log.fault(planned, what)
        if mend is not None:
            self._under_way += 1
            self._mending.start(self._end(planned, what, mend), name=f"{planned.kind} {planned.number}")
        return True

    async def _end(self, planned: Planned, what: str, mend: Callable[[], Awaitable[object]]) -> None:
        try:
            await mend()
        finally:
            self._under_way -= 1
            self._log.fault(planned, what, over=True)

    # ---------------------------------------------------------------- links of clients

    async def _cut(self, planned: Planned, draw: random.Random) -> bool:
        links = self._proxy.some(planned.count, draw)
        for link in links:
            link.cut()
        return bool(links) and self._begin(planned, f"{len(links)} links")

    async def _cut_all(self, planned: Planned, draw: random.Random) -> bool:
        links = self._proxy.some(len(self._proxy.links), draw)
        for link in links:
            link.cut()
        return bool(links) and self._begin(planned, f"{len(links)} links")

    async def _black_hole(self, planned: Planned, draw: random.Random) -> bool:
        links = self._proxy.some(planned.count, draw)
        for link in links:
            link.black_hole()

        async def mend() -> None:
            await asyncio.sleep(planned.hold_s)
            for link in links:
                link.cut()

        return bool(links) and self._begin(planned, f"{len(links)} links", mend)

    async def _stall(self, planned: Planned, draw: random.Random) -> bool:
        links = self._proxy.some(planned.count, draw)
        for link in links:
            link.stall()

        async def mend() -> None:
            await asyncio.sleep(planned.hold_s)
            for link in links:
                link.mend()

        return bool(links) and self._begin(planned, f"{len(links)} links", mend)

    async def _slow_reader(self, planned: Planned, draw: random.Random) -> bool:
        links = self._proxy.some(planned.count + 3, draw)
        for link in links:
            link.stop_reading()

        async def mend() -> None:
            await self._clients.tell("burst", **BURST)
            await asyncio.sleep(planned.hold_s)
            for link in links:
                link.mend()

        return bool(links) and self._begin(planned, f"{len(links)} links", mend)

    # ---------------------------------------------------------------- nodes

    async def _kill_node(self, planned: Planned, draw: random.Random) -> bool:
        async def mend(node: Node) -> None:
            await asyncio.sleep(planned.hold_s)
            await node.start()

        return await self._break_node(planned, draw, Node.kill, mend)

    async def _stop_node(self, planned: Planned, draw: random.Random) -> bool:
        async def stop(node: Node) -> None:
            node.stop()

        async def mend(node: Node) -> None:
            await asyncio.sleep(planned.hold_s)
            node.go_on()
            await node.ready()

        return await self._break_node(planned, draw, stop, mend)

    async def _drain_node(self, planned: Planned, draw: random.Random) -> bool:
        async def nothing_yet(_node: Node) -> None:
            """It is told in the background, as it takes its time."""

        async def mend(node: Node) -> None:
            await node.drain()
            await asyncio.sleep(planned.hold_s)
            await node.start()

        return await self._break_node(planned, draw, nothing_yet, mend)

    async def _break_node(
        self,
        planned: Planned,
        draw: random.Random,
        strike: Callable[[Node], Awaitable[None]],
        mend: Callable[[Node], Awaitable[None]],
    ) -> bool:
        """Break one node, if another one serves meanwhile."""
        if not await self._in_time(lambda: self._idle(2)):
            return False
        node = draw.choice(self._idle(2))
        node.busy = True

        async def then() -> None:
            try:
                await mend(node)
            finally:
                node.busy = False

        await strike(node)
        return self._begin(planned, node.name, then)

    async def _rolling_restart(self, planned: Planned, _draw: random.Random) -> bool:
        everyone = len(self._nodes.all)
        if not await self._in_time(lambda: self._idle(everyone)):
            return False
        for node in self._nodes.all:
            node.busy = True

        async def mend() -> None:
            for node in self._nodes.all:
                self._log.fault(planned, node.name)
                try:
                    await node.drain()
                    await node.start()
                finally:
                    node.busy = False

        return self._begin(planned, "all nodes, one after the other", mend)

    def _idle(self, least: int) -> list[Node]:
        """Nodes that no fault has broken, if there are so many of them."""
        idle = [node for node in self._nodes.all if not node.busy]
        return idle if len(idle) >= least else []

    async def _in_time(self, condition: Callable[[], object]) -> bool:
        loop = asyncio.get_running_loop()
        end = loop.time() + ROOM_FOR_FAULTS_S
        while not condition():
            if loop.time() > end:
                return False
            await asyncio.sleep(0.05)
        return True

    # ---------------------------------------------------------------- Redis

    async def _kill_redis(self, planned: Planned, _draw: random.Random) -> bool:
        return await self._redis_away(planned, clean=False)

    async def _restart_redis(self, planned: Planned, _draw: random.Random) -> bool:
        return await self._redis_away(planned, clean=True)

    async def _redis_away(self, planned: Planned, *, clean: bool) -> bool:
        if not await self._in_time(lambda: not self._redis_is_down.locked()):
            return False
        await self._redis_is_down.acquire()
        with contextlib.suppress(RedisError, OSError):
            await self._witness.look()  # what it may lose now has been seen

        async def away() -> None:
            try:
                async with self._backends.redis_down(clean=clean):
                    await asyncio.sleep(planned.hold_s)
            finally:
                self._redis_is_down.release()

        return self._begin(planned, f"{planned.hold_s:.1f} s", away)

    async def _cut_pubsub(self, planned: Planned, draw: random.Random) -> bool:
        return await self._cut_redis(planned, draw, lambda one: int(one.get("ssub", 0)) > 0)

    async def _cut_commands(self, planned: Planned, draw: random.Random) -> bool:
        return await self._cut_redis(planned, draw, lambda one: one["cmd"].partition("|")[0] in COMMANDS)

    async def _cut_redis(
        self, planned: Planned, draw: random.Random, fits: Callable[[Mapping[str, str]], bool]
    ) -> bool:
        """CLIENT KILL some of the nodes' links, after Redis has stood still: commands have run, and have no answer.

        What came meanwhile is served first, and its answers go with the links before they are written.
        """
        if not await self._in_time(lambda: not self._redis_is_down.locked()):
            return False
        async with self._redis_is_down, Redis.from_url(self._backends.redis_url) as redis:
            try:
                found = [one for one in await redis.client_list() if fits(one)]
                chosen = draw.sample(found, min(planned.count, len(found)))
                kills = redis.pipeline(transaction=False)
                for one in chosen:
                    kills.execute_command("CLIENT", "KILL", "ID", one["id"])
                self._backends.pause_redis()
                await asyncio.sleep(planned.hold_s)
                await asyncio.gather(kills.execute(), self._go_on_soon())
            except (RedisError, OSError) as error:
                raise CannotMeasure(f"Redis does not let its links be cut: {error}") from None
            finally:
                self._backends.go_on_redis()
        return bool(chosen) and self._begin(planned, f"{len(chosen)} links")

    async def _go_on_soon(self) -> None:
        await asyncio.sleep(WRITTEN_S)
        self._backends.go_on_redis()
