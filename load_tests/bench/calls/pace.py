"""What it costs to set up a call, and how long an invitation takes to another node."""

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass

from hub.kernel.ids import new_ulid
from load_tests.bench.calls.phones import Phone
from load_tests.bench.processes import cpu_of

WARM_UP = 60
OFFER = {"type": "offer", "sdp": "v=0\r\n" + "a=candidate:1 1 udp 2122260223 192.0.2.1 49152 typ host\r\n" * 30}
ANSWER = OFFER | {"type": "answer"}
"""About 2 KB, as what a browser sends for audio."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What was seen."""

    set_ups: int
    node_cpu_us: float
    """Of all nodes, for one set-up."""
    incoming_ms: Sequence[float]
    """From sending ``call:initiate`` to hearing ``call:incoming``; sorted."""
    seconds: float


async def measure_pace(
    pairs: Sequence[tuple[Phone, Phone]], pids: Sequence[int], count: int, at_once: int, per_second: float = 0.0
) -> Pace:
    """Set up so many calls, ``at_once`` at the same time, from the invitation to the answer, and end them unmeasured.

    With ``per_second`` one begins at its time, whether or not the others are done.
    """
    await _set_up_all(pairs, WARM_UP, at_once)
    waited: list[float] = []
    spent, began = 0.0, time.perf_counter()
    numbers = itertools.count()
    while (done := len(waited)) < count:
        batch = pairs[: min(at_once, count - done)]
        ids = [new_ulid() for _ in batch]
        before = [cpu_of(pid).run_ns for pid in pids]
        calls = [_set_up(caller, callee, call_id) for (caller, callee), call_id in zip(batch, ids, strict=True)]
        waited += await asyncio.gather(*calls)
        spent += sum(cpu_of(pid).run_ns - earlier for pid, earlier in zip(pids, before, strict=True))
        for (caller, callee), call_id in zip(batch, ids, strict=True):
            await _end(caller, callee, call_id)
        if per_second:
            await asyncio.sleep(max(began + next(numbers) / per_second - time.perf_counter(), 0.0))
    return Pace(count, spent / count / 1000, sorted(waited), time.perf_counter() - began)


async def _set_up_all(pairs: Sequence[tuple[Phone, Phone]], count: int, at_once: int) -> None:
    for _ in range(0, count, at_once):
        ids = [new_ulid() for _ in pairs[:at_once]]
        for (caller, callee), call_id in zip(pairs, ids, strict=False):
            await _set_up(caller, callee, call_id)
            await _end(caller, callee, call_id)


async def _set_up(caller: Phone, callee: Phone, call_id: str) -> float:
    """Invite, ring, accept, offer, answer. The time in ms until it rang."""
    ref, sent = {"callId": call_id}, time.perf_counter()
    placing = asyncio.ensure_future(caller.ask("call:initiate", {"to": callee.user_id, "type": "audio", **ref}))  # noqa: TID251 awaited below
    incoming = await callee.hears("call:incoming", call_id)
    await placing
    await callee.ask("call:accept", ref)
    await caller.hears("call:accepted", call_id)
    await caller.ask("call:signal", {**ref, "seq": 1, "signal": OFFER})
    await callee.hears("call:signal", call_id)
    await callee.ask("call:signal", {**ref, "seq": 1, "signal": ANSWER})
    await caller.hears("call:signal", call_id)
    return (incoming - sent) * 1000


async def _end(caller: Phone, callee: Phone, call_id: str) -> None:
    await caller.ask("call:hangup", {"callId": call_id})
    await callee.hears("call:ended", call_id)
    caller.forget(call_id)
    callee.forget(call_id)
