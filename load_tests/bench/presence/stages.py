"""What is done to a company: each stage breaks one thing, waits for what is owed, and brings everybody back."""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Sequence

from redis.asyncio import Redis

from load_tests.bench.presence.company import CALM_S, Company
from load_tests.bench.presence.people import Device, come_all, leave_all, now_ms
from load_tests.bench.presence.stays import REDIS_EMPTIED

CALM_AFTER_REDIS_S = 23.0
BEGIN_S = 2.0
"""After somebody came: longer than it takes until all see them."""
MOVERS = 0.05
"""Part of the people who come back at once when their node is killed, to other nodes, before its lease can run out."""
MOVED_WITHIN_S = 2.0
STOPPED_S = 12.0
"""Longer than the lease and the sweep that buries: everybody is gone before the node goes on."""
COME_BACK = 0.1
"""Part of the people who come back by themselves when a node that stood still cuts them."""
MOVING_AT_ONCE = 100
"""So few that all are back within the hold."""
AWAY_S = 1.5
"""Redis."""
FLAPPERS, FLAPS, FLAPPING_S = 100, 10, 5.0

Stage = Callable[[Company, int], Awaitable[None]]
"""With so many people for what moves them all at once: the cluster has to take them in within the hold."""


async def kill(company: Company, _few: int) -> None:
    """SIGKILL of a node with everybody on it. A few come back at once, elsewhere; the others after they are gone."""
    await company.gather()
    everybody = await _begin(company)
    movers = _some(company, company.firsts, MOVERS)
    for device in company.firsts:
        device.stays_away = device not in movers
        device.delay_s = company.scene.draw.uniform(0.0, MOVED_WITHIN_S)
    node = company.home
    node.busy = True
    company.fault("kill node", node.name)
    await node.kill()
    await company.settle(CALM_S)
    await node.start()
    company.fault("kill node", node.name, over=True)
    node.busy = False
    await _back_home(company, everybody)


async def stop(company: Company, _few: int) -> None:
    """SIGSTOP of the same, for longer than its lease. When it goes on, it cuts everybody."""
    await company.gather()
    everybody = await _begin(company)
    returning = _some(company, company.firsts, COME_BACK)
    for device in company.firsts:
        device.stays_away = device not in returning
    node = company.home
    company.fault("stop node", node.name)
    node.stop()
    await asyncio.sleep(STOPPED_S)
    node.go_on()
    company.fault("stop node", node.name, over=True)
    await company.settle(CALM_S)
    await _back_home(company, everybody)


async def leave(company: Company, few: int) -> None:
    """People who close their clients, all at once, and come back later; one in ten comes back within the hold."""
    await company.gather(few)
    everybody = await _begin(company)
    soon = _some(company, everybody, 0.1)

    async def go(device: Device) -> None:
        await device.leave()
        if device in soon:
            await asyncio.sleep(company.scene.draw.uniform(0.0, 3.0))
            await come_all([device], company.place)

    await asyncio.gather(*map(go, everybody))
    await company.settle(CALM_S)
    await _back_home(company, everybody)


async def drain(company: Company, few: int) -> None:
    """All nodes restarted in turn: everybody moves, and nobody may be shown as gone."""
    await company.gather(few)
    await _begin(company)
    for node in company.nodes.all:
        node.busy = True
        company.fault("drain node", node.name)
        await node.drain()
        await node.start()
        company.fault("drain node", node.name, over=True)
        node.busy = False
        await company.settle(1.0)
    await company.settle(CALM_S)


async def restart_redis(company: Company, few: int) -> None:
    """Redis ends in good order and comes back with all it knew. People leave meanwhile."""
    await _redis(company, few, "redis restarted", clean=True, empty=False)


async def kill_redis(company: Company, few: int) -> None:
    """Redis is killed, and may come back without its last second."""
    await _redis(company, few, "redis killed", clean=False, empty=False)


async def empty_redis(company: Company, few: int) -> None:
    """Redis comes back and knows nothing any more."""
    await _redis(company, few, REDIS_EMPTIED, clean=True, empty=True)


async def flap(company: Company, _few: int) -> None:
    """Some people who lose their connection again and again, and are back each time at once."""
    await company.gather(FLAPPERS)
    await company.settle(CALM_S)
    company.fault("flapping", f"{FLAPPERS} people")
    await asyncio.gather(*(_flap(company, device) for device in company.firsts[:FLAPPERS]))
    company.fault("flapping", f"{FLAPPERS} people", over=True)
    await company.settle(CALM_S)


STAGES: dict[str, Stage] = {
    "kill": kill,
    "stop": stop,
    "leave": leave,
    "drain": drain,
    "restart redis": restart_redis,
    "kill redis": kill_redis,
    "empty redis": empty_redis,
    "flap": flap,
}


async def _redis(company: Company, few: int, kind: str, *, clean: bool, empty: bool) -> None:
    await company.gather(few)
    everybody = await _begin(company)
    leaving = _some(company, everybody, 0.1)
    company.fault(kind, f"{AWAY_S} s")
    if empty:
        async with Redis.from_url(company.backends.redis_url) as redis:
            await redis.flushall()  # before it ends, so that what is on its disk is nothing
    async with company.backends.redis_down(clean=clean):
        await asyncio.sleep(AWAY_S / 2)
        await asyncio.gather(*(device.leave() for device in leaving))
        await asyncio.sleep(AWAY_S / 2)
    company.fault(kind, f"{AWAY_S} s", over=True)
    await company.settle(CALM_AFTER_REDIS_S)
    await _back_home(company, everybody)


async def _flap(company: Company, device: Device) -> None:
    for turn in range(FLAPS):
        began = now_ms()
        await device.leave()
        await asyncio.sleep(company.scene.draw.uniform(0.0, 0.2))
        await come_all([device], lambda _: company.scene.draw.choice(company.nodes.takers()))
        if turn < FLAPS - 1:
            await asyncio.sleep(max(FLAPPING_S / FLAPS - (now_ms() - began) / 1000, 0.0))


async def _begin(company: Company) -> Sequence[Device]:
    """Wait until all are seen. Those who are there."""
    await company.settle(BEGIN_S)
    gc.freeze()  # a look through ten thousand connections takes a second, in which nothing is read that was shown
    return [device for device in company.devices if device.is_there]


async def _back_home(company: Company, everybody: Sequence[Device]) -> None:
    """Whoever is away comes back, whoever is elsewhere moves to where they began, and all are seen."""
    elsewhere = [one for one in everybody if one.is_there and one.node != company.place(one).name]
    for device in everybody:
        device.delay_s = None
    for start in range(0, len(elsewhere), MOVING_AT_ONCE):
        moving = elsewhere[start : start + MOVING_AT_ONCE]
        await leave_all(moving)
        await come_all(moving, company.place)
    await come_all([device for device in everybody if not device.is_there], company.place)
    await company.settle(BEGIN_S)


def _some(company: Company, devices: Sequence[Device], part: float) -> set[Device]:
    return set(company.scene.draw.sample(list(devices), round(len(devices) * part)))
