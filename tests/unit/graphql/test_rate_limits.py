"""Limits of root fields: which there are, what counts, and that nothing runs of what is refused."""

from collections.abc import Mapping
from typing import Any

import pytest
from graphql import get_operation_ast, parse

from core_api.graphql import rate_limits
from core_api.graphql.messages import Operation
from core_api.graphql.rate_limits import OPERATION, PREFIX
from core_api.graphql.root_fields import root_fields
from core_api.graphql.schema import make
from core_api.graphql.settings import GraphQLSettings
from hub.kernel.events import Actor
from hub.kernel.ids import SessionId, UserId
from hub.kernel.limited import Limited
from hub.kernel.limits import Declared, Limit, Unlimited
from tests.unit.graphql.conftest import MakeExecutor, World, unlimited

ADA = Actor(UserId("ada"), SessionId("s"))


class Counting(Unlimited):
    """Implements hub.kernel.ports.Limits: remembers what is asked for, and refuses what is named."""

    def __init__(self, *spent: str) -> None:
        self.spent = spent
        self.asked: list[tuple[Mapping[str, int], str | None, str | None]] = []

    def wait_for_all(self, counts: Mapping[str, int], user_id: str | None, source: str | None) -> float:
        self.asked.append((counts, user_id, source))
        return 2.5 if counts.keys() & set(self.spent) else 0.0


def limited(kept_by: Counting, **changed: Limit | None) -> Limited:
    made = unlimited()
    made.declared |= {PREFIX + name: Declared(limit) for name, limit in changed.items()}
    made.kept_by = kept_by
    return made


def counted(document: str) -> dict[str, int]:
    parsed = parse(document)
    operation = get_operation_ast(parsed)
    assert operation is not None
    return dict(root_fields(parsed, operation))


def test_every_root_field_has_a_limit_and_every_limit_a_field() -> None:
    declared = unlimited().declared
    schema = make(GraphQLSettings(), declared)._schema
    roots = (schema.query_type, schema.mutation_type, schema.subscription_type)
    fields = [name for root in roots if root is not None for name in root.fields]
    assert len(fields) == len(set(fields))  # a query and a mutation of one name would share a limit
    assert {OPERATION, PREFIX + "__schema", PREFIX + "__type", *(PREFIX + name for name in fields)} == declared.keys()


def test_a_field_without_a_limit_makes_no_schema() -> None:
    declared = unlimited().declared
    del declared["graphql:posts"]
    with pytest.raises(KeyError, match="graphql:posts"):
        make(GraphQLSettings(), declared)


def test_schemas_of_one_process_show_their_own_limits() -> None:
    usual = unlimited().declared
    strict = usual | {"graphql:posts": Declared(Limit(7, 8)), "graphql:me": Declared(None)}
    shown = make(GraphQLSettings(), strict).as_str()
    assert 'PostConnection! @rateLimit(of: "user", perMinute: 7, burst: 8)' in shown
    assert "me: User @auth\n" in shown
    assert "burst: 8)" not in make(GraphQLSettings(), usual).as_str()


@pytest.mark.parametrize(
    ("document", "counts"),
    [
        pytest.param("{a: posts {edges {cursor}} b: posts {edges {cursor}} me {id}}", (2, 1), id="alias"),
        pytest.param("{posts {pageInfo {hasNextPage}} posts {edges {cursor}} me {id}}", (1, 1), id="merged"),
        pytest.param("{...F ...F me {id}} fragment F on Query {posts {edges {cursor}}}", (1, 1), id="fragment twice"),
        pytest.param("{... on Query {posts {edges {cursor}} ... {me {id}}}}", (1, 1), id="inline"),
        pytest.param("{posts @skip(if: true) {edges {cursor}} me {posts {edges {cursor}}}}", (1, 1), id="left out"),
    ],
)
def test_what_counts(document: str, counts: tuple[int, int]) -> None:
    assert counted(document) == {"posts": counts[0], "me": counts[1]}


def test_fragments_that_spread_each_other_twice_are_looked_at_once() -> None:
    spreads = " ".join(f"fragment F{n} on Query {{...F{n + 1} ...F{n + 1}}}" for n in range(60))
    assert counted(f"{{...F0}} {spreads} fragment F60 on Query {{me {{id}}}}") == {"me": 1}


async def test_twenty_aliases_count_twenty_for_the_user_and_the_address(executor: MakeExecutor) -> None:
    limits = Counting()
    aliases = " ".join(f"a{number}: posts(first: 1) {{edges {{cursor}}}}" for number in range(20))
    result = await executor(limited(limits)).run(Operation(f"{{{aliases} __typename}}"), ADA, "192.0.2.1")
    assert "errors" not in result.body
    assert limits.asked == [({"graphql:posts": 20}, "ada", "192.0.2.1")]


async def test_nothing_runs_of_an_operation_with_one_field_too_many(world: World, executor: MakeExecutor) -> None:
    ran: list[Any] = []

    async def note() -> None:
        ran.append(1)

    world.before_posts = note
    running = executor(limited(Counting("graphql:user")))
    result = await running.run(Operation('{posts {edges {cursor}} user(username: "ada") {id}}'), None)
    assert result.ran is False
    assert "data" not in result.body
    (error,) = result.body["errors"]
    assert error["extensions"] == {"code": "rate_limited", "temporary": True, "retryAfter": 2.5}
    assert ran == []


async def test_a_refused_subscription_listens_to_nothing(world: World, executor: MakeExecutor) -> None:
    results = executor(limited(Counting("graphql:postAdded"))).stream(Operation("subscription {postAdded {id}}"), None)
    (result,) = [result async for result in results]
    assert (result.ran, result.body["errors"][0]["extensions"]["code"]) == (False, "rate_limited")
    assert world.rooms.listeners == {}


async def test_more_at_once_than_is_ever_let_through_is_no_matter_of_waiting(executor: MakeExecutor) -> None:
    limits = Counting()
    running = executor(limited(limits, posts=Limit(per_minute=60, burst=2)))
    result = await running.run(Operation("{a: posts {edges {cursor}} b: posts {edges {cursor}}}"), None)
    assert "errors" not in result.body
    aliases = "{a: posts {edges {cursor}} b: posts {edges {cursor}} c: posts {edges {cursor}}}"
    result = await running.run(Operation(aliases), None)
    assert [error["extensions"]["code"] for error in result.body["errors"]] == ["query_too_costly"]
    assert len(limits.asked) == 1


async def test_what_is_refused_for_its_cost_counts_too(executor: MakeExecutor) -> None:
    limits = Counting()
    result = await executor(limited(limits), cost=5).run(Operation("{posts {edges {cursor}}}"), None)
    assert [error["extensions"]["code"] for error in result.body["errors"]] == ["query_too_costly"]
    assert limits.asked == [({"graphql:posts": 1}, None, None)]


def test_limits_of_the_services_behind_are_those_of_their_fields() -> None:
    chat, wallet, mint, read = (Limit(number, 1) for number in (1, 2, 3, 4))
    declared = rate_limits.declared(chat=chat, wallet=wallet, mint=mint, chain_read=read)
    assert declared["graphql:chatWithAICompanion"] == Declared(chat)
    assert declared["graphql:connectWallet"] == Declared(wallet)
    assert declared["graphql:mintNFT"] == Declared(mint)
    assert declared["graphql:nftsByOwner"] == Declared(read, of_addresses=True)
