"""The media process: a media server with its commands and its lease, from start to end."""

import asyncio
import logging
import signal
import socket

from aiohttp import web
from redis.exceptions import RedisError

from hub import log as logs
from hub.config import Settings
from hub.emitter import Emitter
from hub.kernel.errors import Unavailable
from hub.kernel.ids import RoomName
from hub.kernel.tasks import Tasks
from hub.storage.redis import connect
from signaling.media.embedded.http import application
from signaling.media.embedded.lease_redis import BEAT_S, LEASE_MS, Lease
from signaling.media.embedded.room import Stream
from signaling.media.embedded.server import MediaServer
from signaling.media.embedded.sockets import machine_addresses

log = logging.getLogger(__name__)

POLL_S = 0.1
LOOPBACK = "127.0.0.1"


async def serve(settings: Settings) -> int:
    """Run a media server until SIGTERM or SIGINT. Exit code: 0, 1 if it could not start, 2 for wrong settings."""
    logs.configure(level=settings.log_level, style=settings.log_format, node=settings.node_name)
    if settings.redis_url is None:
        log.error("`media` needs REDIS_URL; `sparkle-hub run` starts the server itself")
        return 2
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    process = MediaProcess(settings, settings.redis_url)
    try:
        await process.start()
    except (Unavailable, RedisError, OSError) as error:
        log.error("the media server cannot start: %s", error)
        return 1
    else:
        await stop.wait()
        return 0
    finally:
        await process.close()


class MediaProcess:
    """A media server that nodes can find."""

    def __init__(self, settings: Settings, redis_url: str) -> None:
        self._settings = settings.media
        self._start_wait_s = settings.start_wait_s
        self._is_local = settings.host in (LOOPBACK, "localhost", "::1")
        self._redis_url = redis_url
        self._redis = connect(redis_url, size=4)
        self._tasks = Tasks()
        self._emitter: Emitter | None = None
        self._runner: web.AppRunner | None = None
        self._lease: Lease | None = None
        self.server = MediaServer(
            video_bits_per_s=self._settings.video_kbit * 1000,
            changed=self._changed,
            left=self._left,
            recordings=settings.data / "recordings" if self._settings.record else None,
        )

    async def start(self) -> None:
        """Listen, and take the lease. Raises Unavailable, RedisError, OSError."""
        media_port = self.server.open(self._addresses(), self._settings.port, self._settings.announce)
        listening = socket.create_server((self._settings.http_host, self._settings.http_port), reuse_port=True)
        self._lease = lease = Lease(self._redis, "http://{}:{}".format(*listening.getsockname()[:2]))
        self._runner = web.AppRunner(application(self.server, lambda: lease.key), access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await self._until_redis_answers()
        await lease.beat(0)
        # Ready after the first beat: from then on nodes send rooms.
        await web.SockSite(self._runner, listening).start()
        self._tasks.start(self._beat_for_ever(lease), name="lease of the media server")
        self._tasks.start(self._emit_from_the_first_node_on(), name="events of the media server")
        log.info(
            "media server %s: commands on %s:%d, media on port %d", lease.name, *listening.getsockname(), media_port
        )

    async def close(self) -> None:
        """Give the lease back, so that the rooms are moved now, and end all connections. Idempotent."""
        await self._tasks.close()
        if self._lease is not None:
            try:
                await self._lease.release()
            except Unavailable:
                log.warning("the lease of the media server could not be given back; it runs out in %d ms", LEASE_MS)
        if self._runner is not None:
            await self._runner.cleanup()
        await self.server.close()
        if self._emitter is not None:
            await self._emitter.__aexit__()
        await self._redis.aclose()

    def _addresses(self) -> list[str]:
        """Where to listen for media. A hub on the loopback is tried out by browsers on the same machine."""
        listen = list(self._settings.listen) or machine_addresses()
        return (
            [*listen, LOOPBACK] if self._is_local and not self._settings.listen and LOOPBACK not in listen else listen
        )

    async def _until_redis_answers(self) -> None:
        """Wait for a Redis that is being started beside us, at most as long as the settings say."""
        deadline = asyncio.get_running_loop().time() + self._start_wait_s
        while asyncio.get_running_loop().time() < deadline:
            try:
                await self._redis.ping()
            except (RedisError, OSError):
                await asyncio.sleep(POLL_S)
            else:
                return

    async def _emit_from_the_first_node_on(self) -> None:
        """An emitter needs a hub that has set Redis up, and before that there is nobody to be told."""
        emitter = Emitter(self._redis_url)
        while self._emitter is None:
            try:
                self._emitter = await emitter.__aenter__()
            except Unavailable:
                await asyncio.sleep(POLL_S)

    async def _beat_for_ever(self, lease: Lease) -> None:
        heard = asyncio.get_running_loop().time()
        while True:
            await asyncio.sleep(BEAT_S)
            now = asyncio.get_running_loop().time()
            try:
                alive = await lease.beat(self.server.load)
                heard = now
            except Unavailable:
                # Media flows on without Redis; the first beat after it says whether the rooms are still ours.
                log.warning("the lease could not be renewed for %.1f s", now - heard)
                continue
            if not alive:
                log.warning("the lease had run out: the rooms are elsewhere, and are closed here")
                for room in self.server.rooms():
                    await self.server.close_room(room)
                lease.renew()
                await self._again(lease)

    async def _again(self, lease: Lease) -> None:
        try:
            await lease.beat(self.server.load)
        except Unavailable:
            log.warning("the new lease could not be taken yet")

    def _changed(self, room: str, streams: list[Stream], recorded: bool) -> None:
        if self._emitter is not None:
            listed = [{"id": one.id, "userId": one.user_id, "kind": one.kind} for one in streams]
            event = {"callId": room, "streams": listed, "recorded": recorded}
            self._emitter.emit(RoomName(f"call:{room}"), "call:tracks", event)

    def _left(self, room: str, leg: str) -> None:
        log.debug("leg %s of room %s has ended by itself", leg, room)
