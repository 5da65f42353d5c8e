"""The servers that are compared, each as a process on a core of its own: the hub's media server, and Janus."""

import asyncio
import contextlib
import random
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from hub import config
from hub.embedded.data_folder import DataFolder
from hub.embedded.valkey import ValkeyServer
from hub.storage.redis import connect
from load_tests.bench.errors import CannotMeasure
from load_tests.bench.media.callers import Receiver, publish
from load_tests.bench.media.sources import Encoded
from load_tests.bench.processes import free_port, kept_on
from signaling.media.embedded.engine import Embedded
from signaling.media.embedded.lease_redis import MediaServers
from signaling.media.engine import Leg

READY_S = 30.0
ROOM = "1234"
PLUGINS = Path("/usr/lib")
"""Debian has Janus's below the folder of the architecture."""


class Server(Protocol):
    """A media server under load."""

    pid: int

    async def publish(self, track: Encoded) -> Any:
        """Have somebody who sends; gives their connection."""
        ...

    async def receive(self, receiver: Receiver, number: int) -> None:
        """Have somebody receive it."""
        ...


@dataclass
class Ours:
    """`sparkle-hub media`, commanded as nodes do it."""

    pid: int
    engine: Embedded

    async def publish(self, track: Encoded) -> Any:
        """See Server."""
        return await publish(track, lambda sdp: self.engine.offer(ROOM, Leg("publisher", "publisher"), sdp))

    async def receive(self, receiver: Receiver, number: int) -> None:
        """See Server."""
        leg = Leg(f"r{number}", f"user-{number}")
        await receiver.connect_by_offer(lambda sdp: self.engine.offer(ROOM, leg, sdp))


@contextlib.asynccontextmanager
async def running_ours(folder: Path, core: int) -> AsyncIterator[Ours]:
    """Start it with a Valkey for its lease. Raises CannotMeasure."""
    with DataFolder(folder) as data:
        valkey = ValkeyServer(data, durable=False)
        await valkey.start()
        redis = connect(valkey.url, size=4)
        try:
            command = [sys.executable, "-m", "hub.cli", "media", "--start-wait-s", "20"]
            environment = config.environment() | {"REDIS_URL": valkey.url}
            with _process(command, core, folder / "media.log", environment) as process:
                engine, servers = Embedded(MediaServers(redis)), MediaServers(redis)
                try:
                    await _until_up(process, servers.live, folder / "media.log")
                    yield Ours(process.pid, engine)
                finally:
                    await engine.aclose()
        finally:
            await redis.aclose()
            await valkey.stop()


class Janus:
    """Janus with its video room, by its HTTP interface."""

    def __init__(self, pid: int, url: str, http: aiohttp.ClientSession) -> None:
        self.pid = pid
        self._url = url
        self._http = http
        self._session = ""
        self._feed = 0

    async def begin(self) -> None:
        """Have the room."""
        self._session = f"{self._url}/{(await self._post(self._url, janus='create'))['data']['id']}"
        handle = await self._attach()
        body = {"request": "create", "room": int(ROOM), "publishers": 10, "bitrate": 1_500_000, "notify_joining": False}
        await self._post(handle, janus="message", body=body)

    async def publish(self, track: Encoded) -> Any:
        """See Server."""
        handle = await self._attach()

        async def answer(sdp: str) -> str:
            body = {"request": "joinandconfigure", "room": int(ROOM), "ptype": "publisher"}
            event = await self._ask(handle, body, {"type": "offer", "sdp": sdp})
            self._feed = event["plugindata"]["data"]["id"]
            return str(event["jsep"]["sdp"])

        return await publish(track, answer)

    async def receive(self, receiver: Receiver, number: int) -> None:
        """See Server. Janus makes the offer."""
        handle = await self._attach()
        body = {"request": "join", "room": int(ROOM), "ptype": "subscriber", "streams": [{"feed": self._feed}]}
        event = await self._ask(handle, body)

        async def answered(sdp: str) -> None:
            await self._ask(handle, {"request": "start", "room": int(ROOM)}, {"type": "answer", "sdp": sdp})

        await receiver.connect_by_answer(event["jsep"]["sdp"], answered)

    async def _attach(self) -> str:
        answered = await self._post(self._session, janus="attach", plugin="janus.plugin.videoroom")
        return f"{self._session}/{answered['data']['id']}"

    async def _ask(self, handle: str, body: Mapping[str, Any], jsep: Mapping[str, str] | None = None) -> Any:
        """A message that is answered by an event. Nobody else is served meanwhile."""
        more: dict[str, Any] = {} if jsep is None else {"jsep": jsep}
        await self._post(handle, janus="message", body=body, **more)
        wanted = int(handle.rpartition("/")[2])
        while True:
            async with self._http.get(self._session) as response:
                event = await response.json()
            if event.get("janus") == "event" and event.get("sender") == wanted:
                if "error" in event["plugindata"]["data"]:
                    raise CannotMeasure(f"janus: {event['plugindata']['data']['error']}")
                return event

    async def _post(self, url: str, **message: Any) -> Any:
        async with self._http.post(url, json={**message, "transaction": "t"}) as response:
            answered = await response.json()
        if answered["janus"] not in ("success", "ack"):
            raise CannotMeasure(f"janus: {answered}")
        return answered


@contextlib.asynccontextmanager
async def running_janus(folder: Path, core: int) -> AsyncIterator[Janus]:
    """Start Debian's, with nothing but what is measured. Raises CannotMeasure if it is not installed."""
    program = shutil.which("janus")
    plugins = _plugins()
    if program is None or plugins is None:
        raise CannotMeasure("janus is not installed: apt-get install janus")
    port = free_port(random.Random())
    settings = _janus_settings(folder, plugins.parent, port)
    url, log = f"http://127.0.0.1:{port}/janus", folder / "janus.log"
    command = [program, "-F", str(settings)]
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(READY_S)) as http:
        with _process(command, core, log, config.environment()) as process:

            async def answers() -> bool:
                async with http.get(f"{url}/info") as response:
                    return response.status == 200

            await _until_up(process, answers, log)
            janus = Janus(process.pid, url, http)
            await janus.begin()
            yield janus


def _plugins() -> Path | None:
    return next(iter(PLUGINS.glob("*/janus/plugins")), None)


def _janus_settings(folder: Path, programs: Path, port: int) -> Path:
    """Settings for the video room over HTTP and nothing else, with what is measured of ours: ICE lite, NACK, RTX."""
    settings, only = folder / "janus", folder / "janus" / "only"
    only.mkdir(parents=True)
    for kind, name in (("plugins", "libjanus_videoroom.so"), ("transports", "libjanus_http.so")):
        (only / kind).mkdir()
        (only / kind / name).symlink_to(programs / kind / name)
    (settings / "janus.jcfg").write_text(
        f'general: {{ plugins_folder = "{only / "plugins"}"\n transports_folder = "{only / "transports"}"\n'
        f' events_folder = "{settings}"\n loggers_folder = "{settings}"\n debug_level = 2 }}\n'
        "nat: { ice_lite = true }\nmedia: { ipv6 = false }\n"
    )
    (settings / "janus.transport.http.jcfg").write_text(
        f'general: {{ json = "plain"\n http = true\n port = {port}\n ip = "127.0.0.1"\n https = false }}\n'
    )
    (settings / "janus.plugin.videoroom.jcfg").write_text("general: { }\n")
    return settings


@contextlib.contextmanager
def _process(
    command: list[str], core: int, log: Path, environment: Mapping[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("wb") as output, kept_on({core}):
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def _until_up(process: "subprocess.Popen[bytes]", is_up: Any, log: Path) -> None:
    end = asyncio.get_running_loop().time() + READY_S
    while True:
        with contextlib.suppress(aiohttp.ClientError):
            if await is_up():
                return
        if process.poll() is not None or asyncio.get_running_loop().time() > end:
            raise CannotMeasure(f"{process.args!r} did not start:\n{_end_of(log)}")
        await asyncio.sleep(0.05)


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]
