"""Subscriptions over real rooms: what comes, and what must not."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from hub.kernel.ids import new_uuid
from tests.support.graphql_client import GraphQL, GraphQLSocket
from tests.support.hub import PASSWORD, running_hub, settings
from tests.support.rest import Person, Rest
from tests.support.socket_client import SocketClient, socket_client
from tests.support.yjs import Writer

Of = Callable[[Person], GraphQL]
Listened = Callable[[str], Awaitable[None]]

POSTS = "subscription {postAdded {id title author {username profile {bio}}}}"
PRESENCE = "subscription($id: ID!) {userPresenceChanged(userId: $id) {status version}}"
DOCUMENT = "subscription($id: ID!) {documentChanged(documentId: $id) {documentId changes}}"


async def test_a_post_is_told_to_strangers_and_followers_of_nobody(
    rest: Rest, stranger: GraphQL, listened: Listened
) -> None:
    ada = await rest.sign_up("ada")
    async with stranger.socket() as socket:
        posts = await socket.subscribe(POSTS)
        await listened("feed:posts")
        await rest.post_article(ada, "Draft", status="DRAFT")
        post = await rest.post_article(ada, "One")
        added = (await socket.next(posts))["postAdded"]
        author = {"username": ada.name, "profile": {"bio": ""}}
        assert added == {"id": post["id"], "title": "One", "author": author}


async def test_a_post_is_told_to_none_between_whom_and_the_author_is_a_block(
    rest: Rest, of: Of, listened: Listened
) -> None:
    ada, bob, eve = await rest.sign_up("ada"), await rest.sign_up("bob"), await rest.sign_up("eve")
    async with of(bob).socket() as socket:
        posts = await socket.subscribe(POSTS)
        await listened("feed:posts")
        (await rest.post(f"/users/{bob.id}/block", ada)).expect(204)
        await rest.post_article(ada, "Hidden")
        await rest.post_article(eve, "Shown")
        assert (await socket.next(posts))["postAdded"]["title"] == "Shown"


async def test_a_subscription_that_is_completed_tells_nothing_more(
    rest: Rest, stranger: GraphQL, listened: Listened
) -> None:
    ada = await rest.sign_up("ada")
    async with stranger.socket() as socket:
        first, second = await socket.subscribe(POSTS), await socket.subscribe(POSTS)
        await listened("feed:posts")
        await socket.complete(first)
        await socket.settled()
        await rest.post_article(ada, "One")
        await socket.next(second)
        await socket.settled()
        assert socket.early == []


async def test_presence_is_told_as_others_may_see_it_and_ends_with_a_block(
    rest: Rest, of: Of, listened: Listened
) -> None:
    ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
    async with of(bob).socket() as socket:
        presence = await socket.subscribe(PRESENCE, id=ada.id)
        await listened(f"presence:{ada.id}")
        await listened(f"user:{bob.id}")

        async def told(status: str) -> list[str]:
            """What is told before this status."""
            before: list[str] = []
            while (now := (await socket.next(presence))["userPresenceChanged"]["status"]) != status:
                before.append(now)
            return before

        async with socket_client(rest.url, ada.token) as device:
            await told("online")
            await device.ok("presence:update", "busy")
            await told("busy")
            await device.ok("presence:update", "invisible")
            await told("offline")
            await device.ok("presence:update", "online")
            await told("online")
            (await rest.post(f"/users/{bob.id}/block", ada)).expect(204)
            await told("offline")
            await device.ok("presence:update", "dnd")
            (await rest.request("DELETE", f"/users/{bob.id}/block", ada)).expect(204)
            await device.ok("presence:update", "away")
            assert set(await told("away")) <= {"offline"}, "the outbox tells of a block once more"


async def test_ones_own_presence_is_the_truth(rest: Rest, of: Of, listened: Listened) -> None:
    ada = await rest.sign_up("ada")
    async with of(ada).socket() as socket, socket_client(rest.url, ada.token) as device:
        presence = await socket.subscribe(PRESENCE, id=ada.id)
        await listened(f"user:{ada.id}")
        await device.ok("presence:update", "invisible")
        assert (await socket.next(presence))["userPresenceChanged"]["status"] == "invisible"


async def test_a_document_tells_its_readers_of_changes_until_they_may_not_read_it(rest: Rest, of: Of) -> None:
    ada, bob, eve = await rest.sign_up("ada"), await rest.sign_up("bob"), await rest.sign_up("eve")
    document = await rest.document(ada, bob)
    async with of(bob).socket() as socket, of(eve).socket() as other, socket_client(rest.url, ada.token) as editor:
        refused = await other.subscribe(DOCUMENT, id=document)
        assert _code(await other.of(refused)) == "not_found"
        changes = await socket.subscribe(DOCUMENT, id=document)
        writer = await _joined(editor, document)
        first = await _first(socket, changes, lambda: _write(editor, writer, document))
        assert first["payload"]["data"]["documentChanged"]["documentId"] == document
        (await rest.request("DELETE", f"/documents/{document}/members/{bob.id}", ada)).expect(204)
        last = await _first(socket, changes, lambda: _write(editor, writer, document))
        while "errors" not in last["payload"]:
            last = await socket.of(changes)
        assert _code(last) == "not_found"
        assert (await socket.of(changes))["type"] == "complete"


async def test_many_changes_are_told_as_few(rest: Rest, of: Of) -> None:
    ada = await rest.sign_up("ada")
    document = await rest.document(ada)
    async with of(ada).socket() as socket, socket_client(rest.url, ada.token) as editor:
        changes = await socket.subscribe(DOCUMENT, id=document)
        writer = await _joined(editor, document)
        await _first(socket, changes, lambda: _write(editor, writer, document))
        told, events = 0, 0
        for _ in range(30):
            await _write(editor, writer, document)
        while told < 30:
            told += (await socket.next(changes))["documentChanged"]["changes"]
            events += 1
        assert events < 30


async def test_events_come_from_every_node(database_url: str, redis_url: str) -> None:
    chosen = settings(database_url, redis_url)
    async with running_hub(chosen) as here, running_hub(chosen) as there, Rest(here.url) as rest:
        ada = await rest.sign_up("ada")
        document = await rest.document(ada)
        elsewhere = await _signed_in(there.http, there.url, ada.name)
        async with (
            GraphQL(there.http, there.url, elsewhere).socket() as socket,
            socket_client(here.url, ada.token) as editor,
        ):
            posts = await socket.subscribe(POSTS)
            assert await _first(socket, posts, lambda: rest.post_article(ada))
            changes = await socket.subscribe(DOCUMENT, id=document)
            writer = await _joined(editor, document)
            assert await _first(socket, changes, lambda: _write(editor, writer, document))
            presence = await socket.subscribe(PRESENCE, id=ada.id)
            statuses = iter(["busy", "online"] * 20)
            assert await _first(socket, presence, lambda: editor.ok("presence:update", next(statuses)))


async def test_a_companion_is_seen_to_type_by_its_owner_alone(rest: Rest, of: Of, listened: Listened) -> None:
    ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
    companion = (await rest.post("/ai/companions", ada, json={"name": "Iris"})).expect(201)["id"]
    typing = "subscription($id: ID!) {aiCompanionTyping(companionId: $id) {companionId typing}}"
    async with of(ada).socket() as socket, of(bob).socket() as other:
        assert _code(await other.of(await other.subscribe(typing, id=companion))) == "not_found"
        told = await socket.subscribe(typing, id=companion)
        await listened(f"user:{ada.id}")
        chat = 'mutation($id: ID!) {chatWithAICompanion(companionId: $id, message: "Hello") {response}}'
        await socket.subscribe(chat, id=companion)
        for state in (True, False):
            assert (await socket.next(told))["aiCompanionTyping"] == {"companionId": companion, "typing": state}


async def test_what_is_not_there_is_refused(rest: Rest, of: Of, stranger: GraphQL) -> None:
    ada = await rest.sign_up("ada")
    async with of(ada).socket() as socket:
        assert _code(await socket.of(await socket.subscribe(DOCUMENT, id=new_uuid()))) == "not_found"
        assert _code(await socket.of(await socket.subscribe(DOCUMENT, id="x"))) == "invalid_payload"
    async with stranger.socket() as socket:
        for query in (DOCUMENT, PRESENCE):
            assert _code(await socket.of(await socket.subscribe(query, id=ada.id))) == "unauthorized"


async def _joined(editor: SocketClient, document: str) -> Writer:
    await editor.ok("collab:join", document)
    return Writer()


async def _write(editor: SocketClient, writer: Writer, document: str) -> None:
    await editor.ok("collab:change", {"documentId": document, "update": writer.write("a")})


async def _first(socket: GraphQLSocket, operation_id: str, poke: Callable[[], Awaitable[Any]]) -> dict[str, Any]:
    """The first message of a subscription; `poke` is repeated until it comes, since nothing says when it has begun."""
    while True:
        await poke()
        try:
            async with asyncio.timeout(0.5):
                return await socket.of(operation_id)
        except TimeoutError:
            pass


async def _signed_in(http: Any, url: str, name: str) -> str:
    async with http.post(f"{url}/api/v1/auth/signin", json={"username": name, "password": PASSWORD}) as response:
        token: str = (await response.json())["accessToken"]
        return token


def _code(message: dict[str, Any]) -> str:
    payload = message["payload"]
    (error,) = payload if isinstance(payload, list) else payload["errors"]
    return str(error["extensions"]["code"])
