"""What an admin is told of sockets, rooms and events, and what not."""

from typing import Any

import aiohttp
import orjson

from hub.transport.socketio.server import SocketServer
from tests.support.admin_client import ALL_COMMANDS, LOGIN, admin_client, counted
from tests.support.socket_client import somebody
from tests.support.wait import until


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
