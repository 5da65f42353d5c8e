"""Stock python-socketio over aiohttp and uvloop, as its users run it, with the application that the load generator
knows: ``python -m load_tests.peers.stock_server --port 5000``, with its Redis manager if ``--redis URL`` is given.
"""

import argparse
from typing import Any

import socketio
import uvloop
from aiohttp import web

BACKLOG = 4096
"""aiohttp's default of 128 would make mass connects wait for the clients' TCP retries."""


def application(redis_url: str | None) -> web.Application:
    """The events ``join``, ``bc`` and ``echo``."""
    manager = None if redis_url is None else socketio.AsyncRedisManager(redis_url)
    server = socketio.AsyncServer(async_mode="aiohttp", cors_allowed_origins="*", client_manager=manager)

    async def connect(_sid: str, _environ: dict[str, Any], _auth: object = None) -> None:
        """Let everybody in."""

    async def join(sid: str, room: str) -> None:
        await server.enter_room(sid, room)

    async def broadcast(_sid: str, room: str, body: object) -> None:
        await server.emit("m", body, room=room)

    async def echo(_sid: str, body: object) -> object:
        return body

    server.on("connect", connect)
    server.on("join", join)
    server.on("bc", broadcast)
    server.on("echo", echo)
    app = web.Application()
    server.attach(app)
    return app


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--redis", metavar="URL")
    given = parser.parse_args()
    web.run_app(
        application(given.redis),
        host="127.0.0.1",
        port=given.port,
        access_log=None,
        backlog=BACKLOG,
        loop=uvloop.new_event_loop(),
    )


if __name__ == "__main__":
    main()
