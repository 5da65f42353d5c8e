"""A Socket.IO server of ours without a hub, inside the test's own process."""

import contextlib
import socket
from collections.abc import AsyncIterator

from aiohttp import web

from hub.transport.front import Doorkeeper
from hub.transport.origins import OriginRule
from hub.transport.polling import PollingRoutes
from hub.transport.socketio.server import SocketServer


def bind_dual_stack() -> socket.socket:
    """A socket on a free port that takes IPv6 and IPv4."""
    return socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)


@contextlib.asynccontextmanager
async def listening(
    server: SocketServer, door: Doorkeeper | None = None, *, dual_stack: bool = False
) -> AsyncIterator[int]:
    """Serve on a free loopback port, which is given; by a door of its own, or one that lets everybody in.

    ``dual_stack``: on a port of all addresses, as `SPARKLE_HOST=::` has it.
    """
    door = door or Doorkeeper(server.engine, OriginRule(["*"]))
    app = web.Application()
    PollingRoutes(door).add_routes(app)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    bound = bind_dual_stack() if dual_stack else socket.create_server(("127.0.0.1", 0))
    listener = await door.listen(runner, bound)
    try:
        yield bound.getsockname()[1]
    finally:
        listener.close()
        server.engine.stop()
        await runner.cleanup()
