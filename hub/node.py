"""A node: one process, one event loop, its listeners, from start to drain."""

import asyncio
import logging
import signal
import socket
import sys
import time
from collections.abc import Callable

import asyncpg
from aiohttp import web
from redis.exceptions import RedisError

from hub import log as logs
from hub.app import build
from hub.cluster.servers import link_to_any, servers_of
from hub.config import ConfigError, Settings
from hub.kernel.errors import HubError
from hub.kernel.ports import NodeAddress
from hub.lifecycle import Hub
from hub.shared_port import Listener, SharedPort
from hub.storage.migrate import CANNOT_MIGRATE, migrate
from hub.storage.postgres import create_pool
from hub.storage.redis import connect
from hub.transport.forwarding.private_socket import private_socket
from hub.transport.front import HEAD_BYTES

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
EVERYWHERE = "0.0.0.0"
SERVER_POLL_S = 0.02


class AddressInUse(OSError):
    """A port cannot be listened on; the message says which and why."""


async def serve(settings: Settings) -> int:
    """Run a node until SIGTERM or SIGINT. Returns the exit code: 0, 1 if it could not start, 2 for wrong settings.

    Starting is: migrate, listen on the own port, connect everything, listen on the shared port. Stopping is the
    reverse, with what is under way finished first.
    """
    logs.configure(level=settings.log_level, style=settings.log_format, node=settings.node_name)
    if settings.database_url is None or settings.redis_url is None:
        return _fail("`serve` needs DATABASE_URL and REDIS_URL; `sparkle-hub run` starts both servers itself", 2)
    try:
        shared = _bind(settings.host, settings.port, reuse=settings.reuse_port)
        own = _bind(LOOPBACK, settings.own_port, reuse=settings.reuse_port)
        for_nodes = _bind(EVERYWHERE, settings.cluster.port, reuse=False) if settings.cluster.host else None
    except AddressInUse as error:
        return _fail(str(error), 1)
    stop = _stop_signal()
    try:
        await _until_servers_answer(settings)
        applied = await migrate(settings.database_url)
        pool = create_pool(settings.database_url, size=settings.postgres_pool)
        await pool
    except CANNOT_MIGRATE as error:
        return _fail(f"DATABASE_URL: {_words(error)}", 1)
    if applied:
        log.info("applied %d migrations", applied)
    try:
        open_link = link_to_any(servers_of(settings.redis_url))
        redis = connect(settings.redis_url, size=settings.redis_pool, open_link=open_link)
        await redis.ping()
    except (RedisError, OSError, ValueError, TypeError) as error:  # the last two: options of the URL
        return _fail(f"REDIS_URL: {_words(error)}", 1)
    try:
        hub = build(settings, pool=pool, redis=redis)
    except ConfigError as error:
        return _fail(str(error), 2)
    hub.listens(shared_port=shared.getsockname()[1], own_port=own.getsockname()[1])
    try:
        with private_socket() as private:
            await _listen_for_nodes(hub, settings, private, for_nodes)
            return await _run(hub, settings, shared, own, stop)
    finally:
        await redis.aclose()
        await pool.close()


async def _until_servers_answer(settings: Settings) -> None:
    """Wait for servers that are being started beside this node, at most as long as the settings say.

    Whether they do in the end, and what is wrong if not, is for those to say that use them.
    """
    deadline = time.monotonic() + settings.start_wait_s
    while time.monotonic() < deadline:
        if await _servers_answer(settings):
            return
        await asyncio.sleep(SERVER_POLL_S)


async def _servers_answer(settings: Settings) -> bool:
    redis = connect(settings.redis_url or "", size=2)
    try:
        await redis.ping()
        await (await asyncpg.connect(settings.database_url)).close()
    except (RedisError, *CANNOT_MIGRATE):
        return False
    finally:
        await redis.aclose()
    return True


async def _listen_for_nodes(
    hub: Hub, settings: Settings, private: tuple[socket.socket, str] | None, for_nodes: socket.socket | None
) -> None:
    """Take what other nodes pass on, by the ways that there are, and say with the lease which they are."""
    path, port = "", 0
    if private is None:
        log.warning("no folder for a socket: other nodes on this machine cannot pass requests on to this one")
    else:
        listening, path = private
        await hub.entrance.listen(listening, secret=None)
    if for_nodes is not None:
        port = for_nodes.getsockname()[1]
        await hub.entrance.listen(for_nodes, secret=settings.cluster.secret)
    hub.nodes.address = NodeAddress(path, settings.cluster.host, port)


async def _run(hub: Hub, settings: Settings, shared: socket.socket, own: socket.socket, stop: asyncio.Event) -> int:
    runner = web.AppRunner(hub.web, access_log=None, handle_signals=False, shutdown_timeout=2, max_line_size=HEAD_BYTES)
    await runner.setup()
    # The own port answers first, so that whoever waits for this node can read why it is not ready yet.
    alone = await hub.door.listen(runner, own)
    try:
        await hub.start()
    except (HubError, OSError) as error:
        alone.close()
        await runner.cleanup()
        await hub.close()
        return _fail(f"the node cannot start: {_words(error)}", 1)
    host, port = shared.getsockname()[:2]

    async def listen() -> Listener:
        bound = shared if shared.fileno() >= 0 else _bind(host, port, reuse=settings.reuse_port)
        return await hub.door.listen(runner, bound)

    entrance = SharedPort(
        listen,
        hears=lambda: hub.bus.hears,
        has_ready_peer=hub.health.has_ready_peer,
        send_away=hub.sockets.cut_all,
    )
    await entrance.open()
    log.info("node %s listens on http://%s:%d, alone on http://%s:%d", hub.node_id, host, port, *own.getsockname()[:2])
    watch = hub.tasks.start(entrance.watch(), name="watch of the shared port") if settings.reuse_port else None
    await stop.wait()
    log.info("shutting down")
    if watch is not None:
        watch.cancel()
    entrance.close()
    await hub.drain()
    alone.close()
    await runner.cleanup()
    await hub.close()
    return 0


def _bind(host: str, port: int, *, reuse: bool) -> socket.socket:
    """A socket bound to the address. Raises AddressInUse."""
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if reuse:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise AddressInUse(f"port {port} of {host} cannot be used: {error.strerror or error}") from None
    return bound


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    set_stop: Callable[[], None] = stop.set
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, set_stop)
    return stop


def _words(error: Exception) -> str:
    return str(error) or repr(error)  # a TimeoutError says nothing of itself


def _fail(message: str, code: int) -> int:
    print(f"sparkle-hub: {message}", file=sys.stderr)
    return code
