"""What python-socketio's documentation promises to applications holds over our engine, with its own client."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import socketio

from hub.transport.socketio.server import SocketServer
from tests.support.socket_server import listening
from tests.support.wait import until

CUSTOM = "/custom"
GOODBYES = {"websocket": "transport close", "polling": "client disconnect"}
"""Over a WebSocket this client closes before it sends its DISCONNECT packet."""


Where = dict[str, Any]


class Log(list[Any]):
    """What handlers saw, in order."""

    async def has(self, *expected: Any) -> None:
        await until(lambda: self == list(expected))


class Counter(socketio.AsyncNamespace):  # type: ignore[misc] # python-socketio has no types
    """A class-based namespace."""

    def __init__(self, log: Log) -> None:
        super().__init__(CUSTOM)
        self._log = log

    async def on_connect(self, sid: str, _environ: dict[str, Any], auth: Any) -> None:
        await self.save_session(sid, {"auth": auth, "count": 0})

    async def on_count(self, sid: str, by: int) -> int:
        async with self.session(sid) as session:
            session["count"] += by
            return int(session["count"])

    def on_at_once(self, _sid: str, word: str) -> tuple[str, str]:
        return word, word.upper()

    async def on_disconnect(self, sid: str, reason: str) -> None:
        self._log.append((reason, await self.get_session(sid), self.rooms(sid)))


@pytest.fixture
async def server() -> SocketServer:
    return SocketServer()


@pytest.fixture
async def port(server: SocketServer) -> AsyncIterator[int]:
    async with listening(server) as port:
        yield port


@pytest.fixture(params=["websocket", "polling"])
def transport(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def where(port: int, transport: str) -> Where:
    """What a client connects by."""
    return {"url": f"http://127.0.0.1:{port}", "transports": [transport]}


@pytest.fixture
async def client(port: int, server: SocketServer) -> AsyncIterator[socketio.AsyncClient]:
    """A client of which nothing is left when the test is over."""
    client = socketio.AsyncClient(reconnection=False)
    yield client
    await client.shutdown()
    await until(lambda: not server.engine.sessions)
    await until(lambda: not server.environ)
    assert server.leaving == {}


async def test_a_namespace_class_has_its_events_sessions_and_the_last_word(
    server: SocketServer, client: socketio.AsyncClient, where: Where, transport: str
) -> None:
    log = Log()
    server.register_namespace(Counter(log))
    await client.connect(**where, namespaces=[CUSTOM], auth={"who": "ada"})
    assert await client.call("count", 2, namespace=CUSTOM) == 2
    assert await client.call("count", 3, namespace=CUSTOM) == 5
    assert await client.call("at_once", "word", namespace=CUSTOM) == ("word", "WORD")
    sid = client.get_sid(CUSTOM)
    await client.disconnect()
    await log.has((GOODBYES[transport], {"auth": {"who": "ada"}, "count": 5}, [sid]))


async def test_two_namespaces_on_one_connection_are_apart(
    server: SocketServer, client: socketio.AsyncClient, where: Where, transport: str
) -> None:
    log = Log()
    for namespace in ("/", CUSTOM):

        async def connect(sid: str, environ: object, auth: object, namespace: str = namespace) -> None:
            await server.save_session(sid, {"namespace": namespace}, namespace=namespace)
            await server.enter_room(sid, "room", namespace=namespace)

        async def leave(sid: str, reason: str, namespace: str = namespace) -> None:
            log.append((namespace, reason, await server.get_session(sid, namespace=namespace)))

        server.on("connect", connect, namespace=namespace)
        server.on("disconnect", leave, namespace=namespace)
        client.on("news", lambda data, namespace=namespace: log.append((namespace, data)), namespace=namespace)
    await client.connect(**where, namespaces=["/", CUSTOM], wait=True)
    assert client.get_sid("/") != client.get_sid(CUSTOM)
    assert len(server.engine.sessions) == 1
    await server.emit("news", 1, room="room")
    await server.emit("news", 2, room="room", namespace=CUSTOM)
    await until(lambda: sorted(log) == [("/", 1), (CUSTOM, 2)])
    log.clear()
    await server.disconnect(client.get_sid(CUSTOM), namespace=CUSTOM)
    await log.has((CUSTOM, "server disconnect", {"namespace": CUSTOM}))
    await server.emit("news", 3, room="room")
    await until(lambda: log[-1] == ("/", 3))
    await client.disconnect()
    await until(lambda: log[-1] == ("/", GOODBYES[transport], {"namespace": "/"}))


async def test_catch_all_handlers_get_what_no_other_handler_takes(
    server: SocketServer, client: socketio.AsyncClient, where: Where
) -> None:
    log = Log()
    server.on("connect", lambda *_: None)
    server.on("known", lambda _sid, *arguments: log.append(("known", *arguments)))
    server.on("*", lambda event, _sid, *arguments: log.append((event, *arguments)))
    server.on("*", lambda event, namespace, _sid, *arguments: log.append((event, namespace, *arguments)), namespace="*")
    server.on("connect", lambda *_: None, namespace="*")
    await client.connect(**where, namespaces=["/", "/any"])
    await client.emit("known", 1)
    await client.emit("other", (2, 3))
    await client.emit("else", 4, namespace="/any")
    await log.has(("known", 1), ("other", 2, 3), ("else", "/any", 4))


async def test_rooms_are_entered_left_and_closed(
    server: SocketServer, client: socketio.AsyncClient, where: Where
) -> None:
    log = Log()
    server.on("connect", lambda *_: None)
    client.on("news", log.append)
    await client.connect(**where)
    sid = client.get_sid()
    for room in ("red", "green"):
        await server.enter_room(sid, room)
    assert set(server.rooms(sid)) == {sid, "red", "green"}
    await server.emit("news", 1, room=["red", "green"])
    await server.leave_room(sid, "red")
    await server.emit("news", 2, room="red")
    await server.emit("news", 3, room="green")
    await server.close_room("green")
    await server.emit("news", 4, room="green")
    await server.emit("news", 5, to=sid)
    await server.emit("news", 6, skip_sid=sid)
    await server.emit("news", 7)
    await log.has(1, 3, 5, 7)
    assert server.rooms(sid) == [sid]
    with pytest.raises(ValueError):
        await server.enter_room("nobody", "red")


async def test_the_server_can_call_a_client(server: SocketServer, client: socketio.AsyncClient, where: Where) -> None:
    server.on("connect", lambda *_: None)

    async def double(number: int) -> int:
        return 2 * number

    async def never() -> None:
        await asyncio.Event().wait()

    client.on("double", double)
    client.on("never", never)
    await client.connect(**where)
    sid = client.get_sid()
    assert await server.call("double", 21, to=sid) == 42
    with pytest.raises(socketio.exceptions.TimeoutError):
        await server.call("never", to=sid, timeout=0.05)
    with pytest.raises(ValueError):
        await server.call("to all")


async def test_a_socket_can_be_asked_where_it_comes_from(
    server: SocketServer, client: socketio.AsyncClient, where: Where, transport: str
) -> None:
    log = Log()

    async def connect(sid: str, environ: dict[str, Any], auth: Any) -> None:
        log.append((environ["REMOTE_ADDR"], environ["HTTP_X_TEST"], auth))
        assert server.get_environ(sid) is environ

    server.on("connect", connect)
    await client.connect(**where, headers={"X-Test": "yes"}, auth={"token": "t"})
    await log.has(("127.0.0.1", "yes", {"token": "t"}))
    sid = client.get_sid()
    assert server.transport(sid) == transport
    assert server.get_environ(sid)["PATH_INFO"] == "/socket.io/"


async def test_who_is_disconnected_is_told_so_and_does_not_stay(
    server: SocketServer, client: socketio.AsyncClient, where: Where
) -> None:
    log = Log()
    server.on("connect", lambda *_: None)
    server.on("disconnect", lambda _sid, reason: log.append(reason))
    gone = asyncio.Event()
    client.on("disconnect", gone.set)
    await client.connect(**where)
    await server.disconnect(client.get_sid())
    await gone.wait()
    await log.has("server disconnect")
    await server.disconnect("nobody")


async def test_a_disconnect_handler_of_one_argument_still_works(
    server: SocketServer, client: socketio.AsyncClient, where: Where
) -> None:
    log = Log()

    async def leave(sid: str) -> None:
        log.append(sid)

    server.on("connect", lambda *_: None)
    server.on("disconnect", leave)
    await client.connect(**where)
    sid = client.get_sid()
    await client.disconnect()
    await log.has(sid)


async def test_who_refuses_a_client_can_say_why(
    server: SocketServer, client: socketio.AsyncClient, where: Where
) -> None:
    log = Log()

    async def connect(_sid: str, _environ: object, _auth: object) -> None:
        raise socketio.exceptions.ConnectionRefusedError("no entry", {"code": 7})

    server.on("connect", connect)
    client.on("connect_error", log.append)
    with pytest.raises(socketio.exceptions.ConnectionError):
        await client.connect(**where)
    await log.has({"message": "no entry", "data": {"code": 7}})
    assert server.rooms_of("/").sockets == {}
