"""Eight devices accept a call while its caller takes it back."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from hub.kernel.ids import new_ulid
from load_tests.bench.calls.phones import Phone

DEVICES = 8


@dataclass
class Races:
    """What came of them."""

    count: int = 0
    ways: Counter[str] = field(default_factory=Counter)
    """How they went."""
    wrong: list[str] = field(default_factory=list)


async def run_races(caller: Phone, devices: Sequence[Phone], count: int, seed: int) -> Races:
    """Run so many, one after the other, the moves of each in random order and at once."""
    draw, races = random.Random(seed), Races()
    for _ in range(count):
        await _race(caller, devices, draw, races)
    return races


async def _race(caller: Phone, devices: Sequence[Phone], draw: random.Random, races: Races) -> None:
    call_id = new_ulid()
    ref = {"callId": call_id}
    await caller.ask("call:initiate", {"to": devices[0].user_id, "type": "audio", **ref})
    await asyncio.gather(*(device.hears("call:incoming", call_id) for device in devices))
    moves = [*(device.try_to("call:accept", ref) for device in devices), caller.try_to("call:hangup", ref)]
    order = list(range(len(moves)))
    draw.shuffle(order)
    answers = dict(zip(order, await asyncio.gather(*(moves[place] for place in order)), strict=True))
    accepted = [device for place, device in enumerate(devices) if answers[place] is not None]
    races.count += 1
    if answers[len(devices)] is None:
        races.wrong.append(f"{call_id}: the caller could not take it back")
    for device in devices:  # whoever rang is told that it is over: by an event, or by the answer
        if "call_ended" not in device.refusals.get(call_id, ""):
            await device.hears("call:ended" if device in accepted else "call:cancelled", call_id)
    snapshot = await caller.ask("call:sync", {**ref, "sinceVersion": 0})
    races.ways["answered" if accepted else "taken back"] += 1
    if len(accepted) > 1 or snapshot["state"] != "ended":
        races.wrong.append(f"{call_id}: accepted by {len(accepted)}, and is {snapshot['state']}")
    if len(caller.heard("call:accepted", call_id)) > 1:
        races.wrong.append(f"{call_id}: the caller heard of more than one acceptance")
    for device in devices:
        ends = [*device.heard("call:ended", call_id), *device.heard("call:cancelled", call_id)]
        if len({end["version"] for end in ends}) != len(ends):
            races.wrong.append(f"{call_id}: an end was told twice")
    for phone in (caller, *devices):
        phone.forget(call_id)
