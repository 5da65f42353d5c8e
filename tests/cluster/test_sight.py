"""Who sees whose presence changes on live connections of both nodes within a second, whatever changes it."""

import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from core_api.accounts.privacy import Audience
from core_api.accounts.store_postgres_people import PostgresPeople
from core_api.accounts.store_postgres_privacy import PostgresPrivacy
from hub.kernel.clock import from_ms
from hub.kernel.ids import UserId
from tests.support.hub_process import HubProcess
from tests.support.rest import Person, Rest
from tests.support.socket_client import SocketClient, socket_client

WITHIN_S = 1.0


@pytest.fixture
async def pool(hub: HubProcess) -> AsyncIterator[asyncpg.Pool]:
    """The database of the hub: to commit what the node that did it died before it told."""
    async with asyncpg.create_pool(hub.database_url, min_size=1, max_size=1) as pool:
        yield pool


@contextlib.asynccontextmanager
async def present(hub: HubProcess, person: Person) -> AsyncIterator[SocketClient]:
    """A connection to the first node, of which has been told all that is to be told."""
    async with socket_client(hub.nodes[0].url, person.token) as client:
        await client.expect("presence:diff")
        yield client


@contextlib.asynccontextmanager
async def watching(hub: HubProcess, watcher: Person, **whom: Any) -> AsyncIterator[list[SocketClient]]:
    """A connection of the watcher to each node, which watch."""
    async with (
        socket_client(hub.nodes[0].url, watcher.token) as here,
        socket_client(hub.nodes[1].url, watcher.token) as there,
    ):
        for client in (here, there):
            await client.ok("presence:watch", whom)
        yield [here, there]


async def told(clients: list[SocketClient], of: Person) -> dict[str, Any]:
    """What each is told of somebody within a second from now: the same, and once."""
    end = time.monotonic() + WITHIN_S
    presences = []
    for client in clients:
        diff = await client.expect(
            "presence:diff",
            lambda diff: any(user["userId"] == of.id for user in diff["users"]),
            end - time.monotonic(),
        )
        presences.append(next(user for user in diff["users"] if user["userId"] == of.id))
    one, other = presences
    assert {**one, "version": 0} == {**other, "version": 0}
    return dict(one)


async def choose(rest: Rest, person: Person, **choice: str) -> None:
    (await rest.request("PATCH", "/users/me/privacy", person, json=choice)).expect(200)


async def test_a_change_of_privacy_shows_strangers_less_and_then_more(hub: HubProcess, rest: Rest) -> None:
    ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
    async with present(hub, ada), watching(hub, bob, userIds=[ada.id]) as clients:
        await choose(rest, ada, lastSeen="nobody")
        less = await told(clients, ada)
        assert (less["status"], less["lastSeen"]) == ("online", None)
        await choose(rest, ada, presence="friends")
        assert (await told(clients, ada))["status"] == "offline"
        for client in clients:
            [seen] = (await client.ok("presence:get", {"userIds": [ada.id]}))["users"]
            assert (seen["status"], seen["version"]) == ("offline", 0)
        await choose(rest, ada, presence="everyone", lastSeen="everyone")
        now = await told(clients, ada)
        assert now["status"] == "online"
        assert now["lastSeen"] is not None


async def test_whoever_becomes_a_friend_sees_a_friend_until_they_are_none(hub: HubProcess, rest: Rest) -> None:
    ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
    await choose(rest, ada, presence="friends")
    (await rest.post(f"/users/{ada.id}/follow", bob)).expect(204)
    async with present(hub, ada), watching(hub, bob, userIds=[ada.id]) as clients:
        (await rest.post(f"/users/{bob.id}/follow", ada)).expect(204)
        assert (await told(clients, ada))["status"] == "online"
        (await rest.request("DELETE", f"/users/{bob.id}/follow", ada)).expect(204)
        assert (await told(clients, ada))["status"] == "offline"


async def test_a_block_hides_and_its_end_shows(hub: HubProcess, rest: Rest) -> None:
    ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
    async with present(hub, ada) as device, watching(hub, bob, userIds=[ada.id]) as clients:
        (await rest.post(f"/users/{bob.id}/block", ada)).expect(204)
        assert (await told(clients, ada))["status"] == "offline"
        await device.ok("presence:update", {"status": "busy", "text": "not for Bob"})
        await device.expect("presence:diff")  # which is told at the same moment as to those who watch
        (await rest.request("DELETE", f"/users/{bob.id}/block", ada)).expect(204)
        assert (await told(clients, ada))["status"] == "busy"
        others = [diff for client in clients for event, diff in client.received if event == "presence:diff"]
        assert {user["userId"] for diff in others for user in diff["users"]} == {bob.id}, "each was told once"


async def test_a_circle_follows_whom_one_follows(hub: HubProcess, rest: Rest) -> None:
    ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
    async with present(hub, ada) as device, watching(hub, bob, people="following") as clients:
        (await rest.post(f"/users/{ada.id}/follow", bob)).expect(204)
        assert (await told(clients, ada))["status"] == "online"
        await device.ok("presence:update", "busy")
        assert (await told(clients, ada))["status"] == "busy"


@pytest.mark.parametrize("what", ["privacy", "block"])
async def test_it_is_so_though_the_node_that_committed_it_died_at_once(
    hub: HubProcess, rest: Rest, pool: asyncpg.Pool, what: str
) -> None:
    ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
    async with present(hub, ada), watching(hub, bob, userIds=[ada.id]) as clients:
        if what == "block":
            await PostgresPeople(pool).block(UserId(ada.id), UserId(bob.id), from_ms(0))
        else:
            nobody = Audience.NOBODY
            await PostgresPrivacy(pool).change_privacy(UserId(ada.id), presence=nobody, last_seen=None, version=None)
        assert (await told(clients, ada))["status"] == "offline"
