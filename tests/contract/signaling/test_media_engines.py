"""What every media engine does: the hub's own and Debian's Janus as they are, LiveKit as a fake, and no engine."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from redis.asyncio import Redis

from hub.kernel.clock import SystemClock
from hub.kernel.ids import new_ulid
from signaling.media.embedded import lease_redis
from signaling.media.embedded.engine import Embedded
from signaling.media.embedded.http import application
from signaling.media.embedded.lease_redis import Lease, MediaServers
from signaling.media.embedded.server import MediaServer
from signaling.media.engine import EngineDown, Leg, MediaEngine, Way
from signaling.media.janus import Janus
from signaling.media.livekit import LiveKit
from signaling.media.mesh import Mesh
from tests.support.clock import FrozenClock
from tests.support.janus import TOKEN_SECRET, running_janus
from tests.support.livekit import API_KEY, API_SECRET, running_livekit
from tests.support.media_caller import MediaCaller
from tests.support.wait import until

Come = Callable[[str, Leg, Way], Awaitable[None]]
NOWHERE = "http://127.0.0.1:1"


@dataclass
class Case:
    """An engine, and how somebody comes into a room of it with sound."""

    engine: MediaEngine
    come: Come


@contextlib.asynccontextmanager
async def embedded(redis: Redis, folder: Path) -> AsyncIterator[Case]:
    del folder
    await redis.delete(lease_redis.SERVERS, lease_redis.ABOUT, lease_redis.DEAD)
    server = MediaServer(video_bits_per_s=1, changed=lambda room, streams, recorded: None, left=lambda room, leg: None)
    server.open(["127.0.0.1"], 0)
    runner = aiohttp.web.AppRunner(application(server, lambda: lease.key))
    await runner.setup()
    await aiohttp.web.TCPSite(runner, "127.0.0.1", 0).start()
    lease = Lease(redis, "http://127.0.0.1:{}".format(*runner.addresses[0][1:2]))
    await redis.zadd(lease_redis.SERVERS, {lease.name: 1e15})
    await lease.beat(0)
    await redis.zadd(lease_redis.SERVERS, {lease.name: 1e15})
    engine, callers = Embedded(MediaServers(redis)), []

    async def come(room: str, leg: Leg, way: Way) -> None:
        caller = MediaCaller(lambda sdp: engine.offer(room, leg, sdp))
        caller.send("audio")
        callers.append(caller)
        await caller.negotiate()

    yield Case(engine, come)
    for caller in callers:
        await caller.close()
    await engine.aclose()
    await server.close()
    await runner.cleanup()
    await redis.delete(lease_redis.SERVERS, lease_redis.ABOUT)


@contextlib.asynccontextmanager
async def janus(redis: Redis, folder: Path) -> AsyncIterator[Case]:
    del redis
    with running_janus(folder) as process:
        url = process.url
        async with aiohttp.ClientSession() as http:
            connections = []

            async def come(room: str, leg: Leg, way: Way) -> None:
                """As janus.js does it, with the client's token alone."""

                for_requests, for_the_room = way.token.split()

                async def post(address: str, **message: object) -> dict[str, Any]:
                    said = {**message, "transaction": "t", "token": for_requests}
                    async with http.post(address, json=said) as response:
                        answered: dict[str, Any] = await response.json()
                    assert answered["janus"] in ("success", "ack"), answered
                    return answered

                session = f"{way.url}/{(await post(way.url, janus='create'))['data']['id']}"
                made = await post(session, janus="attach", plugin="janus.plugin.videoroom")
                connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
                connections.append(connection)
                connection.addTransceiver("audio", direction="sendonly")
                await connection.setLocalDescription(await connection.createOffer())
                body = {
                    "request": "joinandconfigure",
                    "ptype": "publisher",
                    "room": room,
                    "id": leg.user_id,
                    "token": for_the_room,
                }
                offer = {"type": "offer", "sdp": connection.localDescription.sdp}
                await post(f"{session}/{made['data']['id']}", janus="message", body=body, jsep=offer)
                async with http.get(session, params={"token": for_requests}) as response:
                    event = await response.json()
                if "error" in event["plugindata"]["data"]:
                    raise PermissionError(event["plugindata"]["data"]["error"])
                await connection.setRemoteDescription(RTCSessionDescription(event["jsep"]["sdp"], "answer"))

            engine = Janus(
                url=url, client_url=url, token_secret=TOKEN_SECRET, clock=SystemClock(), video_bits_per_s=1_000_000
            )
            yield Case(engine, come)
            for connection in connections:
                await connection.close()
            await engine.aclose()


@contextlib.asynccontextmanager
async def livekit(redis: Redis, folder: Path) -> AsyncIterator[Case]:
    del redis, folder
    async with running_livekit() as fake:
        engine = LiveKit(
            url=fake.url, client_url="ws://client", api_key=API_KEY, api_secret=API_SECRET, clock=SystemClock()
        )

        async def come(room: str, leg: Leg, way: Way) -> None:
            fake.join(way.token, f"call:{room}", "AUDIO")

        yield Case(engine, come)
        await engine.aclose()


@contextlib.asynccontextmanager
async def mesh(redis: Redis, folder: Path) -> AsyncIterator[Case]:
    del redis, folder

    async def come(room: str, leg: Leg, way: Way) -> None:
        """They are not seen."""

    yield Case(Mesh(), come)


ENGINES = {"embedded": embedded, "janus": janus, "livekit": livekit, "mesh": mesh}


@pytest.fixture(params=ENGINES)
async def case(request: pytest.FixtureRequest, redis: Redis, tmp_path: Path) -> AsyncIterator[Case]:
    async with ENGINES[request.param](redis, tmp_path) as made:
        yield made


async def test_an_engine_has_a_name_that_clients_know(case: Case) -> None:
    assert case.engine.name in ENGINES


async def test_who_is_admitted_can_come_and_is_seen_until_they_are_put_out(case: Case) -> None:
    engine, room, leg = case.engine, new_ulid(), Leg("alice", "alice")
    await engine.ensure_room(room)
    await engine.ensure_room(room)
    assert list(await engine.streams(room)) == []
    await case.come(room, leg, await engine.admit(room, leg))
    if engine.name == "mesh":
        return

    async def seen() -> list[tuple[str, str]]:
        return [(one.user_id, one.kind) for one in await engine.streams(room)]

    await until(seen)
    assert await seen() == [("alice", "audio")]
    for muted in (True, True, False):
        await engine.mute(room, "alice", "audio", muted)
    await engine.mute(room, "alice", "video", True)
    await engine.remove(room, Leg("bob", "bob"))
    await engine.remove(room, leg)
    await engine.remove(room, leg)

    async def gone() -> bool:
        return not await seen()

    await until(gone)
    await engine.close(room)


async def test_a_room_that_is_closed_is_gone_and_whatever_is_asked_of_it_is_harmless(case: Case) -> None:
    engine, room, leg = case.engine, new_ulid(), Leg("alice", "alice")
    await engine.ensure_room(room)
    await case.come(room, leg, await engine.admit(room, leg))
    for _ in range(2):
        await engine.close(room)
    assert list(await engine.streams(room)) == []
    await engine.mute(room, "alice", "audio", True)
    await engine.remove(room, leg)


async def test_rooms_do_not_see_one_another(case: Case) -> None:
    engine, one, other, leg = case.engine, new_ulid(), new_ulid(), Leg("alice", "alice")
    for room in (one, other):
        await engine.ensure_room(room)
    await case.come(one, leg, await engine.admit(one, leg))
    await engine.close(other)
    if engine.name == "mesh":
        return

    async def seen() -> int:
        return len(await engine.streams(one))

    assert await until(seen) == 1


@pytest.mark.parametrize("name", ["janus", "livekit"])
async def test_a_token_for_one_room_opens_no_other(name: str, redis: Redis, tmp_path: Path) -> None:
    async with ENGINES[name](redis, tmp_path) as case:
        one, other, leg = new_ulid(), new_ulid(), Leg("alice", "alice")
        for room in (one, other):
            await case.engine.ensure_room(room)
        with pytest.raises(PermissionError):
            await case.come(other, leg, await case.engine.admit(one, leg))


@pytest.mark.parametrize(
    "engine",
    [
        Janus(url=NOWHERE, client_url="", token_secret="s", clock=FrozenClock(), video_bits_per_s=1),
        LiveKit(url=NOWHERE, client_url="", api_key="k", api_secret=API_SECRET, clock=FrozenClock()),
    ],
    ids=["janus", "livekit"],
)
async def test_an_engine_that_does_not_answer_is_down(engine: Janus | LiveKit) -> None:
    for ask in (
        lambda: engine.ensure_room("r"),
        lambda: engine.remove("r", Leg("a", "a")),
        lambda: engine.close("r"),
        lambda: engine.streams("r"),
    ):
        with pytest.raises(EngineDown):
            await ask()
    assert (await engine.admit("r", Leg("a", "a"))).token
    await engine.aclose()
