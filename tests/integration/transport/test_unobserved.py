"""A server that nobody watches pays one test an event and one a fan-out, and runs nothing of what watches."""

import contextlib
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

import socketio

from hub.transport.socketio.observer import Observer
from hub.transport.socketio.rooms import Packets, Rooms
from hub.transport.socketio.server import SocketServer
from tests.support.admin_client import LOGIN, admin_client
from tests.support.socket_server import listening

WATCHING = ("socketio/admin/", "engineio/meter.py", "socketio/observer.py")


@contextlib.contextmanager
def calls_of_what_watches() -> Iterator[set[str]]:
    """Every function of the files that watch, as far as it is called within."""
    called: set[str] = set()

    def profile(frame: FrameType, event: str, _argument: Any) -> None:
        code = frame.f_code
        if event == "call" and any(part in code.co_filename for part in WATCHING):
            called.add(code.co_qualname)

    sys.setprofile(profile)
    try:
        yield called
    finally:
        sys.setprofile(None)


def talkative() -> SocketServer:
    server = SocketServer()

    async def say(sid: str, data: Any) -> Any:
        await server.enter_room(sid, "lobby")
        await server.emit("said", data, room="lobby")
        await server.emit("said", data, to=sid)
        await server.leave_room(sid, "lobby")
        return data

    server.on("say", say)
    return server


async def talk(url: str) -> None:
    """A whole life: over polling and WebSocket, with rooms, events, broadcasts and an end."""
    for transport in ("polling", "websocket"):
        client = socketio.AsyncClient(reconnection=False)
        await client.connect(url, transports=[transport], wait_timeout=10)
        assert await client.call("say", "hello") == "hello"
        await client.shutdown()


async def test_nothing_that_watches_runs_unless_the_server_is_instrumented() -> None:
    server = talkative()
    async with listening(server) as port:
        url = f"http://127.0.0.1:{port}"
        with calls_of_what_watches() as called:
            await talk(url)
        assert called == set()

        server.instrument(auth=LOGIN)
        async with admin_client(url):
            with calls_of_what_watches() as called:
                await talk(url)
    assert called >= {
        *("Feed.connected", "Feed.disconnected", "Feed.joined", "Feed.left", "Feed.received", "Feed.sent"),
        *("MeteredSession.receive", "MeteredOutboxes.send", "MeteredOutboxes.fan_out"),
    }


class CountsLooks:
    """For a class with an ``observer``: counts how often somebody looks whether there is one."""

    looks = 0

    @property
    def observer(self) -> Observer | None:
        self.looks += 1
        return None

    @observer.setter
    def observer(self, observer: Observer | None) -> None:
        assert observer is None


class LookedAtServer(CountsLooks, SocketServer):
    pass


class LookedAtRooms(CountsLooks, Rooms):
    pass


async def test_an_event_costs_one_look_and_so_does_a_fan_out_to_many() -> None:
    server = LookedAtServer()
    server.on("say", lambda _sid, data: data)
    rooms = server._rooms["/"] = LookedAtRooms("/")
    async with listening(server) as port, contextlib.AsyncExitStack() as stack:
        clients = [socketio.AsyncClient(reconnection=False) for _ in range(5)]
        for client in clients:
            stack.push_async_callback(client.shutdown)
            await client.connect(f"http://127.0.0.1:{port}", transports=["websocket"], wait_timeout=10)
        before = server.looks
        for number in range(10):
            assert await clients[0].call("say", number) == number
        assert server.looks - before == 10
        before = rooms.looks
        for _ in range(10):
            assert rooms.send(server.engine.outboxes, [None], Packets("/", ["news"])) == 5
        assert rooms.looks - before == 10
