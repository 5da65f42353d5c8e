"""Media processes, commanded by nodes: found, killed, replaced."""

import asyncio
import signal
from collections.abc import AsyncIterator

import aiohttp
import pytest
from redis.asyncio import Redis

from signaling.media.embedded import lease_redis
from signaling.media.embedded.engine import Embedded
from signaling.media.embedded.lease_redis import DEAD, SERVERS, MediaServers
from signaling.media.engine import BadSignal, EngineDown, Leg, Stream
from tests.support.media_caller import MediaCaller, only_loopback
from tests.support.media_process import MediaProcess, media_process
from tests.support.wait import until

ROOM = "01JMEDIAROOM00000000000000"


class Processes:
    """Media processes over one Redis, and the engine that a node has for them."""

    def __init__(self, redis: Redis, redis_url: str) -> None:
        self.servers = MediaServers(redis)
        self.engine = Embedded(self.servers)
        self.running: dict[str, MediaProcess] = {}
        """By the name of the lease."""
        self._redis_url = redis_url

    async def start(self) -> str:
        """One more; gives its name."""
        process = media_process(self._redis_url)

        async def new() -> list[str]:
            return [name for name in await self.servers.live() if name not in self.running]

        (name,) = await until(new, 30.0)
        self.running[name] = process
        return name

    async def close(self) -> None:
        await self.engine.aclose()
        for process in self.running.values():
            process.kill()


@pytest.fixture
async def processes(redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Processes]:
    only_loopback(monkeypatch)
    await redis.delete(SERVERS, lease_redis.ABOUT, DEAD)
    made = Processes(redis, redis_url)
    yield made
    await made.close()


async def test_the_room_of_a_killed_process_goes_on_in_another(processes: Processes) -> None:
    first, second = await processes.start(), await processes.start()
    engine = processes.engine

    async def caller(leg: str, *, sends: str = "", receives: str = "") -> MediaCaller:
        made = MediaCaller(lambda sdp: engine.offer(ROOM, Leg(leg, f"user-{leg}"), sdp))
        made.send(*[sends] * bool(sends))
        made.receive(*[receives] * bool(receives))
        await made.negotiate()
        return made

    callers = [await caller("a", sends="audio"), await caller("b", receives="audio")]
    await until(lambda: sum(callers[1].played("audio")) > 10)
    assert await engine.streams(ROOM) == [Stream("a/0", "user-a", "audio")]
    placed = await processes.servers.where(ROOM)
    where = {name: address for name, address in (await processes.servers.live()).items() if address == placed}
    (holder,) = where or {first}
    processes.running[holder].kill()

    dead = await until(processes.servers.take_dead)
    assert dead == [(holder, [ROOM])]
    callers += [await caller("a", sends="audio"), await caller("b", receives="audio")]
    await until(lambda: sum(callers[3].played("audio")) > 10)
    await processes.servers.buried(holder)
    assert set(await processes.servers.live()) == {first, second} - {holder}
    for one in callers:
        await one.close()


async def test_what_a_process_refuses_is_told_apart(processes: Processes) -> None:
    name = await processes.start()
    engine, leg = processes.engine, Leg("a", "alice")
    with pytest.raises(BadSignal, match="no media section"):
        await engine.offer(ROOM, leg, "nonsense")
    assert await engine.streams(ROOM) == []
    assert await engine.quality(ROOM, leg) is None
    await engine.remove(ROOM, leg)
    await engine.mute(ROOM, "alice", "audio", True)
    await engine.close(ROOM)
    address = (await processes.servers.live())[name]
    async with aiohttp.ClientSession() as http:
        for key in ("", "Bearer wrong", "Bearer é"):
            async with http.get(f"{address.url}/rooms/{ROOM}", headers={"Authorization": key}) as response:
                assert response.status == 401
        async with http.get(f"{address.url}/health/ready") as response:
            assert response.status == 200
        right = {"Authorization": f"Bearer {address.key}"}
        for body in (b"", b"{", b'{"userId": 1, "sdp": ""}', b'{"userId": "a", "sdp": "", "more": 1}'):
            async with http.post(f"{address.url}/rooms/x/legs/y", data=body, headers=right) as response:
                assert response.status == 422
        async with http.post(f"{address.url}/rooms/x/legs/y", data=b"x" * 300_000, headers=right) as response:
            assert response.status == 413


async def test_a_process_that_ends_in_order_is_dead_at_once(processes: Processes) -> None:
    name = await processes.start()
    await processes.engine.ensure_room(ROOM)
    code = await asyncio.to_thread(processes.running[name].stop)
    assert code == 0
    assert await processes.servers.take_dead() == [(name, [ROOM])]


async def test_without_a_process_the_engine_is_down(processes: Processes) -> None:
    assert not await processes.engine.available()
    with pytest.raises(EngineDown):
        await processes.engine.ensure_room(ROOM)
    with pytest.raises(EngineDown):
        await processes.engine.offer(ROOM, Leg("a", "alice"), "v=0")
    await processes.engine.remove(ROOM, Leg("a", "alice"))


async def test_a_process_that_hangs_is_an_engine_that_is_down(processes: Processes) -> None:
    name = await processes.start()
    await processes.engine.ensure_room(ROOM)
    address = (await processes.servers.live())[name]
    processes.running[name].popen.send_signal(signal.SIGSTOP)
    with pytest.raises(EngineDown):
        await processes.engine._ask(address, "GET", f"/rooms/{ROOM}", None, None)


async def test_a_process_that_was_paused_until_others_took_its_rooms_comes_back_as_another(
    processes: Processes,
) -> None:
    """Longer than a second: the lease of the process is the real one."""
    name = await processes.start()
    await processes.engine.ensure_room(ROOM)
    popen = processes.running[name].popen
    popen.send_signal(signal.SIGSTOP)
    assert await until(processes.servers.take_dead) == [(name, [ROOM])]
    popen.send_signal(signal.SIGCONT)

    async def another() -> bool:
        return bool(set(await processes.servers.live()) - {name})

    await until(another)
    assert name not in await processes.servers.live()
