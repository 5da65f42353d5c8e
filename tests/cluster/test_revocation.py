"""What ends a session, an account or a right acts on live connections of both nodes within a second."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest
import socketio

from tests.support.hub import PASSWORD
from tests.support.hub_process import HubProcess
from tests.support.rest import Person, Rest
from tests.support.socket_client import SocketClient, socket_client
from tests.support.wait import until

WITHIN_S = 1.0


@pytest.fixture
async def elsewhere(hub: HubProcess) -> AsyncIterator[Rest]:
    """The REST interface of the second node."""
    async with Rest(hub.nodes[1].url) as client:
        yield client


@contextlib.asynccontextmanager
async def on_both_nodes(hub: HubProcess, person: Person) -> AsyncIterator[list[SocketClient]]:
    """A connection of the person to each node."""
    async with (
        socket_client(hub.nodes[0].url, person.token, reconnects=True) as here,
        socket_client(hub.nodes[1].url, person.token, reconnects=True) as there,
    ):
        yield [here, there]


async def closed_for_good(clients: list[SocketClient], reason: str) -> None:
    """Within a second from now, each is told why and is gone."""
    end = time.monotonic() + WITHIN_S
    for client in clients:
        assert await client.expect("session:revoked", timeout_s=end - time.monotonic()) == {"reason": reason}
    await until(lambda: not any(client.connected for client in clients), end - time.monotonic())


async def refusal(url: str, auth: dict[str, Any]) -> Any:
    """The code with which a handshake is refused."""
    client = socketio.AsyncClient(reconnection=False)
    refused: list[Any] = []
    client.on("connect_error", refused.append)
    try:
        with pytest.raises(socketio.exceptions.ConnectionError):
            await client.connect(url, auth=auth, transports=["websocket"], wait_timeout=10)
    finally:
        await client.shutdown()
    return refused[0]["data"]["code"]


async def test_a_session_that_its_owner_ends_is_closed_on_both_nodes_and_no_other_is(
    hub: HubProcess, rest: Rest
) -> None:
    ada = await rest.sign_up("ada")
    again = await rest.sign_in(ada.name)
    sessions = (await rest.get("/auth/sessions", ada)).expect(200)["data"]
    (ended,) = [one["id"] for one in sessions if one["current"]]
    async with on_both_nodes(hub, ada) as clients, on_both_nodes(hub, again) as others:
        (await rest.request("DELETE", f"/auth/sessions/{ended}", again)).expect(204)
        await closed_for_good(clients, "ended_by_user")
        for other in others:
            assert await other.ok("presence:get", {"userIds": []}) == {"users": []}
            assert other.count("session:revoked") == 0
    for node in hub.nodes:
        assert await refusal(node.url, {"token": ada.token}) == "unauthorized"


async def test_a_suspended_person_is_put_out_everywhere_and_told_so_at_every_door(
    hub: HubProcess, rest: Rest, elsewhere: Rest
) -> None:
    ada = await rest.sign_up("ada")
    again = await rest.sign_in(ada.name)
    signed_in = (await rest.post("/auth/signin", json={"username": ada.name, "password": PASSWORD})).expect(200)
    tickets = [(await rest.post("/realtime/tickets", ada)).expect(201)["ticket"] for _ in hub.nodes]
    async with on_both_nodes(hub, ada) as clients, on_both_nodes(hub, again) as more:
        await asyncio.to_thread(hub.admin, "suspend", f"{ada.name}@example.org", "--reason", "spam")
        await closed_for_good([*clients, *more], "suspended")
    for node, ticket in zip(hub.nodes, tickets, strict=True):
        assert await refusal(node.url, {"token": ada.token}) == "suspended"
        assert await refusal(node.url, {"ticket": ticket}) == "suspended"
    for at in (rest, elsewhere):
        assert (await at.get("/users/me", again)).expect(403)["code"] == "suspended"
        refresh = {"refreshToken": signed_in["refreshToken"]}
        assert (await at.post("/auth/refresh", json=refresh)).expect(403)["code"] == "suspended"
        credentials = {"username": ada.name, "password": PASSWORD}
        assert (await at.post("/auth/signin", json=credentials)).expect(403)["code"] == "suspended"


async def test_who_is_no_longer_suspended_signs_in_anew(hub: HubProcess, rest: Rest) -> None:
    ada = await rest.sign_up("ada")
    await asyncio.to_thread(hub.admin, "suspend", ada.id)
    await asyncio.to_thread(hub.admin, "unsuspend", ada.id)
    again = await rest.sign_in(ada.name)
    async with on_both_nodes(hub, again) as clients:
        await asyncio.to_thread(hub.admin, "grant", ada.id, "moderator")
        assert (await rest.get("/users/me", again)).expect(200)["role"] == "moderator"
        assert not any(client.count("session:revoked") for client in clients)
    assert await refusal(hub.nodes[1].url, {"token": ada.token}) == "unauthorized"


class Places(NamedTuple):
    """What Ada has that everybody may see."""

    room: str
    post: str
    document: str

    @classmethod
    async def of(cls, rest: Rest, owner: Person) -> "Places":
        document = await rest.document(owner)
        path = f"/documents/{document}"
        (await rest.request("PATCH", path, owner, json={"visibility": "public"})).expect(200)
        return cls(await rest.room(owner), (await rest.post_article(owner))["id"], document)

    async def enter(self, client: SocketClient) -> None:
        await client.ok("room:join", {"roomId": self.room})
        await client.ok("content:subscribe", {"contentId": self.post})
        await client.ok("collab:join", {"documentId": self.document})

    @property
    def rooms(self) -> list[str]:
        return [f"room:{self.room}", f"content:{self.post}", f"doc:{self.document}"]


async def still_in(client: SocketClient, rooms: list[str]) -> list[str]:
    """In which of the rooms a connection is: typing is for members."""
    answers = {room: await client.call("typing:start", {"room": room}) for room in rooms}
    return [room for room, answer in answers.items() if answer["ok"]]


async def put_out(clients: list[SocketClient], rooms: list[str]) -> None:
    """Within a second from now, none of the connections is in any of the rooms."""
    end = time.monotonic() + WITHIN_S
    for client in clients:

        async def is_out(client: SocketClient = client) -> bool:
            return not await still_in(client, rooms)

        await until(is_out, end - time.monotonic())


@pytest.mark.parametrize("by_owner", [True, False], ids=["the owner blocks", "the owner is blocked"])
async def test_a_block_puts_out_who_is_in_rooms_posts_and_documents_of_the_other(
    hub: HubProcess, rest: Rest, by_owner: bool
) -> None:
    ada, bob, carol = [await rest.sign_up(name) for name in ("ada", "bob", "carol")]
    places, shared = await Places.of(rest, ada), await rest.room(ada)
    (await rest.post(f"/rooms/{shared}/members", ada, json={"userId": bob.id})).expect(201)
    async with on_both_nodes(hub, bob) as clients, socket_client(hub.nodes[1].url, carol.token) as other:
        for client in (*clients, other):
            await places.enter(client)
            await client.ok("room:join", {"roomId": shared})
        blocker, blocked = (ada, bob) if by_owner else (bob, ada)
        (await rest.post(f"/users/{blocked.id}/block", blocker)).expect(204)
        await put_out(clients, places.rooms)

        assert await still_in(other, places.rooms) == places.rooms, "others stay"
        left = await other.expect("room:member", lambda told: told["userId"] == bob.id and not told["joined"])
        assert left["roomId"] == places.room
        for client in clients:
            assert await still_in(client, [f"room:{shared}"]), "members stay until somebody takes them out"
        async with socket_client(hub.nodes[0].url, ada.token) as owner:
            for client in clients:
                client.received.clear()
            await owner.ok("room:join", {"roomId": places.room})
            await owner.ok("room:send", {"roomId": places.room, "clientId": "1", "body": "for Carol"})
            await other.expect("room:message")
            await owner.ok("room:join", {"roomId": shared})
            await owner.ok("room:send", {"roomId": shared, "clientId": "2", "body": "for all"})
            for client in clients:
                assert (await client.expect("room:message"))["body"] == "for all", "the first would have come before"


async def test_a_block_ends_the_call_between_the_two(hub: HubProcess, rest: Rest) -> None:
    ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
    async with (
        socket_client(hub.nodes[0].url, ada.token) as here,
        socket_client(hub.nodes[1].url, bob.token) as there,
    ):
        call = {"callId": (await here.ok("call:initiate", {"to": bob.id, "type": "audio"}))["callId"]}
        await there.expect("call:incoming")
        await there.ok("call:accept", call)
        (await rest.post(f"/users/{ada.id}/block", bob)).expect(204)
        for client in (here, there):
            ended = await client.expect("call:ended", timeout_s=WITHIN_S)
            assert (ended["callId"], ended["reason"]) == (call["callId"], "user_hangup")


async def test_a_member_who_is_removed_is_put_out_on_both_nodes(hub: HubProcess, rest: Rest) -> None:
    ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
    room, document = await rest.room(ada, visibility="private"), await rest.document(ada, bob)
    (await rest.post(f"/rooms/{room}/members", ada, json={"userId": bob.id})).expect(201)
    async with on_both_nodes(hub, bob) as clients:
        for client in clients:
            await client.ok("room:join", {"roomId": room})
            await client.ok("collab:join", {"documentId": document})
        (await rest.request("DELETE", f"/rooms/{room}/members/{bob.id}", ada)).expect(204)
        await put_out(clients, [f"room:{room}"])
        (await rest.request("DELETE", f"/documents/{document}/members/{bob.id}", ada)).expect(204)
        await put_out(clients, [f"doc:{document}"])


async def test_who_watches_a_post_that_is_withdrawn_is_told_and_put_out_on_both_nodes(
    hub: HubProcess, rest: Rest
) -> None:
    ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
    post = await rest.post_article(ada)
    async with on_both_nodes(hub, bob) as clients:
        for client in clients:
            await client.ok("content:subscribe", post["id"])
        (await rest.request("PATCH", f"/posts/{post['id']}", ada, json={"status": "DRAFT"})).expect(200)
        await put_out(clients, [f"content:{post['id']}"])
        for client in clients:
            assert await client.expect("content:removed") == {"contentId": post["id"]}
