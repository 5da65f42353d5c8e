"""What an admin may have done: emit, join, leave, disconnect."""

from typing import Any

import pytest

from hub.transport.socketio.server import SocketServer
from tests.support.admin_client import ADMIN, LOGIN, admin_client
from tests.support.raw_client import Client
from tests.support.socket_client import somebody
from tests.support.wait import until


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
    async with somebody(url) as victim:
        # python-socketio's client refuses to send to a namespace that it is not in.
        client = Client(int(url.rpartition(":")[2]))
        stranger = await client.websocket("/socket.io/")
        await stranger.send("40", f'42{ADMIN},["_disconnect","/",true,"{victim.get_sid()}"]', '421["say"]')
        assert str(await stranger.packet()).startswith("40")
        assert await stranger.packet() == "431[]"
        await client.close()
        assert victim.connected
        assert victim.get_sid() in server.rooms_of("/").sockets
