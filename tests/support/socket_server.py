"""A Socket.IO server of ours without a hub, inside the test's own process."""

import contextlib
import socket
from collections.abc import AsyncIterator

from aiohttp import web

from hub.transport.front import Doorkeeper
from hub.transport.origins import OriginRule
from hub.transport.polling import PollingRoutes
from hub.transport.socketio.server import SocketServer


@contextlib.asynccontextmanager
async def listening(server: SocketServer, *, origins: tuple[str, ...] = ("*",)) -> AsyncIterator[int]:
    """Serve on a free loopback port, which is given."""
    door = Doorkeeper(server.engine, OriginRule(origins))
    app = web.Application()
    PollingRoutes(door).add_routes(app)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    bound = socket.create_server(("127.0.0.1", 0))
    listener = await door.listen(runner, bound)
    try:
        yield bound.getsockname()[1]
    finally:
        listener.close()
        server.engine.stop()
        await runner.cleanup()
