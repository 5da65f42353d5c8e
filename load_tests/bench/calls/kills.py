"""Calls over real nodes that get SIGKILL: each schedule is one call, in its own state when its node dies."""

import asyncio
import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import aiohttp
import asyncpg
from redis.asyncio import Redis

from hub.kernel.clock import SystemClock
from hub.kernel.ids import UserId
from hub.kernel.tasks import Tasks
from load_tests.bench.calls.checker import faults, late
from load_tests.bench.calls.handset import Seen
from load_tests.bench.calls.states import STATES, Company
from load_tests.bench.calls.survivors import Scene, Survivor, until
from load_tests.bench.cluster.backends import Backends
from load_tests.bench.cluster.nodes import Node, Nodes
from load_tests.bench.errors import CannotMeasure
from signaling.call.commands import Expire
from signaling.call.model import Call
from signaling.redis_commands import ClientCommands
from signaling.relay import EVERY_S, OVERDUE_S
from signaling.settings import CallSettings
from signaling.store_redis import PARTS, RedisCallStore

NODES = 3
COMPANIES = 2 * len(STATES)
"""Calls that a kill meets, two in each state."""
PEOPLE = 3 * COMPANIES
SETTINGS = CallSettings(leg_lease_s=12, leg_renew_every_s=4.0)
"""Shorter than by default, so that what a lease has to end is soon over. Longer than anybody is offline."""
ENVIRONMENT = {"SPARKLE_CALLS_LEG_LEASE_S": "12", "SPARKLE_CALLS_LEG_RENEW_EVERY_S": "4"}
AROUND_S = 0.04
"""Within which the kill and what people do come in any order: what a set-up takes."""
TOLD_S = OVERDUE_S + 2 * EVERY_S + 2.0
"""After which everybody knows, on a busy machine."""
SETTLED_S = SETTINGS.leg_lease_s + 10.0
"""After which deadlines have cleared up behind the last node that died."""


@dataclass
class Kills:
    """What came of some schedules."""

    schedules: int = 0
    kills: int = 0
    states: Counter[str] = field(default_factory=Counter)
    """Of the calls that the kills met."""
    offline: int = 0
    """Devices that lost their connection."""
    ends: Counter[str] = field(default_factory=Counter)
    resumed_s: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


async def run_kills(backends: Backends, nodes: Nodes, count: int, seed: int) -> Kills:
    """Play so many schedules, some for each kill, on nodes that are running. Raises CannotMeasure."""
    draw, result, tasks = random.Random(seed), Kills(), Tasks()
    connector = aiohttp.TCPConnector(limit=0)  # else 100, and the others wait for ever
    async with aiohttp.ClientSession(connector=connector) as http, Redis.from_url(backends.redis_url) as redis:
        run = _Run(backends, nodes, Scene(http, tasks, nodes, draw, result.resumed_s), redis, result)
        try:
            await run.open()
            for first in range(0, count, COMPANIES):
                await run.kill_once(min(COMPANIES, count - first))
            await run.come_to_rest()
        finally:
            await run.close()
            await tasks.close()
    return result


class _Run:
    def __init__(self, backends: Backends, nodes: Nodes, scene: Scene, redis: Redis, result: Kills) -> None:
        self._backends = backends
        self._nodes = nodes
        self._scene = scene
        self._redis = redis
        self._result = result
        self._store = RedisCallStore(ClientCommands(redis), SystemClock(), SETTINGS)
        self._seen: list[Seen] = []
        self._placed: list[str] = []
        devices: defaultdict[UserId, list[Survivor]] = defaultdict(list)
        for (user, session, token), recovers in zip(backends.crowd.sessions(), itertools.cycle([True, False, False])):
            device = Survivor(user, session, self._seen, SystemClock(), scene=scene, token=token, recovers=recovers)
            devices[user].append(device)
        self._people: Sequence[Sequence[Survivor]] = list(devices.values())

    async def open(self) -> None:
        """Connect everybody."""
        await asyncio.gather(*(device.come() for device in self._devices()))

    async def kill_once(self, count: int) -> None:
        """Bring calls into their states, kill a node, and see how they go on and end."""
        draw, result = self._scene.draw, self._result
        people = [draw.sample(self._people[place : place + 3], 3) for place in range(0, 3 * count, 3)]
        states = list(itertools.islice(itertools.cycle(STATES), count))
        companies = [Company(three, draw) for three in people]
        self._placed += [company.call_id for company in companies]
        await asyncio.gather(*(STATES[state][0](one) for state, one in zip(states, companies, strict=True)))
        victim = draw.choice(self._nodes.all)
        acting = [self._act(one, state) for state, one in zip(states, companies, strict=True)]
        restarted, _ = await asyncio.gather(self._kill(victim), asyncio.gather(*acting))
        result.kills += 1
        result.schedules += count
        result.states.update(states)
        result.offline += sum(not device.is_back for device in self._devices())
        await self._go_on(companies)
        await restarted

    async def _act(self, company: Company, state: str) -> None:
        await asyncio.sleep(self._scene.draw.uniform(0.0, AROUND_S))
        await STATES[state][1](company)

    async def _kill(self, victim: Node) -> asyncio.Future[None]:
        await asyncio.sleep(self._scene.draw.uniform(0.0, AROUND_S))
        victim.busy = True
        await victim.kill()
        restarted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._scene.tasks.start(_start(victim, restarted), name="node that is started again")
        return restarted

    async def _go_on(self, companies: Sequence[Company]) -> None:
        """Some end while others are offline; then all are back, and know; then all end."""
        draw = self._scene.draw
        await asyncio.sleep(draw.uniform(0.5, 2.0))
        await asyncio.gather(*(one.hang_up(1) for one in companies if draw.random() < 0.4))
        await until(lambda: all(device.is_back for device in self._devices()), "everybody is back", 30.0)
        await self._all_know()
        await asyncio.gather(*(one.hang_up() for one in companies))
        await self._all_know()

    async def _all_know(self) -> None:
        """Wait until what devices believe is so. Notes what is not by the time at which it must be."""
        loop = asyncio.get_running_loop()
        end = loop.time() + TOLD_S
        while wrong := late(self._devices(), await self._calls(self._placed[-COMPANIES:])):
            if loop.time() > end:
                self._result.faults += wrong
                return
            await asyncio.sleep(0.1)

    async def come_to_rest(self) -> None:
        """Wait for deadlines, and judge everything."""
        loop = asyncio.get_running_loop()
        end = loop.time() + SETTLED_S
        while left_over := await self._left_over():
            if loop.time() > end:
                break
            await asyncio.sleep(0.2)
        calls = await self._calls(self._placed)
        logs = {call_id: (await self._store.log(call_id, UserId("nobody"), 0))[0] for call_id in self._placed}
        self._result.faults += faults(self._seen, calls, logs, await self._kept(), left_over)
        self._result.ends.update(call.reason for call in calls.values() if call is not None)

    async def _calls(self, call_ids: Sequence[str]) -> dict[str, Call | None]:
        return {call_id: (await self._store.apply(call_id, Expire())).call for call_id in call_ids}

    async def _left_over(self) -> list[str]:
        placed = set(self._placed)
        due = [
            name.decode()
            for part in range(PARTS)
            for name in cast("list[bytes]", await self._redis.zrange(f"{{calls:{part}}}:due", 0, -1))
        ]
        owed = [one.owing for one in await self._store.overdue(0.0)]
        return [
            *(f"deadline of {call_id}" for call_id in set(due) & placed),
            *(f"debt {one.version} of {one.call_id}" for one in owed if one.call_id in placed),
            *[f"pair {key.decode()}" async for key in self._redis.scan_iter(match="{pair:*", count=1000)],
        ]

    async def _kept(self) -> dict[str, int]:
        connection = await asyncpg.connect(self._backends.database_url)
        try:
            rows = await connection.fetch(
                "SELECT call_id, count(*) AS times FROM call_record WHERE call_id = ANY($1) GROUP BY call_id",
                self._placed,
            )
        finally:
            await connection.close()
        return {row["call_id"]: row["times"] for row in rows}

    def _devices(self) -> list[Survivor]:
        return [device for devices in self._people for device in devices]

    async def close(self) -> None:
        for device in self._devices():
            await device.close()


async def _start(node: Node, started: asyncio.Future[None]) -> None:
    try:
        await node.start()
    except CannotMeasure as error:
        started.set_exception(error)
        return
    node.busy = False
    started.set_result(None)
