"""Random schedules: people call, answer and hang up on nodes that die at any step; in the end nothing is left."""

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, cast

from redis.asyncio import Redis

from hub.kernel.ids import UserId, new_ulid, new_uuid
from load_tests.bench.calls.checker import faults, late
from load_tests.bench.calls.devices import Device
from load_tests.bench.calls.handset import Seen
from load_tests.bench.calls.network import SETTINGS, Kept, Killed, Network, Node, SimulatedClock
from signaling.call.commands import Expire
from signaling.call.model import Call
from signaling.redis_commands import ClientCommands
from signaling.relay import OVERDUE_S
from signaling.store_redis import PARTS, RedisCallStore, pair_of

NODES = 3
STEPS = 40
LONGEST_LIFE = 60
"""Steps after which a node dies at the latest: a set-up takes some thirty."""
AFTERWARDS_S = SETTINGS.ring_s + 2 * SETTINGS.leg_lease_s + SETTINGS.alone_s
"""After which every deadline has passed, though a sweeper died over it."""
TALK = (
    *("signal", "signal", "signal", "media", "hold", "resume", "upgrade", "restart"),
    *("invite", "transfer", "take", "hangup"),
)
"""What somebody does who is in a call."""
SIGNALS = (
    {"type": "offer", "sdp": "v=0"},
    {"type": "answer", "sdp": "v=0"},
    {"type": "end-of-candidates"},
)


@dataclass
class Result:
    """What came of some schedules."""

    schedules: int = 0
    deaths: int = 0
    killed_in: Counter[str] = field(default_factory=Counter)
    """What those nodes were doing: an event, or looking after calls by themselves."""
    calls: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    """Reasons of the calls' ends."""
    faults: list[str] = field(default_factory=list)


class Schedule:
    """One schedule, on a Redis that others may use too."""

    def __init__(self, redis: Redis, seed: int) -> None:
        self._draw = random.Random(seed)
        self._redis = redis
        self._clock = SimulatedClock(1_800_000_000_000 + seed * 3_600_000)
        self._network, self._history = Network(), Kept()
        self._nodes = [self._node(number) for number in range(NODES)]
        self.killed_in: Counter[str] = Counter()
        self._late: list[str] = []
        self._seen: list[Seen] = []
        self._people = [UserId(new_uuid()) for _ in range(3)]
        self._devices = [
            Device(person, f"{person[:4]}-{number}", self._seen, self._clock, killed_in=self.killed_in)
            for person in self._people
            for number in range(2)
        ]
        self._placed: set[str] = set()

    async def run(self) -> tuple[list[str], list[Call | None]]:
        """Play it. What was wrong, and the calls."""
        for device in self._devices:
            await device.connect(self._draw.choice(self._nodes))
        for _ in range(STEPS):
            if self._draw.random() < 0.3:
                victim = self._draw.choice(self._nodes)
                victim.steps_to_live = self._draw.randrange(LONGEST_LIFE)
            await self._act(self._draw.choice(self._devices))
            await self._pass_time(self._draw.choice([0.0, 0.0, 0.1, 1.0, 8.0]))
        await self._come_to_rest()
        return await self._judge()

    async def _act(self, device: Device) -> None:
        draw = self._draw
        live = [call_id for call_id, where in device.calls.items() if where != "over"]
        if not live or draw.random() < 0.1:
            others = [person for person in self._people if person != device.user_id]
            to: Any = draw.choice([draw.choice(others), others])
            await self._place(device, to)
            return
        call_id = draw.choice(live)
        if device.calls[call_id] == "rings":
            event = draw.choice(["call:ringing", "call:accept", "call:accept", "call:reject", "call:ignore"])
            await device.ask(event, {"callId": call_id})
        else:
            await self._talk(device, call_id)

    async def _place(self, device: Device, to: Any) -> None:
        call_id = new_ulid()
        self._placed.add(call_id)
        device.calls[call_id] = "in"
        await device.ask("call:initiate", {"to": to, "type": "audio", "callId": call_id})

    async def _talk(self, device: Device, call_id: str) -> None:
        draw, ref = self._draw, {"callId": call_id}
        what = draw.choice(TALK)
        if what == "signal":
            seq = device.seqs.get(call_id, 0) + 1
            to = draw.choice([person for person in self._people if person != device.user_id])
            if await device.ask("call:signal", {**ref, "seq": seq, "legTo": to, "signal": draw.choice(SIGNALS)}):
                device.seqs[call_id] = seq
        elif what == "take":  # by another device of the same person
            other = draw.choice([one for one in self._devices if one.user_id == device.user_id and one is not device])
            await other.ask("call:transfer", ref)
        elif what in ("invite", "transfer"):
            to = draw.choice([person for person in self._people if person != device.user_id])
            await device.ask(f"call:{what}", {**ref, "to": to})
        else:
            await device.ask(f"call:{what}", {**ref, **({"audioMuted": True} if what == "media" else {})})

    async def _pass_time(self, seconds: float) -> None:
        self._clock.ms += round(seconds * 1000)
        sweeping = self._draw.choice(self._nodes)
        for number, node in enumerate(self._nodes):
            if seconds and not node.is_dead:
                try:
                    await node.renew()
                    if node is sweeping:
                        await node.sweep()
                except Killed:
                    self.killed_in["by itself"] += 1
            if node.is_dead:
                self._nodes[number] = self._node(number)
        for device in self._devices:
            lost = device.node is not None and device.node.is_dead
            if lost or self._draw.random() < 0.02:
                device.lose()
            if device.node is None and self._draw.random() < 0.5:
                await device.connect(self._draw.choice(self._nodes))
            await device.settle_doubts()

    async def _come_to_rest(self) -> None:
        """Nobody dies any more, everybody comes back and hangs up, and every deadline passes."""
        for node in self._nodes:
            node.steps_to_live = -1
        for device in self._devices:
            if device.node is None or device.node.is_dead:
                device.lose()
                await device.connect(next(node for node in self._nodes if not node.is_dead))
            for call_id, where in list(device.calls.items()):
                if where == "in":
                    await device.ask("call:hangup", {"callId": call_id})
        await self._look_at_what_devices_believe()
        for _ in range(AFTERWARDS_S // 5):
            self._clock.ms += 5_000
            alive = [node for node in self._nodes if not node.is_dead]
            for node in alive:
                await node.renew()
            await self._draw.choice(alive).sweep()

    async def _look_at_what_devices_believe(self) -> None:
        """When everything that was owed is told, and no deadline has helped."""
        alive = [node for node in self._nodes if not node.is_dead]
        for _ in range(2):
            self._clock.ms += round(OVERDUE_S * 1000)
            await self._draw.choice(alive).relay.relay()
            for device in self._devices:
                await device.settle_doubts()
        self._late = late(self._devices, await self._calls())

    async def _calls(self) -> dict[str, Call | None]:
        store = RedisCallStore(ClientCommands(self._redis), self._clock, SETTINGS)
        return {call_id: (await store.apply(call_id, Expire())).call for call_id in self._placed}

    async def _judge(self) -> tuple[list[str], list[Call | None]]:
        store = RedisCallStore(ClientCommands(self._redis), self._clock, SETTINGS)
        calls = await self._calls()
        logs = {}
        for call_id in self._placed:
            logs[call_id], _ = await store.log(call_id, UserId("nobody"), 0)
        due = {
            member.decode()
            for part in range(PARTS)
            for member in cast("list[bytes]", await self._redis.zrange(f"{{calls:{part}}}:due", 0, -1))
        }
        left_over = [f"deadline of {call_id}" for call_id in due & self._placed]
        owed = [one.owing for one in await store.overdue(0.0)]
        left_over += [f"debt {one.version} of {one.call_id}" for one in owed if one.call_id in self._placed]
        for one in self._people:
            for other in self._people:
                holder = cast("bytes | None", await self._redis.get(pair_of(one, other)))
                left_over += [f"pair {holder!r}"] if holder and one < other and holder.decode() in self._placed else []
        kept = {call_id: len(entries) for call_id, entries in self._history.past.items()}
        found = faults(self._seen, calls, logs, kept, left_over)
        return self._late + found, list(calls.values())

    def _node(self, number: int) -> Node:
        return Node(f"n{number}", self._network, self._redis, self._clock, self._history, self._draw)


async def play(redis: Redis, count: int, seed: int) -> Result:
    """Play so many schedules, from this seed on."""
    result = Result()
    for one in range(seed, seed + count):
        schedule = Schedule(redis, one)
        found, calls = await schedule.run()
        result.schedules += 1
        result.deaths += schedule.killed_in.total()
        result.killed_in += schedule.killed_in
        result.calls += len(calls)
        result.ends.update(call.reason for call in calls if call is not None)
        result.faults += [f"seed {one}: {fault}" for fault in found]
    return result
