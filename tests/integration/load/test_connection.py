"""The connection of a load test's user, against a python-socketio server that is told how to behave."""

import asyncio
import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import socketio
from aiohttp import web

from load_tests.client.connection import Connection
from load_tests.measures.faults import ConnectionLost, Refused, Unacknowledged
from tests.support.wait import until

WITHIN_S = 5.0


class User:
    """Implements Listener and remembers."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []
        self.losses: list[str] = []
        self.fails_at = ""
        self.takes_its_time_at: Any = None

    def received(self, event: str, payload: Any) -> None:
        if payload is not None and payload == self.takes_its_time_at:
            time.sleep(0.05)
        self.events.append((event, payload))
        if event == self.fails_at:
            raise ValueError(event)

    def lost(self, connection: Connection, reason: str) -> None:
        self.losses.append(reason)


class Server:
    """A Socket.IO server. ``greet`` is called for each connection, and may raise to refuse it."""

    def __init__(self) -> None:
        self.io = socketio.AsyncServer(async_mode="aiohttp")
        self.app = web.Application()
        self.io.attach(self.app)
        self.io.on("connect", self._connected)
        self.auths: list[Any] = []
        self.requests: list[web.Request] = []
        self.url = ""
        self.greet: Callable[[str], Any] = self.ready

    async def ready(self, sid: str) -> None:
        await self.io.emit("session:ready", {"userId": "u"}, to=sid)

    def cut(self) -> None:
        """Close the TCP connections of all clients."""
        for request in self.requests:
            if request.transport is not None:
                request.transport.close()

    async def _connected(self, sid: str, environ: Any, auth: Any) -> None:
        self.requests.append(environ["aiohttp.request"])
        self.auths.append(auth)
        await self.greet(sid)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    runner = web.AppRunner(server.app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await server.io.shutdown()
    await runner.cleanup()


@contextlib.asynccontextmanager
async def connected(server: Server, user: User) -> AsyncIterator[Connection]:
    connection = Connection(user)
    await asyncio.to_thread(connection.open, server.url, {"token": "t"}, WITHIN_S)
    try:
        yield connection
    finally:
        await asyncio.to_thread(connection.close)


async def ask(connection: Connection, event: str, within_s: float = WITHIN_S) -> Any:
    return await asyncio.to_thread(lambda: connection.answer(connection.send(event, {}), within_s))


async def refusal(url: str, within_s: float = WITHIN_S) -> Refused:
    with pytest.raises(Refused) as raised:
        await asyncio.to_thread(Connection(User()).open, url, {}, within_s)
    return raised.value


async def test_events_are_heard_in_the_order_in_which_they_were_sent_however_long_one_takes(server: Server) -> None:
    async def greet(sid: str) -> None:
        await server.ready(sid)
        for number in range(100):
            await server.io.emit("number", number, to=sid)

    server.greet = greet
    user = User()
    user.takes_its_time_at = 7
    async with connected(server, user):
        await until(lambda: len(user.events) == 101)
    assert server.auths == [{"token": "t"}]
    assert user.events[1:] == [("number", number) for number in range(100)]


async def test_an_acknowledgement_gives_its_data_or_its_error(server: Server) -> None:
    server.io.on("good", lambda _sid, _payload: {"ok": True, "data": {"seq": 1, "update": b"\0\1"}})
    server.io.on("bad", lambda _sid, _payload: {"ok": False, "error": {"code": "forbidden", "temporary": False}})
    async with connected(server, User()) as connection:
        assert await ask(connection, "good") == {"seq": 1, "update": b"\0\1"}
        with pytest.raises(Refused, match="forbidden"):
            await ask(connection, "bad")


async def test_a_lost_acknowledgement_is_told_from_a_lost_connection(server: Server) -> None:
    called = threading.Event()

    async def silent(_sid: str, _payload: Any) -> None:
        called.set()
        await asyncio.Event().wait()

    server.io.on("silent", silent)
    user = User()
    async with connected(server, user) as connection:
        with pytest.raises(Unacknowledged):
            await ask(connection, "silent", within_s=0.1)
        called.clear()
        acknowledged = connection.send("silent", {})
        await until(called.is_set)
        server.cut()
        with pytest.raises(ConnectionLost):
            await asyncio.to_thread(connection.answer, acknowledged, WITHIN_S)
        await until(lambda: len(user.losses) == 1)
        with pytest.raises(ConnectionLost):
            await ask(connection, "silent")


async def test_a_refused_connect_says_why_and_how_long_to_wait(server: Server) -> None:
    async def refuse(_sid: str) -> None:
        data = {"code": "rate_limited", "temporary": True, "retryAfter": 2.5}
        raise socketio.exceptions.ConnectionRefusedError("Too many.", data)

    server.greet = refuse
    refused = await refusal(server.url)
    assert (refused.code, refused.temporary, refused.retry_after_s) == ("rate_limited", True, 2.5)


async def test_an_http_answer_instead_of_a_websocket_says_why_and_how_long_to_wait() -> None:
    async def limited(_request: web.Request) -> web.Response:
        return web.json_response({"code": "rate_limited", "temporary": True}, status=429, headers={"Retry-After": "3"})

    app = web.Application()
    app.router.add_get("/socket.io/", limited)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        refused = await refusal(f"http://127.0.0.1:{runner.addresses[0][1]}")
    finally:
        await runner.cleanup()
    assert (refused.code, refused.temporary, refused.retry_after_s) == ("rate_limited", True, 3.0)


async def test_nobody_there_and_nobody_ready_are_refusals_for_now(server: Server, unused_port: int) -> None:
    nobody = await refusal(f"http://127.0.0.1:{unused_port}")
    assert (nobody.code, nobody.temporary) == ("unreachable", True)

    async def say_nothing(_sid: str) -> None:
        return

    server.greet = say_nothing
    not_ready = await refusal(server.url, within_s=0.2)
    assert (not_ready.code, not_ready.temporary) == ("not_ready", True)
    await until(lambda: not server.io.eio.sockets)


async def test_a_connect_that_is_given_up_is_closed_when_it_comes(server: Server) -> None:
    arrived, goes_on = asyncio.Event(), asyncio.Event()

    async def greet(_sid: str) -> None:
        arrived.set()
        await goes_on.wait()

    server.greet = greet
    user = User()
    connection = Connection(user)
    opening = asyncio.gather(asyncio.to_thread(connection.open, server.url, {}, WITHIN_S), return_exceptions=True)
    await asyncio.wait_for(arrived.wait(), WITHIN_S)
    await asyncio.to_thread(connection.close)
    goes_on.set()
    (outcome,) = await opening
    assert isinstance(outcome, Refused)
    await until(lambda: not server.io.eio.sockets)
    assert user.losses == []


async def test_the_socket_of_a_connection_that_the_server_closed_is_closed(server: Server) -> None:
    user = User()
    async with connected(server, user) as connection:
        for session in server.io.eio.sockets.values():
            session.queue.put_nowait(None)  # ends its writer, and so the WebSocket, in good order
        await until(lambda: user.losses)
        assert connection._client.eio.ws.sock is None


async def test_only_an_end_that_the_user_did_not_ask_for_is_a_loss(server: Server) -> None:
    left, thrown_out = User(), User()
    async with connected(server, left):
        pass
    async with connected(server, thrown_out):
        (sid,) = server.io.manager.get_participants("/", None)
        await server.io.disconnect(sid[0])
        await until(lambda: thrown_out.losses)
    assert left.losses == []
    assert len(thrown_out.losses) == 1


async def test_a_user_that_cannot_handle_an_event_loses_the_connection_instead_of_hearing_nothing(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    user = User()
    user.fails_at = "odd"
    async with connected(server, user):
        await server.io.emit("odd", 1)
        await until(lambda: user.losses)
    assert "a message could not be handled" in caplog.text


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


STOPPED = """
from gevent import monkey
monkey.patch_all()
import time, gevent
from load_tests.client.connection import Connection

def disconnect():  # as websocket-client does around its closing handshake
    try:
        waits.set()
        time.sleep(60)
    except:
        pass

def user():
    connection.close()
    print("goes on")

waits, connection = gevent.event.Event(), Connection(None)
connection._client.disconnect = disconnect
greenlet = gevent.spawn(user)
waits.wait()
greenlet.kill(timeout=5)
print("has stopped" if greenlet.dead else "hangs")
"""


def test_a_user_who_is_stopped_while_disconnecting_does_not_go_on() -> None:
    outcome = subprocess.run([sys.executable, "-c", STOPPED], capture_output=True, text=True, timeout=60, check=False)
    assert outcome.stdout == "has stopped\n", outcome.stderr
