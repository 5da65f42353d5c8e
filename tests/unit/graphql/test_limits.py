"""How large a document may be, and what an operation may cost."""

import time
from typing import Any

import pytest
from graphql import OperationDefinitionNode, parse

from core_api.graphql import cost, limits
from core_api.graphql.settings import GraphQLSettings


def refusals(document: str, **changed: int) -> list[str]:
    return [error.message for error in limits.check(parse(document), GraphQLSettings(**changed))]


def cost_of(document: str, **variables: Any) -> int:
    parsed = parse(document)
    operation = next(node for node in parsed.definitions if isinstance(node, OperationDefinitionNode))
    return cost.of(parsed, operation, variables)


def test_depth_counts_fields_also_through_fragments() -> None:
    assert refusals("{a {b {c}}}", depth=3) == []
    assert refusals("{a {b {c}}}", depth=2) == ["The operation is 3 fields deep; the limit is 2."]
    assert refusals("{a {...f}} fragment f on T {... {b {...g}}} fragment g on T {c}", depth=2) != []


def test_depth_is_that_of_the_deepest_operation() -> None:
    assert refusals("query A {a} query B {a {b {c}}}", depth=2) != []


def test_aliases_count_as_often_as_their_fragment_is_spread() -> None:
    assert refusals("{x: a y: b c}", aliases=2) == []
    assert refusals("{...f ...f ...f} fragment f on T {x: a}", aliases=2) != []


def test_fields_are_counted_as_written() -> None:
    assert refusals("{a b {c}} fragment f on T {d}", fields=4) == []
    assert refusals("{a b {c}} fragment f on T {d}", fields=3) == ["The document has 4 fields; the limit is 3."]


def test_what_introspection_nests_is_not_ours_to_count() -> None:
    assert refusals("{__schema {types {fields {type {name}}}}}", depth=2) == []


def test_fragments_that_spread_each_other_twice_take_no_time() -> None:
    count = 60
    chain = " ".join(f"fragment f{n} on T {{...f{n + 1} ...f{n + 1}}}" for n in range(count))
    document = f"{{...f0}} {chain} fragment f{count} on T {{x: a b {{c}}}}"
    started = time.perf_counter()
    assert refusals(document) == [f"The operation has {2**count} aliases; the limit is 20."]
    assert cost_of(document) == 2**count * (1 + cost.ALIAS)
    assert time.perf_counter() - started < 1


def test_a_cycle_of_fragments_ends() -> None:
    assert refusals("{...f} fragment f on T {a {...g}} fragment g on T {b {...f}}") == []


@pytest.mark.parametrize(
    ("document", "variables", "expected"),
    [
        ("{__typename}", {}, 0),
        ("{me {id username}}", {}, 1),
        ("{posts {pageInfo {endCursor}}}", {}, 10 + 10 * 6),
        ("{posts(first: 50) {edges {node {author {id}}}}}", {}, 10 + 50 * 8),
        ("query($n: Int!) {posts(first: $n) {edges {cursor}}}", {"n": 7}, 10 + 7 * 6),
        ("query($n: Int = 3) {posts(first: $n) {edges {cursor}}}", {}, 10 + 3 * 6),
        ("query($n: Int) {posts(first: $n) {edges {cursor}}}", {}, 10 + 10 * 6),
        ("query($n: Int!) {posts(first: $n) {edges {cursor}}}", {"n": -5}, 10 + 100 * 6),
        ("query($n: Int!) {posts(first: $n) {edges {cursor}}}", {"n": 1e9}, 10 + 100 * 6),
        ("{posts(first: 0) {edges {cursor}}}", {}, 10 + 100 * 6),
        ("{me {posts(first: 2) {edges {cursor}}}}", {}, 1 + 10 + 2 * 6),
        ("{...f ...f} fragment f on Query {me {id}}", {}, 2),
        ("{nftsByOwner(owner: \"x\") {tokenId}}", {}, 10),
        ("{__schema {types {name}}}", {}, 1500),
        ("{...a ...a} fragment a on Query {__type(name: \"Post\") {name}}", {}, 2 * 1500),
        ("{posts(first: 100) {edges {node {a: content b: content}}}}", {}, 10 + 100 * (5 + 2 + 2 * 10)),
        ("subscription {postAdded {author {id}}}", {}, 10 * 2),
        ("{me {id}}", {"a": [""] * 5000}, 1 + 5000),
        ("{me {id}}", {"a": {"tags": [""] * 5000, "title": "x"}, "b": 5}, 1 + 2 + 5000),
        ("{me {id}}", {"a": {"content": {"blocks": [{}] * 500}}}, 1 + 1),
        ("mutation {a: mintNFT(postId: 1) {state} b: mintNFT(postId: 2) {state}}", {}, 2 + 2 * 50),
    ],
)  # fmt: skip
def test_cost(document: str, variables: dict[str, Any], expected: int) -> None:
    assert cost_of(document, **variables) == expected
