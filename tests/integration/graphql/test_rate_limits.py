"""Limits of GraphQL in whole nodes: of root fields, of operations of any kind, and as the operator sets them."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import asyncpg
import pytest
from redis.asyncio import Redis

from core_api.accounts.signing_key import new_key
from hub.app import build
from hub.config import ConfigError, load
from tests.support.graphql_client import GraphQL
from tests.support.hub import RunningHub, running_hub, settings
from tests.support.rest import Rest

POSTS = "{posts(first: 1) {edges {cursor}}}"
ADDED = "subscription {postAdded {id}}"
Limited = Callable[..., AbstractAsyncContextManager[RunningHub]]


@pytest.fixture
def limited(database_url: str, redis_url: str) -> Limited:
    """Start a node with these limits."""

    def start(overrides: str, **more: str) -> AbstractAsyncContextManager[RunningHub]:
        return running_hub(settings(database_url, redis_url, {"SPARKLE_LIMITS_OVERRIDES": overrides, **more}))

    return start


async def someone(node: RunningHub, name: str) -> GraphQL:
    return GraphQL(node.http, node.url, (await node.sign_up(name))["accessToken"])


async def test_a_field_over_its_limit_is_refused_with_the_time_to_wait(limited: Limited) -> None:
    async with limited("graphql:posts=1/3") as node:
        ada, bob = await someone(node, "ada"), await someone(node, "bob")
        for _ in range(3):
            await ada.data(POSTS)
        error = await ada.error(POSTS)
        assert error["extensions"]["code"] == "rate_limited"
        assert error["extensions"]["temporary"] is True
        assert 59 < error["extensions"]["retryAfter"] <= 60
        await ada.data("{me {id}}")
        await bob.data(POSTS)


async def test_aliases_of_one_field_count_each_and_together_or_not_at_all(limited: Limited) -> None:
    def batch(count: int) -> str:
        return "{" + " ".join(f"a{number}: posts(first: 1) {{edges {{cursor}}}}" for number in range(count)) + "}"

    async with limited("graphql:posts=1/22") as node:
        ada = await someone(node, "ada")
        await ada.data(batch(20))
        assert await ada.code(batch(3)) == "rate_limited"
        await ada.data(batch(2))
        assert await ada.code(POSTS) == "rate_limited"


async def test_queries_and_subscriptions_over_the_socket_count_too(limited: Limited) -> None:
    async with limited("graphql:posts=1/2,graphql:postAdded=1/1") as node:
        ada = await someone(node, "ada")
        await ada.data(POSTS)
        async with ada.socket() as socket:
            await socket.next(await socket.subscribe(POSTS))
            await socket.subscribe(ADDED)
            for query in (POSTS, ADDED):
                refused = await socket.of(await socket.subscribe(query))
                assert refused["type"] == "error"
                extensions = refused["payload"][0]["extensions"]
                assert extensions["code"] == "rate_limited"
                assert 59 < extensions["retryAfter"] <= 60


async def test_operations_of_any_kind_have_a_limit_whatever_is_wrong_with_them(limited: Limited) -> None:
    async with limited("graphql=1/3") as node, Rest(node.url) as rest:
        person = await rest.sign_up("ada")
        ada = GraphQL(node.http, node.url, person.token)
        assert await ada.code("{nonsense}") == "invalid_query"
        async with ada.socket() as socket:
            operation = await socket.subscribe("{nonsense}")
            assert (await socket.of(operation))["payload"][0]["extensions"]["code"] == "invalid_query"
        await ada.data("{__typename}")
        headers = {"Authorization": f"Bearer {person.token}"}
        async with node.http.post(f"{node.url}/graphql", json={"query": POSTS}, headers=headers) as refused:
            assert refused.status == 429
            assert refused.headers["Retry-After"] == "60"
        async with ada.socket() as socket:
            refusal = await socket.of(await socket.subscribe(POSTS))
            assert (refusal["type"], refusal["payload"][0]["extensions"]["code"]) == ("error", "rate_limited")


async def test_an_address_has_the_allowance_of_so_many_users_before_its_token_is_looked_at(limited: Limited) -> None:
    more = {"SPARKLE_LIMITS_ADDRESS_USERS": "2", "SPARKLE_SOCKETS_UNCAPPED_ADDRESSES": "192.0.2.1"}
    async with limited("graphql=1/2,graphql:posts=1/1", **more) as node:
        stranger = GraphQL(node.http, node.url)
        await stranger.data(POSTS)
        await stranger.data(POSTS)
        assert await stranger.code(POSTS) == "rate_limited"
        url, bad = f"{node.url}/graphql", {"Authorization": "Bearer nonsense"}
        for status in (401, 429):
            async with node.http.post(url, json={"query": POSTS}, headers=bad) as refused:
                assert refused.status == status
        async with node.http.get(url, headers={"Upgrade": "websocket", "Connection": "Upgrade"}) as refused:
            assert refused.status == 429


async def test_the_schema_of_a_node_shows_its_limits(limited: Limited) -> None:
    async with limited("graphql:posts=7/8,graphql:me=off") as node:
        async with node.http.get(f"{node.url}/schema.graphql") as response:
            text = await response.text()
        ada = await someone(node, "ada")
        for _ in range(8):
            await ada.data(POSTS)
        assert await ada.code(POSTS) == "rate_limited"
    assert 'PostConnection! @rateLimit(of: "user", perMinute: 7, burst: 8)' in text
    assert "  me: User @auth\n" in text


async def test_a_limit_of_a_field_that_does_not_exist_is_named_at_the_start(pool: asyncpg.Pool, redis: Redis) -> None:
    chosen = load({"SPARKLE_LIMITS_OVERRIDES": "graphql:pots=1/1"})
    with pytest.raises(ConfigError, match=r"there is no event, route or field 'graphql:pots'$"):
        build(chosen, pool=pool, redis=redis, key=new_key())
