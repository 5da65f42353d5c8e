"""Who may use the Socket.IO Admin UI, from signing in to its end."""

import asyncio
import inspect
from typing import Any

import pytest
import socketio
from socketio.exceptions import ConnectionError as RefusedError

from hub.transport.engineio.meter import MeteredSession
from hub.transport.engineio.session import Session
from hub.transport.socketio.admin import namespace
from hub.transport.socketio.server import SocketServer
from tests.support.admin_client import ADMIN, ALL_COMMANDS, LOGIN, admin_client
from tests.support.socket_client import somebody
from tests.support.wait import until


@pytest.mark.parametrize("login", [{}, {**LOGIN, "password": "wrong"}, {"sessionId": "1900000000.00"}])
async def test_a_wrong_login_is_refused_in_the_words_that_the_page_knows(
    server: SocketServer, url: str, login: dict[str, str]
) -> None:
    server.instrument(auth=LOGIN)
    client = socketio.AsyncClient(reconnection=False)
    refusals: list[Any] = []
    client.on("connect_error", refusals.append, namespace=ADMIN)
    with pytest.raises(RefusedError):
        await client.connect(url, auth=login, namespaces=[ADMIN], transports=["websocket"])
    assert refusals == [{"message": "invalid credentials"}]
    await client.shutdown()


async def test_a_wrong_login_is_answered_late_so_that_guessing_takes_for_ever(
    server: SocketServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(namespace, "REFUSAL_S", 0.5)
    server.instrument(auth=LOGIN)
    began = asyncio.get_running_loop().time()
    with pytest.raises(RefusedError):
        async with admin_client(url, {"username": "ada"}):
            pass
    assert asyncio.get_running_loop().time() - began >= 0.5


async def test_an_admin_is_told_its_session_the_features_and_all_sockets(server: SocketServer, url: str) -> None:
    server.instrument(auth=LOGIN)
    async with somebody(url, namespaces=("/", "/chat")) as client:
        await server.enter_room(client.get_sid(), "lobby")
        async with admin_client(url) as admin:
            assert [told[0] for told in admin.received[:4]] == ["session", "config", "all_sockets", "server_stats"]
            assert admin.all("config") == [({"supportedFeatures": [*ALL_COMMANDS, "AGGREGATED_EVENTS", "ALL_EVENTS"]},)]
            ((sockets,),) = admin.all("all_sockets")
            by_namespace = {socket["nsp"]: socket for socket in sockets}
            assert by_namespace.keys() == {"/", "/chat", ADMIN}
            assert by_namespace["/"]["id"] == client.get_sid()
            assert by_namespace["/"]["rooms"] == [client.get_sid(), "lobby"]
            assert by_namespace["/"]["clientId"] == by_namespace["/chat"]["clientId"]
            assert by_namespace[ADMIN]["clientId"] != by_namespace["/"]["clientId"]
            assert {socket["transport"] for socket in sockets} == {"websocket"}
            assert {socket["handshake"]["address"] for socket in sockets} == {"127.0.0.1"}


async def test_a_session_signs_in_again_after_a_reload_of_the_page(server: SocketServer, url: str) -> None:
    server.instrument(auth=LOGIN)
    async with admin_client(url) as admin:
        ((session,),) = admin.all("session")
    async with admin_client(url, {"sessionId": session}) as again:
        assert again.all("config")
        assert again.all("session") == []


async def test_a_coroutine_function_may_look_at_logins(server: SocketServer, url: str) -> None:
    async def looks_at(login: Any) -> bool:
        await asyncio.sleep(0)
        if login == "broken":
            raise RuntimeError(login)
        return bool(login == {"key": "sesame"})

    server.instrument(auth=looks_at)
    async with admin_client(url, {"key": "sesame"}) as admin:
        assert admin.all("config")
    for login in ({"key": "open"}, {}):
        with pytest.raises(RefusedError):
            async with admin_client(url, login):
                pass


async def test_a_function_that_fails_lets_nobody_in(server: SocketServer, url: str) -> None:
    def fails(_login: Any) -> bool:
        raise RuntimeError("the directory is away")

    server.instrument(auth=fails)
    with pytest.raises(RefusedError):
        async with admin_client(url):
            pass


async def test_only_requests_that_are_admitted_may_sign_in(server: SocketServer, url: str) -> None:
    server.instrument(auth=LOGIN, admits=lambda request: request.head.header(b"x-from") == "here")
    async with admin_client(url, headers={"X-From": "here"}) as admin:
        assert admin.all("config")
    with pytest.raises(RefusedError):
        async with admin_client(url, headers={"X-From": "elsewhere"}):
            pass


@pytest.mark.parametrize(
    ("wrong", "about"),
    [
        ({}, "auth"),
        ({"auth": {}}, "auth"),
        ({"auth": LOGIN, "mode": "debug"}, "mode"),
        ({"auth": LOGIN, "server_stats_interval": 0}, "interval"),
        ({"auth": LOGIN, "namespace": "/"}, "namespace"),
        ({"auth": LOGIN, "namespace": "admin"}, "namespace"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(server: SocketServer, wrong: dict[str, Any], about: str) -> None:
    with pytest.raises(ValueError, match=about):
        server.instrument(**wrong)
    assert server.engine.meter is None, "nothing was begun"


def test_it_takes_what_python_socketio_takes(server: SocketServer) -> None:
    stock = inspect.signature(socketio.AsyncServer.instrument).parameters.values()
    ours = inspect.signature(SocketServer.instrument).parameters.values()
    expected = [(one.name, one.default) for one in stock]
    assert [(one.name, one.default) for one in ours if one.kind is one.POSITIONAL_OR_KEYWORD] == expected


def test_a_server_is_instrumented_once(server: SocketServer) -> None:
    server.instrument(auth=LOGIN)
    with pytest.raises(RuntimeError):
        server.instrument(auth=LOGIN, namespace="/other")


async def test_shutdown_leaves_the_server_as_it_was(server: SocketServer, url: str) -> None:
    served = server.instrument(auth=LOGIN)
    async with admin_client(url) as admin, somebody(url) as client:
        await served.shutdown()
        await until(lambda: ADMIN not in admin.io.namespaces)
        assert (server.observer, server.rooms_of("/").observer, server.engine.meter) == (None, None, None)
        assert ADMIN not in server.known_namespaces()
        assert await client.call("say", "still here") == "still here"
        async with somebody(url):
            assert {type(session) for session in server.engine.sessions.values()} == {MeteredSession, Session}
        with pytest.raises(RefusedError):
            async with admin_client(url):
                pass
        server.instrument(auth=LOGIN)
        async with admin_client(url) as again:
            assert again.all("config")
