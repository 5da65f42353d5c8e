"""Our transport without the hub: ``python -m load_tests.bare_server --port P``.

It behaves as the public test suites of the Engine.IO and Socket.IO protocols expect of a server, so that they can be
run against it: Socket.IO at ``/socket.io/`` with the namespaces ``/`` and ``/custom``, an Engine.IO echo at
``/engine.io/``. The events ``join``, ``bc`` and ``echo`` are those of the transport benchmark.
"""

import argparse
import asyncio
import gc
import signal
import socket
from typing import Any

from aiohttp import web

from hub.transport.eager import HubLoop
from hub.transport.engineio.request import Request
from hub.transport.engineio.session import Session
from hub.transport.engineio.settings import EngineSettings
from hub.transport.engineio.websocket import BINARY, frame
from hub.transport.front import Doorkeeper
from hub.transport.origins import OriginRule
from hub.transport.polling import PollingRoutes
from hub.transport.socketio.server import SocketServer


class Echo:
    """Sends every Engine.IO message back. Implements hub.transport.engineio.session.Receiver."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def text(self, payload: bytearray) -> None:
        """See Receiver."""
        self._session.send(frame(bytes(payload)))

    def binary(self, payload: bytearray) -> None:
        """See Receiver."""
        self._session.send(frame(bytes(payload), BINARY))

    def closed(self, reason: str) -> None:
        """See Receiver."""


PAUSE_S = 0.01
"""Between CONNECT and ``auth``. The suites look at one message and only then wait for the next, so one that comes in
the same segment, as ours would, is lost on them."""


def bare_server(settings: EngineSettings, *, auth_after_s: float | None = 0.0) -> SocketServer:
    """A server with the handlers of the protocol suites and of the benchmark.

    ``auth_after_s``: when it sends ``auth`` after CONNECT; 0 with it, ``None`` never.
    """
    server = SocketServer(settings)

    def echo(session: Session, _request: Request) -> Echo:
        return Echo(session)

    server.engine.endpoints["/engine.io/"] = echo
    for namespace in ("/", "/custom"):
        _serve_suites(server, namespace, auth_after_s)
    _serve_benchmark(server)
    return server


def _serve_suites(server: SocketServer, namespace: str, auth_after_s: float | None) -> None:
    async def connect(sid: str, _environ: dict[str, Any], auth: Any) -> None:
        if auth_after_s:
            server.start_background_task(greet_later, auth_after_s, sid, auth)
        elif auth_after_s is not None:
            await greet(sid, auth)

    async def greet_later(after_s: float, sid: str, auth: Any) -> None:
        await asyncio.sleep(after_s)
        await greet(sid, auth)

    async def greet(sid: str, auth: Any) -> None:
        await server.emit("auth", auth or {}, to=sid, namespace=namespace)

    async def message(sid: str, *arguments: Any) -> None:
        await server.emit("message-back", arguments, to=sid, namespace=namespace)

    def message_with_ack(_sid: str, *arguments: Any) -> tuple[Any, ...]:
        return arguments

    server.on("connect", connect, namespace=namespace)
    server.on("message", message, namespace=namespace)
    server.on("message-with-ack", message_with_ack, namespace=namespace)


def _serve_benchmark(server: SocketServer) -> None:
    async def join(sid: str, room: str) -> None:
        await server.enter_room(sid, room)

    async def broadcast(_sid: str, room: str, data: Any) -> None:
        await server.emit("m", data, room=room)

    async def echo(_sid: str, data: Any) -> Any:
        return data

    server.on("join", join)
    server.on("bc", broadcast)
    server.on("echo", echo)


async def _serve(port: int, settings: EngineSettings, auth_after_s: float | None) -> None:
    server = bare_server(settings, auth_after_s=auth_after_s)
    door = Doorkeeper(server.engine, OriginRule(["*"]))
    app = web.Application()
    PollingRoutes(door).add_routes(app)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    listening = await door.listen(runner, socket.create_server(("127.0.0.1", port)))
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    print(f"listening on http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", flush=True)
    await stop.wait()
    listening.close()
    server.engine.stop()
    await runner.cleanup()


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m load_tests.bare_server", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="0 picks one, which is printed")
    defaults = EngineSettings()
    for name in ("ping_interval", "ping_timeout", "connect_timeout"):
        default_ms = round(getattr(defaults, f"{name}_s") * 1000)
        parser.add_argument(f"--{name.replace('_', '-')}-ms", type=float, default=default_ms)
    parser.add_argument("--no-auth-event", action="store_true", help="send nothing after CONNECT, like the other peers")
    given = parser.parse_args()
    settings = EngineSettings(
        ping_interval_s=given.ping_interval_ms / 1000,
        ping_timeout_s=given.ping_timeout_ms / 1000,
        connect_timeout_s=given.connect_timeout_ms / 1000,
    )
    with asyncio.Runner(loop_factory=HubLoop) as runner:
        runner.run(_serve(given.port, settings, None if given.no_auth_event else PAUSE_S))


if __name__ == "__main__":
    main()
