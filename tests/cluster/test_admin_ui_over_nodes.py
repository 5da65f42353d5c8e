"""The Admin UI of one node shows the sockets of all, tells their changes in order, and acts on them all."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.admin_client import AdminClient, admin_client
from tests.support.hub_process import HubProcess, running_hub_process
from tests.support.rest import Person, Rest
from tests.support.servers import Servers
from tests.support.socket_client import SocketClient, socket_client
from tests.support.wait import until

PASSWORD = "correct horse battery staple"
LOGIN = {"username": "admin", "password": PASSWORD}


def started(servers: Servers, folder: Path, *, read_only: bool) -> contextlib.AbstractContextManager[HubProcess]:
    """Two nodes with the Admin UI in development mode."""
    password = folder / "password"
    password.write_text(PASSWORD)
    password.chmod(0o600)
    return running_hub_process(
        servers,
        folder / "hub",
        SPARKLE_ADMIN_UI_PASSWORD_FILE=str(password),
        SPARKLE_ADMIN_UI_MODE="development",
        SPARKLE_ADMIN_UI_READ_ONLY=str(read_only).lower(),
    )


@pytest.fixture(scope="module")
def processes(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    with started(servers, tmp_path_factory.mktemp("admin"), read_only=False) as running:
        yield running
    assert "Traceback" not in running.output, running.output


@pytest.fixture
async def ada(rest: Rest) -> Person:
    return await rest.sign_up("ada")


@contextlib.asynccontextmanager
async def page(hub: HubProcess, node: int = 0) -> AsyncIterator["Page"]:
    async with admin_client(hub.nodes[node].url, LOGIN) as admin:
        yield Page(admin)


class Page:
    """The page's list of sockets and their rooms, kept as npm's page keeps it from what it is told."""

    def __init__(self, admin: AdminClient) -> None:
        self.admin = admin

    def sockets(self) -> dict[str, list[str]]:
        """The rooms of each socket of the namespace of the hub."""
        shown: dict[str, list[str]] = {}
        for event, *told in self.admin.received:
            if event == "all_sockets":
                shown = {one["id"]: list(one["rooms"]) for one in told[0] if one["nsp"] == "/"}
            elif event == "socket_connected" and told[0]["nsp"] == "/":
                shown.setdefault(told[0]["id"], list(told[0]["rooms"]))
            elif event == "socket_disconnected":
                shown.pop(told[1], None)
            elif event in ("room_joined", "room_left") and told[2] in shown:
                rooms = shown[told[2]]
                assert (told[1] in rooms) == (event == "room_left"), f"{event} told twice: {told}"
                (rooms.append if event == "room_joined" else rooms.remove)(told[1])
        return shown

    async def told_of(self, hub: HubProcess) -> None:
        """Wait until the statistics of all nodes have come."""
        for node in hub.nodes:
            await self.admin.told("server_stats", lambda stats, id_=node.node_id: stats["serverId"] == id_)


async def test_sockets_of_the_other_node_are_in_the_picture_and_so_is_what_becomes_of_them(
    hub: HubProcess, rest: Rest, ada: Person
) -> None:
    room = await rest.room(ada)
    async with socket_client(hub.nodes[1].url, ada.token) as there, page(hub) as shown:
        sid = there.io.get_sid()
        (picture,) = shown.admin.all("all_sockets")[0]
        (own,) = [one for one in picture if one["id"] == sid]
        assert own["data"] == {"userId": ada.id}
        await there.ok("room:join", {"roomId": room})
        await until(lambda: f"room:{room}" in shown.sockets()[sid])
        await there.ok("room:leave", {"roomId": room})
        await until(lambda: f"room:{room}" not in shown.sockets()[sid])
        received = await shown.admin.told("event_received", lambda _n, id_, *_: id_ == sid)
        assert received[2][0] == "room:join"
        await there.io.disconnect()
        await until(lambda: sid not in shown.sockets())
        async with socket_client(hub.nodes[1].url, ada.token) as again:
            await until(lambda: again.io.get_sid() in shown.sockets())


async def test_statistics_of_all_nodes_reach_an_admin_of_any(hub: HubProcess) -> None:
    for node in range(2):
        async with page(hub, node) as shown:
            await shown.told_of(hub)


async def test_commands_reach_sockets_of_all_nodes(hub: HubProcess, rest: Rest, ada: Person) -> None:
    bob = await rest.sign_up("bob")
    room = await rest.room(bob)
    async with contextlib.AsyncExitStack() as held:
        clients: list[SocketClient] = [
            await held.enter_async_context(socket_client(node.url, ada.token)) for node in hub.nodes
        ]
        shown = await held.enter_async_context(page(hub))
        mine, done = f"user:{ada.id}", {"ok": True, "sockets": 2, "missingNodes": []}
        assert await shown.admin.command("emit", "/", mine, "hello", {"n": 1}) == done
        for client in clients:
            assert await client.expect("hello") == {"n": 1}
        assert await shown.admin.command("join", "/", f"room:{room}", mine) == done
        async with socket_client(hub.nodes[0].url, bob.token) as owner:
            await owner.ok("room:join", {"roomId": room})
            await owner.ok("room:send", {"roomId": room, "clientId": "1", "body": "for all"})
        for client in clients:
            assert (await client.expect("room:message"))["body"] == "for all"
        assert await shown.admin.command("leave", "/", f"room:{room}", mine) == done
        for command in ("join", "leave"):
            for room_of_hub in (mine, f"user:{bob.id}", "session:1"):
                answer = await shown.admin.command(command, "/", room_of_hub, mine)
                assert (answer["ok"], "by hand" in answer["error"]) == (False, True)
        there = clients[1].io.get_sid()
        answer = await shown.admin.command("_disconnect", "/", True, there)
        assert answer == {"ok": True, "sockets": 1, "missingNodes": []}
        await until(lambda: not clients[1].connected)
        await until(lambda: set(shown.sockets()) == {clients[0].io.get_sid()})


async def test_a_node_that_is_stopped_is_named_and_its_sockets_are_shown_again_afterwards(
    hub: HubProcess, ada: Person
) -> None:
    async with socket_client(hub.nodes[1].url, ada.token, reconnects=True), page(hub) as shown:
        await until(lambda: len(shown.sockets()) == 1)
        stopped = hub.nodes[1].node_id
        with hub.nodes[1].paused():
            answer: dict[str, Any] = await shown.admin.command("emit", "/", None, "hello")
            assert (answer["ok"], answer["missingNodes"]) == (False, [stopped])
            await until(lambda: not shown.sockets(), 10)
            async with page(hub) as later:
                assert later.sockets() == {}
        await until(lambda: len(shown.sockets()) == 1, 20)
