"""The numbers that an admin is told, and when."""

import os
from itertools import pairwise

from hub.transport.socketio.server import SocketServer
from tests.support.admin_client import ADMIN, LOGIN, admin_client, counted, numbers
from tests.support.socket_client import somebody
from tests.support.wait import until


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
