"""graphql-transport-ws as clients speak it, well or badly."""

import asyncio
from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from hub.gate.revocations import RedisRevocations
from tests.support.graphql_client import GraphQL
from tests.support.hub import RunningHub, running_hub, settings
from tests.support.rest import Person, Rest
from tests.support.wait import until

Of = Callable[[Person], GraphQL]
POSTS = "subscription {postAdded {id content}}"


async def test_queries_and_mutations_run_over_the_socket_too(rest: Rest, of: Of) -> None:
    ada = await rest.sign_up("ada")
    async with of(ada).socket() as socket:
        me = await socket.subscribe("{me {username}}")
        assert await socket.next(me) == {"me": {"username": ada.name}}
        assert await socket.of(me) == {"id": me, "type": "complete"}


async def test_an_operation_that_cannot_run_ends_with_an_error_message(stranger: GraphQL) -> None:
    async with stranger.socket() as socket:
        for query in ("{", "{nope}", "", "{" + "__typename " * 300 + "}"):
            message = await socket.of(await socket.subscribe(query))
            assert message["type"] == "error"
            assert message["payload"][0]["extensions"]["code"] in {"invalid_query", "query_too_costly"}
        again = await socket.subscribe("{__typename}")
        assert await socket.next(again) == {"__typename": "Query"}


INIT = '{"type":"connection_init"}'


async def test_what_breaks_the_protocol_closes_the_socket(stranger: GraphQL) -> None:
    for messages, code in (
        (['{"type":"subscribe","id":"1","payload":{"query":"{__typename}"}}'], 4401),
        (['{"type":"complete","id":"1"}'], 4401),
        (["[]"], 4400),
        (["nonsense"], 4400),
        (["[" * 100_000], 4400),
        (['{"type":"connection_init","payload":[]}'], 4400),
        (['{"type":"connection_init","payload":{"token":1}}'], 4400),
        (['{"type":"connection_init","payload":{"token":"nonsense"}}'], 4401),
        (['{"type":"unheard"}'], 4400),
        ([INIT, INIT], 4429),
        ([INIT, '{"type":"subscribe","id":{},"payload":{"query":"{__typename}"}}'], 4400),
        ([INIT, '{"type":"subscribe","id":"1","payload":[]}'], 4400),
        ([INIT, '{"type":"subscribe","id":"1","payload":{"query":[]}}'], 4400),
        ([INIT, '{"type":"subscribe"}'], 4400),
    ):
        async with stranger.socket(init=False) as socket:
            for message in messages:
                await socket.send(message)
            assert (await socket.closed())[0] == code, messages


async def test_binary_messages_and_huge_ones_close_the_socket(stranger: GraphQL) -> None:
    async with stranger.socket() as socket:
        await socket.socket.send_bytes(b"{}")
        assert (await socket.closed())[0] == 4400
    async with stranger.socket() as socket:
        await socket.send("x" * 1_000_001)
        assert (await socket.closed())[0] == aiohttp.WSCloseCode.MESSAGE_TOO_BIG


async def test_a_second_operation_with_the_same_id_closes_the_socket(stranger: GraphQL) -> None:
    async with stranger.socket() as socket:
        subscribe = {"id": "1", "type": "subscribe", "payload": {"query": POSTS}}
        await socket.send(subscribe)
        await socket.send(subscribe)
        assert await socket.closed() == (4409, "Subscriber for 1 already exists")


async def test_who_says_nothing_is_closed(stranger: GraphQL) -> None:
    async with stranger.socket(init=False) as socket:
        assert (await socket.closed())[0] == 4408


async def test_a_client_of_another_protocol_is_closed(hub: RunningHub) -> None:
    async with hub.http.ws_connect(f"{hub.url}/graphql", protocols=["graphql-ws"]) as socket:
        message = await socket.receive(timeout=5)
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 4406)


async def test_subscriptions_of_a_connection_are_limited(stranger: GraphQL) -> None:
    async with stranger.socket() as socket:
        running = [await socket.subscribe(POSTS) for _ in range(3)]
        refused = await socket.of(await socket.subscribe(POSTS))
        assert refused["type"] == "error"
        assert refused["payload"][0]["extensions"] == {"code": "overloaded", "temporary": True}
        await socket.complete(running[0])
        query = await socket.subscribe("{__typename}")
        assert await socket.next(query) == {"__typename": "Query"}


async def test_an_outage_is_no_refusal(rest: Rest, of: Of, stranger: GraphQL, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = await rest.sign_up("ada")
    async with of(ada).socket() as socket:

        async def away(_self: object, _session_id: object) -> bool:
            raise RedisConnectionError("away")

        monkeypatch.setattr(RedisRevocations, "is_revoked", away)
        async with stranger.socket(init=False) as another:
            await another.send({"type": "connection_init", "payload": {"token": ada.token}})
            assert await another.closed() == (1013, "unavailable")
        query = await socket.subscribe("{__typename}")  # who was in before stays
        assert await socket.next(query) == {"__typename": "Query"}


async def test_a_revoked_session_closes_its_socket_for_good(rest: Rest, of: Of) -> None:
    ada = await rest.sign_up("ada")
    async with of(ada).socket() as socket:
        await socket.subscribe(POSTS)
        sessions = (await rest.get("/auth/sessions", ada)).expect(200)["data"]
        (await rest.request("DELETE", f"/auth/sessions/{sessions[0]['id']}", ada)).expect(204)
        assert await socket.closed() == (4401, "unauthorized")


@pytest.fixture
async def hasty(database_url: str, redis_url: str) -> AsyncIterator[RunningHub]:
    """A node whose tokens last three seconds, with one connection, and little patience."""
    more = {
        "SPARKLE_ACCOUNTS_ACCESS_TOKEN_S": "3",  # a busy machine may take more than one to connect
        "SPARKLE_GRAPHQL_CONNECTIONS": "1",
        "SPARKLE_GRAPHQL_SEND_S": "0.3",
        "SPARKLE_GRAPHQL_SUBSCRIPTIONS": "200",
    }
    async with running_hub(settings(database_url, redis_url, more)) as running:
        yield running


async def test_an_expired_token_closes_the_socket_so_that_the_client_brings_another(hasty: RunningHub) -> None:
    token = (await hasty.sign_up("ada"))["accessToken"]
    client = GraphQL(hasty.http, hasty.url, token)
    async with client.socket() as socket:
        await socket.subscribe(POSTS)
        assert await socket.closed() == (4403, "token_expired")
    async with client.socket(init=False) as socket:
        await socket.send({"type": "connection_init", "payload": {"token": token}})
        assert await socket.closed() == (4403, "token_expired")


async def test_one_connection_too_many_is_refused(hasty: RunningHub) -> None:
    client = GraphQL(hasty.http, hasty.url)
    async with client.socket():
        assert not await _connects(client)
    await until(lambda: _connects(client))


async def test_one_person_has_so_many_connections_and_others_still_come_in(
    rest: Rest, of: Of, stranger: GraphQL
) -> None:
    ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
    async with of(ada).socket(), of(ada).socket():
        async with of(ada).socket(init=False) as third:
            await third.send({"type": "connection_init", "payload": {"token": ada.token}})
            assert await third.closed() == (1013, "overloaded")
        async with of(bob).socket(), stranger.socket():
            pass
    async with of(ada).socket():
        pass


async def test_a_client_that_does_not_read_is_cut(hasty: RunningHub) -> None:
    token = (await hasty.sign_up("ada"))["accessToken"]
    body = {"title": "Large", "content": {"blocks": [{"type": "text", "text": "x" * 200_000}]}, "status": "PUBLISHED"}
    async with Rest(hasty.url) as rest:
        (await rest.post("/posts", json=body, headers={"Authorization": f"Bearer {token}"})).expect(201)
    client = GraphQL(hasty.http, hasty.url)
    async with client.socket() as socket:
        for _ in range(150):  # 30 MB of answers, more than fits into all buffers on the way
            await socket.subscribe("{posts(first: 1) {edges {node {content}}}}")
        await until(lambda: _connects(client))


async def _connects(client: GraphQL) -> bool:
    """Whether the node takes one more connection."""
    try:
        async with client.socket():
            return True
    except aiohttp.WSServerHandshakeError as refused:
        assert refused.status == 503  # noqa: PT017 - both outcomes are an answer here
        return False


async def test_a_node_that_stops_sends_its_clients_elsewhere(database_url: str, redis_url: str) -> None:
    async with aiohttp.ClientSession() as http:
        async with running_hub(settings(database_url, redis_url)) as running:
            socket = await http.ws_connect(f"{running.url}/graphql", protocols=["graphql-transport-ws"])
            await socket.send_json({"type": "connection_init"})
            assert (await socket.receive_json()) == {"type": "connection_ack"}
            reading = asyncio.gather(socket.receive(timeout=10))
        (message,) = await reading
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1012)
