"""However much happens, an admin is told a bounded part of it, and nobody else is the worse for it."""

import asyncio
import contextlib

import orjson
import pytest

from hub.transport.engineio.session import CLOSED
from hub.transport.socketio.admin import feed
from hub.transport.socketio.server import SocketServer
from tests.support.admin_client import ADMIN, LOGIN, admin_client, numbers
from tests.support.socket_client import somebody


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
