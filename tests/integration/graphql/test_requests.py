"""/graphql as HTTP: who may ask in which way, and what is refused before anything runs."""

import json
from collections.abc import Callable

import aiohttp
import pytest

from tests.support.graphql_client import GraphQL
from tests.support.hub import RunningHub
from tests.support.rest import Person, Rest

ALIASES = " ".join(f"f{number}: __typename" for number in range(30))


async def test_a_get_runs_nothing_and_shows_no_page(rest: Rest) -> None:
    for query in ({"query": "{__typename}"}, {}):
        answer = await rest.get("//graphql", params=query, headers={"Accept": "text/html"})
        assert answer.expect(405)["code"] == "method_not_allowed"
        assert answer.headers["Allow"] == "POST"


async def test_what_a_foreign_page_can_post_is_refused(rest: Rest) -> None:
    for kind in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"):
        answer = await rest.post("//graphql", data=b'{"query": "{__typename}"}', headers={"Content-Type": kind})
        assert answer.expect(400)["code"] == "malformed_body"


async def test_a_body_that_is_no_operation_is_refused(rest: Rest) -> None:
    for body, status, code in (
        (b"{", 400, "malformed_body"),
        (b'{"query": "\xff"}', 400, "malformed_body"),
        (b"[" * 100_000, 400, "malformed_body"),
        (b"[]", 422, "invalid_payload"),
        (b'[{"query": "{__typename}"}]', 422, "invalid_payload"),
        (b'{"query": 1}', 422, "invalid_payload"),
        (b'{"query": "{__typename}", "variables": []}', 422, "invalid_payload"),
        (b'{"query": "{\\ud800}"}', 400, "malformed_body"),
        (b"{}", 422, "invalid_payload"),
        (json.dumps({"query": "#" * 1_000_001}).encode(), 413, "payload_too_large"),
    ):
        answer = await rest.post("//graphql", data=body, headers={"Content-Type": "application/json"})
        assert answer.expect(status)["code"] == code, body[:60]


async def test_a_bad_token_is_refused_before_anything_runs(rest: Rest) -> None:
    for header in ("Bearer nonsense", "Bearer a.b.c", "Bearer", "Basic YTpi", "Bearer é"):
        answer = await rest.post("//graphql", json={"query": "{__typename}"}, headers={"Authorization": header})
        assert answer.expect(401)["code"] == "unauthorized", header


async def test_a_client_of_the_newer_media_type_sees_by_the_status_whether_it_ran(rest: Rest) -> None:
    accept = {"Accept": "application/graphql-response+json"}
    ran = await rest.post("//graphql", json={"query": "{me {id}}"}, headers=accept)
    assert ran.expect(200)["errors"][0]["extensions"]["code"] == "unauthorized"
    refused = await rest.post("//graphql", json={"query": "{nope}"}, headers=accept)
    assert "data" not in refused.expect(400)
    assert refused.headers["Content-Type"].startswith("application/graphql-response+json")


async def test_an_operation_that_is_wrong_or_too_much_is_refused(stranger: GraphQL) -> None:
    for query, code in (
        ("", "invalid_query"),
        ("{", "invalid_query"),
        ("{nope}", "invalid_query"),
        ('"' + "x" * 10_000 + '"', "invalid_query"),
        ('"' + "x" * 900_000 + '"', "query_too_costly"),
        ("{\u0000}", "invalid_query"),
        ("{x\u2028é😀}", "invalid_query"),
        ("{...nope}", "invalid_query"),
        ("{...a} fragment a on Query {...a}", "invalid_query"),
        ("query A {__typename} query B {__typename}", "invalid_query"),
        ("subscription {postAdded {id}}", "invalid_query"),
        ("query($n: Int!) {posts(first: $n) {pageInfo {endCursor}}}", "invalid_query"),
        ("{posts(first: 99999999999) {pageInfo {endCursor}}}", "invalid_query"),
        ("{" * 2000 + "}" * 2000, "invalid_query"),
        ("{" + "__typename " * 1000 + "}", "invalid_query"),
        ("{" + "__typename " * 101 + "}", "query_too_costly"),
        ("{" + ALIASES + "}", "query_too_costly"),
        ("{me" + "{posts{edges{node{author" * 3 + "{id}" + "}}}}" * 3 + "}", "query_too_costly"),
        ("{posts(first:100){edges{node{author{posts(first:100){edges{node{id}}}}}}}}", "query_too_costly"),
        ("{a: __schema{types{name}} b: __schema{types{name}}}", "query_too_costly"),
        ("{posts(first:100){edges{node{a:content b:content}}}}", "query_too_costly"),
        ("{__schema{types" + "{fields{type" * 4 + "{name}" + "}}" * 4 + "}}", "invalid_query"),
    ):
        answer = await stranger.post(query)
        assert {error["extensions"]["code"] for error in answer["errors"]} == {code}, query[:80]
        assert answer.get("data") is None
        assert len(str(answer)) < 10_000


async def test_a_null_where_the_schema_has_a_default_is_the_clients_fault(stranger: GraphQL) -> None:
    answer = await stranger.post("query($n: Int = 5) {posts(first: $n) {pageInfo {endCursor}}}", n=None)
    assert answer["errors"][0]["extensions"]["code"] == "invalid_query"


async def test_common_tools_can_read_the_schema(stranger: GraphQL) -> None:
    from graphql import get_introspection_query  # noqa: PLC0415

    data = await stranger.data(get_introspection_query())
    assert {one["name"] for one in data["__schema"]["types"]} >= {"Query", "Mutation", "Subscription"}


async def test_pages_of_other_origins_open_no_socket(hub: RunningHub, stranger: GraphQL) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with stranger.socket(headers={"Origin": "https://evil.example"}):
            pass
    assert refused.value.status == 403
    async with stranger.socket(headers={"Origin": hub.url}):
        pass


async def test_a_body_is_not_kept_by_caches(rest: Rest) -> None:
    answer = await rest.post("//graphql", json={"query": "{__typename}"})
    assert answer.headers["Cache-Control"] == "no-store"


async def test_who_is_signed_out_is_nobody_at_once(rest: Rest, of: Callable[[Person], GraphQL]) -> None:
    ada = await rest.sign_up("ada")
    await of(ada).data("{me {id}}")
    sessions = (await rest.get("/auth/sessions", ada)).expect(200)["data"]
    (await rest.request("DELETE", f"/auth/sessions/{sessions[0]['id']}", ada)).expect(204)
    headers = {"Authorization": f"Bearer {ada.token}"}
    answer = await rest.post("//graphql", json={"query": "{__typename}"}, headers=headers)
    assert answer.expect(401)["code"] == "unauthorized"


async def test_the_schema_is_published(hub: RunningHub) -> None:
    async with hub.http.get(f"{hub.url}/schema.graphql") as response:
        assert response.status == 200
        assert "type Subscription" in await response.text()
