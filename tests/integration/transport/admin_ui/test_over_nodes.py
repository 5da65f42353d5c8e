"""The Admin UIs of several servers as one: each keeps its own mode and rights, and what is missed is made up for."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from hub.transport.socketio.admin import feed
from hub.transport.socketio.server import SocketServer
from tests.support.admin_client import LOGIN, AdminClient, admin_client, numbers
from tests.support.local_peers import LocalPeers, local_peers
from tests.support.socket_client import somebody
from tests.support.socket_server import listening
from tests.support.wait import until

INTERVAL_S = 0.1


class Node:
    """A server with an Admin UI."""

    def __init__(self, peers: LocalPeers, url: str, server: SocketServer) -> None:
        self.peers, self.url, self.server = peers, url, server

    def instrument(self, interval_s: float = INTERVAL_S, **options: Any) -> None:
        self.server.instrument(
            auth=LOGIN, server_id=self.peers.id, server_stats_interval=interval_s, peers=self.peers, **options
        )


@contextlib.asynccontextmanager
async def running(peers: LocalPeers) -> AsyncIterator[Node]:
    server = SocketServer()
    server.on("connect", lambda _sid, _environ, _auth: None)
    server.on("say", lambda _sid, *arguments: arguments)
    async with listening(server) as port:
        yield Node(peers, f"http://127.0.0.1:{port}", server)


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Node, Node]]:
    one, two = local_peers("one", "two")
    async with running(one) as here, running(two) as there:
        yield here, there


def shown(admin: AdminClient) -> set[str]:
    """The sockets in the newest picture."""
    return {socket["id"] for socket in admin.all("all_sockets")[-1][0] if socket["nsp"] == "/"}


async def test_a_server_whose_ui_is_read_only_does_nothing_for_an_admin_of_another(pair: tuple[Node, Node]) -> None:
    here, there = pair
    here.instrument()
    there.instrument(read_only=True)
    async with admin_client(here.url) as admin, somebody(here.url) as own, somebody(there.url) as other:
        answer = await admin.command("_disconnect", "/", True)
        assert (answer["ok"], answer["sockets"], answer["missingNodes"]) == (False, 1, ["two"])
        await until(lambda: not own.connected)
        assert await other.call("say", "still here") == "still here"
    async with admin_client(there.url) as admin, somebody(here.url) as other:
        assert await admin.command("_disconnect", "/", True) == {"ok": False, "error": "this Admin UI is read-only"}
        assert await other.call("say", "still here") == "still here"


async def test_a_server_in_production_mode_shows_numbers_alone_to_an_admin_of_another(pair: tuple[Node, Node]) -> None:
    here, there = pair
    here.instrument()
    there.instrument(mode="production")
    async with somebody(there.url) as client, admin_client(here.url) as admin:
        assert shown(admin) == set()
        await there.server.enter_room(client.get_sid(), "lobby")
        await client.call("say", "hello")
        await admin.told("server_stats", lambda stats: stats["serverId"] == "two" and stats["clientsCount"] == 1)
        assert client.get_sid() not in str(admin.received)
    async with admin_client(there.url) as admin, somebody(here.url) as client:
        await client.call("say", "hello")
        await admin.told("server_stats", lambda stats: stats["serverId"] == "one" and stats["clientsCount"] == 1)
        assert {told[0] for told in admin.received} == {"session", "config", "server_stats"}


async def test_a_server_without_a_ui_is_named_and_the_others_are_shown(pair: tuple[Node, Node]) -> None:
    here, there = pair
    here.instrument()
    async with admin_client(here.url) as admin, somebody(here.url) as own, somebody(there.url) as other:
        await until(lambda: admin.all("socket_connected"))
        answer = await admin.command("emit", "/", None, "news")
        assert (answer["ok"], answer["sockets"], answer["missingNodes"]) == (False, 1, ["two"])
        assert await own.call("say", "a") == await other.call("say", "a")


@pytest.mark.parametrize("is_last", [True, False], ids=["the last one", "one before others"])
async def test_a_notice_that_is_lost_is_made_up_for_by_the_whole_picture(
    pair: tuple[Node, Node], is_last: bool
) -> None:
    here, there = pair
    for node in pair:
        node.instrument(interval_s=0.5)  # the next change comes before the other node is asked twice
    async with admin_client(here.url) as admin:
        await admin.told("server_stats", lambda stats: stats["serverId"] == "two")
        async with somebody(there.url) as first, somebody(there.url) as second:
            await admin.told("socket_connected", lambda socket, _: socket["id"] == second.get_sid())
            before = len(admin.all("all_sockets"))
            here.peers.loses = "admin ui: changes"
            await there.server.enter_room(first.get_sid(), "silence")
            await until(lambda: here.peers.loses is None)
            if not is_last:
                await there.server.enter_room(second.get_sid(), "noise")
            await until(lambda: len(admin.all("all_sockets")) > before)
            rooms = {socket["id"]: socket["rooms"] for socket in admin.all("all_sockets")[-1][0]}
            assert "silence" in rooms[first.get_sid()]
            assert "silence" not in str(admin.all("room_joined"))


async def test_more_changes_elsewhere_than_are_told_are_followed_by_the_whole_picture(
    pair: tuple[Node, Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "CHANGES_A_SECOND", 1)
    here, there = pair
    for node in pair:
        node.instrument()
    async with admin_client(here.url) as admin, somebody(there.url) as client:
        await admin.told("server_stats", lambda stats: stats["serverId"] == "two")
        for number in range(10):
            await there.server.enter_room(client.get_sid(), f"room {number}")
        await admin.told("all_sockets", lambda sockets: any(len(socket["rooms"]) == 11 for socket in sockets))


async def test_the_picture_of_all_has_its_bounds_and_something_of_each(
    pair: tuple[Node, Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "MAX_SOCKETS", 4)
    for node in pair:
        node.instrument()
    async with contextlib.AsyncExitStack() as crowd:
        clients = [await crowd.enter_async_context(somebody(node.url)) for node in pair for _ in range(3)]
        admin = await crowd.enter_async_context(admin_client(pair[0].url))
        (picture,) = admin.all("all_sockets")[0]
        assert len(picture) == 4
        there = {client.get_sid() for client in clients[3:]}
        assert len(there & {socket["id"] for socket in picture}) == 2


async def test_who_stops_watching_is_soon_told_nothing_any_more(pair: tuple[Node, Node]) -> None:
    here, there = pair
    for node in pair:
        node.instrument()
    async with admin_client(here.url) as admin, somebody(there.url):
        await admin.told("socket_connected")
        assert numbers(admin)["serverId"] in {"one", "two"}
    heard = there.peers.nodes[here.peers.id]._heard["admin ui: changes"]
    told: list[Any] = []
    here.peers.hear("admin ui: changes", heard[0], lambda _, changes: told.append(changes))

    async def is_silent() -> bool:
        told.clear()
        async with somebody(there.url) as client:
            await client.call("say", "is anybody there?")
        return not told

    await until(is_silent)
