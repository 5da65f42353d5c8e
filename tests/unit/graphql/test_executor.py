"""Operations over services in memory: batching, caps, deadlines, and how subscriptions end."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from core_api.content.schema import ContentNew
from core_api.graphql.executor import Executor, Result
from core_api.graphql.messages import Operation
from core_api.graphql.schema import make
from core_api.graphql.settings import GraphQLSettings
from core_api.graphql.vocabulary import Auth
from core_api.ports import POSTS_FEED
from hub.kernel.errors import RateLimited
from hub.kernel.events import Actor
from hub.kernel.ids import SessionId, UserId, new_uuid
from tests.support.wait import until
from tests.unit.graphql.conftest import NOW, MakeExecutor, World, unlimited

ADA = Actor(UserId(new_uuid()), SessionId(new_uuid()))
POSTS = Operation("{posts(first: 50) {edges {node {author {username profile {displayName}}}}}}")
LIVES = Operation("{posts(first: 50) {edges {node {author {createdAt profile {bio}}}}}}")
ADDED = Operation("subscription {postAdded {title author {createdAt}}}")


def codes(result: Result) -> list[str]:
    return [error["extensions"]["code"] for error in result.body["errors"]]


async def publish(world: World, title: str) -> str:
    post = world.post(title)
    await world.rooms.emit(POSTS_FEED, ContentNew(content=post, timestamp=NOW))
    return post.id


@asynccontextmanager
async def listening(executor: Executor, world: World) -> AsyncIterator[AsyncGenerator[Result, None]]:
    """A `postAdded` that has begun, and had its first event."""
    async with aclosing(executor.stream(ADDED, None)) as results, asyncio.TaskGroup() as group:
        first = group.create_task(anext(results))
        await until(lambda: world.rooms.listeners.get(POSTS_FEED))
        await publish(world, "First")
        assert (await first).body["data"]["postAdded"]["title"] == "First"
        yield results


async def test_names_of_authors_take_no_query_and_their_lives_one(world: World, executor: MakeExecutor) -> None:
    world.posts = [world.post() for _ in range(50)]
    running = executor()
    assert "errors" not in (await running.run(POSTS, None)).body
    assert world.looked_up == []
    assert "errors" not in (await running.run(LIVES, None)).body
    assert [len(wanted) for wanted in world.looked_up] == [50]


async def test_an_author_who_is_gone_is_null_and_the_page_stays(world: World, executor: MakeExecutor) -> None:
    world.posts = [world.post(), world.post()]
    assert world.posts[0].author is not None
    world.hidden = {world.posts[0].author.id}
    result = await executor().run(LIVES, None)
    authors = [edge["node"]["author"] for edge in result.body["data"]["posts"]["edges"]]
    assert authors[0] is None
    assert authors[1]["profile"] == {"bio": "Hi"}
    assert set(codes(result)) == {"not_found"}


async def test_too_much_at_once_is_refused_and_what_was_admitted_is_served(
    world: World, executor: MakeExecutor
) -> None:
    may_go, begun = asyncio.Event(), 0

    async def wait() -> None:
        nonlocal begun
        begun += 1
        await may_go.wait()

    world.before_posts = wait
    running = executor(running=2, admitted=4)
    async with asyncio.TaskGroup() as group:
        admitted = [group.create_task(running.run(POSTS, None)) for _ in range(4)]
        await until(lambda: begun == 2)
        assert codes(await running.run(POSTS, None)) == ["overloaded"]
        assert begun == 2
        may_go.set()
    assert all("errors" not in task.result().body for task in admitted)


async def test_the_pages_of_an_operation_are_read_one_after_the_other(world: World, executor: MakeExecutor) -> None:
    world.posts = [world.post() for _ in range(3)]
    at_once, most = 0, 0

    async def read() -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0)
        at_once -= 1

    world.before_posts = read
    pages = " ".join(
        f"a{number}: posts {{edges {{node {{author {{posts {{pageInfo {{endCursor}}}}}}}}}}}}" for number in (1, 2)
    )
    assert "errors" not in (await executor().run(Operation(f"{{{pages}}}"), None)).body
    assert most == 1


async def test_what_subscribers_want_of_an_event_is_read_for_so_many_at_once(
    world: World, executor: MakeExecutor
) -> None:
    at_once, most, told = 0, 0, 0

    async def read() -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        for _ in range(5):
            await asyncio.sleep(0)
        at_once -= 1

    async def subscriber() -> None:
        nonlocal told
        operation = Operation("subscription {postAdded {author {posts {pageInfo {endCursor}}}}}")
        async with aclosing(running.stream(operation, None)) as results:
            assert "errors" not in (await anext(results)).body
        told += 1

    world.before_posts = read
    running = executor(events=2)
    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(subscriber())
        await until(lambda: len(world.rooms.listeners.get(POSTS_FEED, ())) == 20)
        await publish(world, "One")
    assert (told, most) == (20, 2)


async def test_what_is_long_is_not_parsed_and_so_not_kept(executor: MakeExecutor) -> None:
    running = executor()
    assert codes(await running.run(Operation("{__typename #" + "x" * 20_000 + "\n}"), None)) == ["query_too_costly"]
    assert "errors" not in (await running.run(Operation("{__typename #" + "x" * 19_000 + "\n}"), None)).body


@pytest.mark.parametrize("tags", [[""] * 300_000, [1] * 300_000])
async def test_a_long_list_in_the_variables_is_refused_before_it_is_looked_at(
    executor: MakeExecutor, tags: list[Any]
) -> None:
    running = executor()
    for query, variables in (
        (
            "mutation($i: CreatePostInput!) {createPost(input: $i) {id}}",
            {"i": {"title": "x", "content": {}, "tags": tags}},
        ),
        ('mutation($t: [String!]) {createPost(input: {title: "x", content: {}, tags: $t}) {id}}', {"t": tags}),
    ):
        await running.run(Operation(query, {}), None)  # now it is parsed
        started = time.perf_counter()
        assert codes(await running.run(Operation(query, variables), None)) == ["query_too_costly"]
        assert time.perf_counter() - started < 0.2  # graphql-core would take 0.6


async def test_an_operation_that_takes_too_long_is_stopped(world: World, executor: MakeExecutor) -> None:
    async def for_ever() -> None:
        await asyncio.Event().wait()

    world.before_posts = for_ever
    running = executor(operation_s=0.05, running=1)
    for _ in range(2):  # the second finds the slot free
        assert codes(await running.run(POSTS, None)) == ["unavailable"]


async def test_errors_say_when_to_try_again(world: World, executor: MakeExecutor) -> None:
    async def refuse() -> None:
        raise RateLimited(retry_after=3)

    world.before_posts = refuse
    result = await executor().run(POSTS, None)
    assert result.body["errors"][0]["extensions"] == {"code": "rate_limited", "temporary": True, "retryAfter": 3}


async def test_a_bug_is_masked_and_logged(
    world: World, executor: MakeExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        raise ZeroDivisionError("secret")

    world.before_posts = fail
    result = await executor().run(POSTS, None)
    assert codes(result) == ["internal"]
    assert "secret" not in str(result.body)
    assert "secret" in caplog.text


async def test_a_value_that_fits_no_type_is_a_bug_too(
    world: World, executor: MakeExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    post = world.post()
    post.view_count = 2**40
    world.posts = [post]
    with caplog.at_level(logging.ERROR):
        result = await executor().run(Operation("{posts {edges {node {viewCount}}}}"), None)
    assert codes(result) == ["internal"]
    assert "viewCount" in caplog.text


async def test_whoever_may_not_read_a_post_is_not_told_of_it(world: World, executor: MakeExecutor) -> None:
    async with listening(executor(), world) as results:
        hidden = world.post("Hidden")
        world.hidden = {hidden.id}
        await world.rooms.emit(POSTS_FEED, ContentNew(content=hidden, timestamp=NOW))
        await publish(world, "Shown")
        assert (await anext(results)).body["data"]["postAdded"]["title"] == "Shown"


async def test_a_subscriber_that_does_not_read_loses_the_subscription(world: World, executor: MakeExecutor) -> None:
    async with listening(executor(backlog=3), world) as results:
        for number in range(10):
            await publish(world, f"Post {number}")
        last = [result async for result in results][-1]
    assert codes(last) == ["subscription_lagged"]
    assert last.body["data"] is None
    assert not any(world.rooms.listeners.values())


async def test_a_subscription_that_is_closed_listens_no_more(world: World, executor: MakeExecutor) -> None:
    async with listening(executor(), world):
        pass
    assert not any(world.rooms.listeners.values())


async def test_a_document_that_may_not_be_read_any_more_ends_the_subscription(
    world: World, executor: MakeExecutor
) -> None:
    document = new_uuid()
    operation = Operation(f'subscription {{documentChanged(documentId: "{document}") {{changes}}}}')
    async with aclosing(executor(document_s=0).stream(operation, ADA)) as results:
        first = await anext(results)
        assert first.body == {"data": {"documentChanged": {"changes": 1}}}
    world.hidden = {document}
    async with aclosing(executor().stream(operation, ADA)) as results:
        assert [codes(result) async for result in results] == [["not_found"]]


async def test_what_the_schema_says_is_for_those_who_are_signed_in_refuses_strangers(executor: MakeExecutor) -> None:
    schema, running = make(GraphQLSettings(), unlimited().declared), executor()
    required, refusing = set(), set()
    for root, kind in (("Query", "query"), ("Mutation", "mutation"), ("Subscription", "subscription")):
        root_type = schema._schema.type_map[root]
        fields: dict[str, Any] = getattr(root_type, "fields")  # noqa: B009 - of object types only
        for name, field in fields.items():
            if any(isinstance(one, Auth) for one in field.extensions["strawberry-definition"].directives):
                required.add(name)
            arguments = ", ".join(f"{one}: {SAMPLES[str(given.type)]}" for one, given in field.args.items())
            call = name + (f"({arguments})" if arguments else "")
            operation = Operation(f"{kind} {{{call} {{__typename}}}}")
            if kind == "subscription" and name not in required:
                continue  # it would wait for an event
            async with aclosing(running.stream(operation, None)) as results:
                first = await anext(results)
            if "unauthorized" in [error["extensions"]["code"] for error in first.body.get("errors", ())]:
                refusing.add(name)
    assert required == refusing
    assert len(required) == 11


SAMPLES = {
    "ID": "null",
    "String": "null",
    "ID!": f'"{new_uuid()}"',
    "String!": '"x"',
    "Int!": "5",
    "BigInt!": "5",
    "CreatePostInput!": '{title: "x", content: {}}',
    "UpdatePostInput!": "{}",
    "CreateAICompanionInput!": '{name: "x"}',
}
"""A literal for each type of argument."""
