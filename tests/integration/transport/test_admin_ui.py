"""The Socket.IO Admin UI's protocol over our engine, with python-socketio's unmodified client as the admin."""

import asyncio
import contextlib
import inspect
import os
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import aiohttp
import orjson
import pytest
import socketio
from socketio.exceptions import ConnectionError as RefusedError

from hub.transport.engineio.meter import MeteredSession
from hub.transport.engineio.session import CLOSED, Session
from hub.transport.socketio.admin import feed, namespace
from hub.transport.socketio.server import SocketServer
from tests.support.admin_client import ADMIN, LOGIN, AdminClient, admin_client
from tests.support.socket_server import listening
from tests.support.wait import until

ALL_COMMANDS = ["EMIT", "JOIN", "LEAVE", "DISCONNECT", "MJOIN", "MLEAVE", "MDISCONNECT"]


@pytest.fixture
def server() -> SocketServer:
    """With an event that is answered, and two namespaces."""
    made = SocketServer()
    made.on("connect", lambda _sid, _environ, _auth: None)
    made.on("say", lambda _sid, *arguments: arguments)
    made.on("connect", lambda _sid, _environ, _auth: None, namespace="/chat")
    return made


@pytest.fixture
async def url(server: SocketServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    monkeypatch.setattr(namespace, "REFUSAL_S", 0.05)
    async with listening(server) as port:
        yield f"http://127.0.0.1:{port}"


@contextlib.asynccontextmanager
async def somebody(
    url: str, *, namespaces: tuple[str, ...] = ("/",), transports: tuple[str, ...] = ("websocket",), **more: Any
) -> AsyncIterator[socketio.AsyncClient]:
    """An ordinary client."""
    client = socketio.AsyncClient(reconnection=False)
    try:
        await client.connect(url, namespaces=list(namespaces), transports=list(transports), wait_timeout=10, **more)
        yield client
    finally:
        await client.shutdown()


def numbers(admin: AdminClient) -> dict[str, Any]:
    """The newest statistics."""
    newest: dict[str, Any] = admin.all("server_stats")[-1][0]
    return newest


def counted(admin: AdminClient, type: str) -> int:
    """How often something was counted in all statistics so far."""
    events = [event for (stats,) in admin.all("server_stats") for event in stats["aggregatedEvents"]]
    return sum(event["count"] for event in events if event["type"] == type)


# ---------------------------------------------------------------- signing in


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


# ---------------------------------------------------------------- what happens


async def test_sockets_that_come_and_go_are_told(server: SocketServer, url: str) -> None:
    server.instrument(auth=LOGIN)
    async with admin_client(url) as admin:
        async with somebody(url, namespaces=("/", "/chat")) as client:
            sid = client.get_sid()
            shown, at = await admin.told("socket_connected", lambda shown, _: shown["id"] == sid)
            assert (shown["nsp"], shown["rooms"]) == ("/", [sid])
            assert at.startswith("20")
            await admin.told("socket_connected", lambda shown, _: shown["nsp"] == "/chat")
            await server.enter_room(sid, "lobby")
        namespace_, _, reason, _ = await admin.told("socket_disconnected", lambda _n, id_, *_: id_ == sid)
        assert namespace_ == "/"
        assert reason in ("client disconnect", "transport close")  # it closes its WebSocket right behind the packet
        await admin.told("room_left", lambda _n, room, id_, _: (room, id_) == ("lobby", sid))
        await admin.told("room_left", lambda _n, room, id_, _: room == id_ == sid)


async def test_a_socket_that_the_server_puts_out_is_told_with_the_reason(server: SocketServer, url: str) -> None:
    server.instrument(auth=LOGIN)
    async with admin_client(url) as admin, somebody(url) as client:
        sid = client.get_sid()
        await server.disconnect(sid)
        told = await admin.told("socket_disconnected", lambda _n, id_, *_: id_ == sid)
        assert told[2] == "server disconnect"


async def test_rooms_that_are_joined_and_left_are_told_once(server: SocketServer, url: str) -> None:
    server.instrument(auth=LOGIN)
    async with admin_client(url) as admin, somebody(url) as client:
        sid = client.get_sid()
        for _ in range(2):
            await server.enter_room(sid, "lobby")
        for _ in range(2):
            await server.leave_room(sid, "lobby")
        await server.enter_room(sid, "last")
        await admin.told("room_joined", lambda _n, room, *_: room == "last")
        for event in ("room_joined", "room_left"):
            assert [told[:3] for told in admin.all(event) if told[1] == "lobby"] == [("/", "lobby", sid)]


async def test_rooms_of_the_connect_handler_are_part_of_the_socket(server: SocketServer, url: str) -> None:
    async def connect(sid: str, _environ: dict[str, Any], _auth: Any) -> None:
        await server.enter_room(sid, "early")

    server.on("connect", connect)
    server.instrument(auth=LOGIN)
    async with admin_client(url) as admin, somebody(url) as client:
        shown, _ = await admin.told("socket_connected", lambda shown, _: shown["nsp"] == "/")
        assert shown["rooms"] == [client.get_sid(), "early"]
        assert admin.all("room_joined") == []


async def test_events_are_mirrored_as_they_come_and_go(server: SocketServer, url: str) -> None:
    server.instrument(auth=LOGIN)
    async with admin_client(url) as admin, somebody(url) as one, somebody(url) as two:
        await one.call("say", ("hello", {"n": 1}, b"123"))
        received = await admin.told("event_received")
        assert received[:3] == ("/", one.get_sid(), ["say", "hello", {"n": 1}, "(3 bytes)"])

        await server.emit("news", {"n": 2}, skip_sid=two.get_sid())
        sent = await admin.told("event_sent", lambda _n, _id, arguments, _: arguments[0] == "news")
        assert sent[:3] == ("/", one.get_sid(), ["news", {"n": 2}])
        await server.emit("asked", ("a", "b"), to=two.get_sid(), callback=lambda *_: None)
        sent = await admin.told("event_sent", lambda _n, _id, arguments, _: arguments[0] == "asked")
        assert sent[1:3] == (two.get_sid(), ["asked", "a", "b"])
        server.rooms_of("/").sockets[one.get_sid()].emit("alone", 3)
        await admin.told("event_sent", lambda _n, _id, arguments, _: arguments == ["alone", 3])
        assert [told[1] for told in admin.all("event_sent") if told[2][0] == "news"] == [one.get_sid()]


async def test_the_admins_own_events_are_not_mirrored(server: SocketServer, url: str) -> None:
    server.instrument(auth=LOGIN)
    async with admin_client(url) as admin, admin_client(url) as other, somebody(url) as client:
        await other.command("emit", "/", None, "news")
        await client.call("say", ())
        await admin.told("event_received")
        assert {told[0] for event in ("event_received", "event_sent") for told in admin.all(event)} == {"/"}


async def test_an_upgrade_to_websocket_is_told(server: SocketServer, url: str) -> None:
    server.instrument(auth=LOGIN)
    async with admin_client(url) as admin, aiohttp.ClientSession(f"{url}/socket.io/") as http:
        # By hand: python-socketio's client connects only after its upgrade.
        async with http.get("?EIO=4&transport=polling") as response:
            session = orjson.loads((await response.text())[1:])["sid"]
        async with http.post(f"?EIO=4&transport=polling&sid={session}", data="40"):
            shown, _ = await admin.told("socket_connected", lambda shown, _: shown["nsp"] == "/")
        assert shown["transport"] == "polling"
        async with http.ws_connect(f"?EIO=4&transport=websocket&sid={session}") as websocket:
            await websocket.send_str("2probe")
            assert await websocket.receive_str() == "3probe"
            await websocket.send_str("5")
            told = await admin.told("socket_updated")
        assert told == ({"id": shown["id"], "nsp": "/", "transport": "websocket"},)


async def test_no_secret_of_a_client_reaches_an_admin(server: SocketServer, url: str) -> None:
    server.instrument(auth=LOGIN)
    headers = {"Cookie": "sid=sesame", "Authorization": "Bearer sesame"}
    async with admin_client(url) as admin:
        async with (
            somebody(f"{url}?key=sesame", headers=headers, auth={"token": "sesame"}) as client,
            admin_client(url) as later,
        ):
            await client.call("say", {"token": "sesame"})
            await server.emit("renewed", {"accessToken": "sesame"})
            await later.told("event_received")
            await later.told("event_sent")
            sessions = list(server.engine.sessions)
        for told in (admin.received, later.received):
            text = orjson.dumps(told).decode()
            assert "event_received" in text
            assert "sesame" not in text
            assert not any(session in text for session in sessions), "ids of sessions are bearer secrets"
            assert LOGIN["password"] not in text


async def test_the_details_of_a_socket_are_its_data(server: SocketServer, url: str) -> None:
    server.instrument(auth=LOGIN, details=lambda socket: {"userId": f"user of {socket.namespace}"})
    async with admin_client(url) as admin, somebody(url):
        shown, _ = await admin.told("socket_connected", lambda shown, _: shown["nsp"] == "/")
        assert shown["data"] == {"userId": "user of /"}


# ---------------------------------------------------------------- statistics


async def test_the_statistics_count_what_there_is(server: SocketServer, url: str) -> None:
    server.instrument(auth=LOGIN, server_id="node one", server_stats_interval=0.1)
    async with admin_client(url) as admin, somebody(url), somebody(url, namespaces=("/", "/chat")):
        async with somebody(url, transports=("polling",)):
            await until(lambda: numbers(admin)["clientsCount"] == 4 and numbers(admin)["namespaces"][0])
            stats = numbers(admin)
            assert stats["pollingClientsCount"] == 1
            assert {one["name"]: one["socketsCount"] for one in stats["namespaces"]} == {"/": 3, "/chat": 1, ADMIN: 1}
            assert (stats["serverId"], stats["pid"]) == ("node one", os.getpid())
            assert stats["hostname"]
            assert stats["uptime"] >= 0
        await until(lambda: numbers(admin)["clientsCount"] == 3)
        assert numbers(admin)["pollingClientsCount"] == 0


async def test_the_statistics_come_at_their_interval(server: SocketServer, url: str) -> None:
    server.instrument(auth=LOGIN, server_stats_interval=0.1)
    async with admin_client(url) as admin:
        await until(lambda: len(admin.all("server_stats")) >= 5)
        uptimes = [stats["uptime"] for (stats,) in admin.all("server_stats")][1:]
        assert all(later - earlier >= 0.09 for earlier, later in pairwise(uptimes))


async def test_what_came_and_went_is_counted(server: SocketServer, url: str) -> None:
    server.instrument(auth=LOGIN, server_stats_interval=0.1)
    async with somebody(url) as early:  # before there was an admin
        await early.call("say", "x" * 1000)
    async with admin_client(url) as admin:
        await until(lambda: counted(admin, "rawDisconnection") == 1)
        assert counted(admin, "rawConnection") == 2
        before = counted(admin, "bytesIn"), counted(admin, "packetsIn")
        assert before[0] > 1000
        async with somebody(url) as one:
            for _ in range(10):
                await one.call("say", "x" * 1000)
            await until(lambda: counted(admin, "packetsIn") >= before[1] + 11)
            assert 10_000 < counted(admin, "bytesIn") - before[0] < 11_000
            out = counted(admin, "bytesOut"), counted(admin, "packetsOut")
            await server.emit("news", "x" * 1000, to=[one.get_sid()])
            await until(lambda: counted(admin, "bytesOut") >= out[0] + 1000)
        events = [event for (stats,) in admin.all("server_stats") for event in stats["aggregatedEvents"]]
        assert all(event["timestamp"] % 1000 == 0 for event in events)
        await until(lambda: counted(admin, "rawDisconnection") == 2)
        reasons = {event["subType"] for event in events if event["type"] == "rawDisconnection"}
        assert reasons <= {"client disconnect", "transport close"}


async def test_no_timer_runs_without_an_admin(server: SocketServer, url: str) -> None:
    served = server.instrument(auth=LOGIN, server_stats_interval=0.1)
    async with admin_client(url):
        assert served._timer is not None
    await until(lambda: served._timer is None)


# ---------------------------------------------------------------- commands


async def test_an_event_is_emitted_to_everybody_a_room_or_a_socket(server: SocketServer, url: str) -> None:
    server.instrument(auth=LOGIN)
    async with admin_client(url) as admin, somebody(url) as one, somebody(url) as two:
        got: list[tuple[str, str, tuple[Any, ...]]] = []
        one.on("*", lambda event, *data: got.append(("one", event, data)))
        two.on("*", lambda event, *data: got.append(("two", event, data)))
        await server.enter_room(two.get_sid(), "lobby")
        assert await admin.command("emit", "/", one.get_sid(), "first", 1, {"x": 2}) == {"ok": True, "sockets": 1}
        assert await admin.command("emit", "/", "lobby", "second") == {"ok": True, "sockets": 1}
        assert await admin.command("emit", "/", None, "third") == {"ok": True, "sockets": 2}
        assert await admin.command("emit", "/", ["lobby", one.get_sid()], "fourth") == {"ok": True, "sockets": 2}
        await until(lambda: len(got) == 6)
        assert [one for one in got if one[1] in ("first", "second")] == [
            ("one", "first", (1, {"x": 2})),
            ("two", "second", ()),
        ]


async def test_sockets_are_made_to_join_and_leave_rooms(server: SocketServer, url: str) -> None:
    server.instrument(auth=LOGIN)
    async with admin_client(url) as admin, somebody(url) as one, somebody(url) as two:
        sids = [one.get_sid(), two.get_sid()]
        assert (await admin.command("join", "/", "red", sids[0]))["sockets"] == 1
        assert (await admin.command("join", "/", "blue"))["sockets"] == 2
        assert server.rooms(sids[0]) == [sids[0], *server.rooms_of("/").sockets[sids[0]].rooms]
        assert set(server.rooms(sids[0])) == {sids[0], "red", "blue"}
        assert set(server.rooms(sids[1])) == {sids[1], "blue"}
        assert (await admin.command("leave", "/", "blue", "red"))["sockets"] == 1
        assert set(server.rooms(sids[0])) == {sids[0], "red"}
        assert (await admin.command("leave", "/", "blue"))["sockets"] == 2
        assert server.rooms(sids[1]) == [sids[1]]
        await admin.told("room_left", lambda _n, room, id_, _: (room, id_) == ("blue", sids[1]))


async def test_sockets_are_disconnected_and_their_handlers_told(server: SocketServer, url: str) -> None:
    gone: list[tuple[str, str]] = []
    server.on("disconnect", lambda sid, reason: gone.append((sid, reason)))
    server.instrument(auth=LOGIN)
    async with admin_client(url) as admin, somebody(url, namespaces=("/", "/chat")) as client:
        sid = client.get_sid()
        assert await admin.command("_disconnect", "/", False, sid) == {"ok": True, "sockets": 1}
        await until(lambda: "/" not in client.namespaces)
        assert gone == [(sid, "server disconnect")]
        assert client.connected, "only the socket of that namespace is gone"


async def test_a_whole_client_is_disconnected_once_in_every_namespace(server: SocketServer, url: str) -> None:
    gone: list[str] = []
    server.on("disconnect", lambda _sid, _reason: gone.append("/"))
    server.on("disconnect", lambda _sid, _reason: gone.append("/chat"), namespace="/chat")
    server.instrument(auth=LOGIN)
    async with admin_client(url) as admin, somebody(url, namespaces=("/", "/chat")) as client, somebody(url) as other:
        assert (await admin.command("_disconnect", "/", True, client.get_sid()))["sockets"] == 1
        await until(lambda: not client.connected)
        assert sorted(gone) == ["/", "/chat"]
        assert other.connected
        assert (await admin.command("_disconnect", "/", True))["sockets"] == 1
        await until(lambda: not other.connected)
        assert sorted(gone) == ["/", "/", "/chat"]


@pytest.mark.parametrize(
    "command",
    [
        ("emit", "/"),
        ("emit", "/", None, "connect"),
        ("emit", 7, None, "x"),
        ("join", "/"),
        ("join", "/", {"room": 1}),
        ("join", "/", "x" * 1000),
        ("leave",),
        ("_disconnect", "/", "yes"),
        ("shutdown", "/"),
        ("disconnect_all",),
    ],
    ids=str,
)
async def test_a_command_that_makes_no_sense_is_answered_with_what_is_wrong(
    server: SocketServer, url: str, command: tuple[Any, ...]
) -> None:
    server.instrument(auth=LOGIN)
    async with admin_client(url) as admin, somebody(url) as client:
        answer = await admin.command(*command)
        assert answer["ok"] is False
        assert answer["error"]
        assert server.rooms(client.get_sid()) == [client.get_sid()]
        assert client.connected


async def test_a_namespace_that_there_is_not_is_not_made_by_naming_it(server: SocketServer, url: str) -> None:
    server.instrument(auth=LOGIN)
    async with admin_client(url) as admin:
        assert await admin.command("join", "/nowhere", "room") == {"ok": True, "sockets": 0}
        assert await admin.command("emit", "/nowhere", None, "x") == {"ok": True, "sockets": 0}
    assert "/nowhere" not in server._rooms


async def test_a_read_only_ui_refuses_every_command(server: SocketServer, url: str) -> None:
    server.instrument(auth=LOGIN, read_only=True)
    async with admin_client(url) as admin, somebody(url) as client:
        sid = client.get_sid()
        got: list[str] = []
        client.on("*", lambda event, *_: got.append(event))
        assert admin.all("config") == [({"supportedFeatures": ["AGGREGATED_EVENTS", "ALL_EVENTS"]},)]
        for command in (("emit", "/", None, "x"), ("join", "/", "r"), ("leave", "/", "r"), ("_disconnect", "/", True)):
            answer = await admin.command(*command)
            assert answer == {"ok": False, "error": "this Admin UI is read-only"}, command
        assert server.rooms(sid) == [sid]
        await client.call("say", ())  # had anything been emitted, it would have come before the answer
        assert got == []


async def test_somebody_who_is_not_signed_in_commands_nothing(server: SocketServer, url: str) -> None:
    server.instrument(auth=LOGIN)
    async with somebody(url) as victim, somebody(url) as stranger:
        await stranger._send_packet(  # python-socketio refuses to send to a namespace that it is not in
            stranger.packet_class(2, data=["_disconnect", "/", True, victim.get_sid()], namespace=ADMIN)
        )
        await stranger.call("say", ())
        assert victim.connected
        assert victim.get_sid() in server.rooms_of("/").sockets


# ---------------------------------------------------------------- production, and without


async def test_in_production_nothing_is_told_of_sockets_and_events(server: SocketServer, url: str) -> None:
    server.instrument(auth=LOGIN, mode="production", server_stats_interval=0.1)
    async with admin_client(url) as admin:
        assert admin.all("config") == [({"supportedFeatures": [*ALL_COMMANDS, "AGGREGATED_EVENTS"]},)]
        async with somebody(url) as client:
            await server.enter_room(client.get_sid(), "lobby")
            await client.call("say", "hello")
            await server.emit("news")
            assert (await admin.command("join", "/", "room"))["sockets"] == 1
        await until(lambda: counted(admin, "rawDisconnection") == 1)
        assert {told[0] for told in admin.received} == {"session", "config", "server_stats"}


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


# ---------------------------------------------------------------- bounds


async def test_mirrors_of_events_are_bounded_by_the_second(
    server: SocketServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "EVENTS_A_SECOND", 50)
    server.instrument(auth=LOGIN)
    async with admin_client(url) as admin, somebody(url) as one, somebody(url) as two:
        began = asyncio.get_running_loop().time()
        for number in range(5000):
            await server.emit("news", number)
        await one.call("say", ())
        await two.call("say", ())
        await admin.command("leave", "/", "nothing")  # answered after all mirrors
        seconds = int(asyncio.get_running_loop().time() - began) + 2
        mirrored = len(admin.all("event_sent")) + len(admin.all("event_received"))
        assert 50 <= mirrored <= 50 * seconds


async def test_of_an_event_to_many_a_few_receivers_are_shown(
    server: SocketServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "RECEIVERS_SHOWN", 2)
    server.instrument(auth=LOGIN)
    async with admin_client(url) as admin, contextlib.AsyncExitStack() as crowd:
        for _ in range(4):
            await crowd.enter_async_context(somebody(url))
        await server.emit("news")
        await admin.command("leave", "/", "nothing")
        assert len(admin.all("event_sent")) == 2


async def test_the_whole_picture_is_bounded_and_the_numbers_are_right_all_the_same(
    server: SocketServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "MAX_SOCKETS", 2)
    server.instrument(auth=LOGIN)
    async with contextlib.AsyncExitStack() as crowd:
        for _ in range(4):
            await crowd.enter_async_context(somebody(url))
        async with admin_client(url) as admin:
            assert [len(sockets) for (sockets,) in admin.all("all_sockets")] == [2]
            assert numbers(admin)["namespaces"][0] == {"name": "/", "socketsCount": 4}
        monkeypatch.setattr(feed, "MAX_SOCKETS", 1000)
        monkeypatch.setattr(feed, "MAX_PICTURE_BYTES", 1000)
        async with admin_client(url) as admin:
            ((sockets,),) = admin.all("all_sockets")
            assert 1 <= len(sockets) < 4
            assert len(orjson.dumps(sockets)) <= 1010


async def test_after_more_changes_than_are_told_comes_the_whole_picture(
    server: SocketServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "CHANGES_A_SECOND", 1)
    server.instrument(auth=LOGIN, server_stats_interval=0.1)
    async with admin_client(url) as admin, somebody(url) as one:
        for number in range(10):
            await server.enter_room(one.get_sid(), f"room {number}")
        (sockets,) = await admin.told(
            "all_sockets", lambda sockets: any(len(socket["rooms"]) == 11 for socket in sockets)
        )
        assert len(sockets) == 2
        assert len(admin.all("room_joined")) < 10


async def test_an_admin_who_does_not_read_loses_mirrors_and_is_cut_in_the_end(
    server: SocketServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "CHANGES_A_SECOND", 1_000_000)
    monkeypatch.setattr(feed, "EVENTS_A_SECOND", 1_000_000)
    server.instrument(auth=LOGIN)
    async with admin_client(url), somebody(url) as client:
        session = next(iter(server.rooms_of(ADMIN).sockets.values())).client.session
        session.set_writable(False)  # as when its transport is full
        for number in range(50):
            await server.emit("news", "x" * 1000)
            await client.call("say", number)
        held = 0 if session.backlog is None else session.backlog.size
        assert held < 10_000, "mirrors wait for nobody"
        for number in range(20_000):
            await server.enter_room(client.get_sid(), f"{number} " + "x" * 100)
            if session.state == CLOSED:
                break
            if not number % 100:
                await asyncio.sleep(0)
        assert session.state == CLOSED
        await client.call("say", "nobody else is the worse for it")
