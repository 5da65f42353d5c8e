"""What holds of every operation that the hub describes: who may ask, and what is said of input that does not fit."""

from copy import deepcopy
from typing import Any

import asyncpg
import pytest

from tests.integration.http.operations import (
    DOCUMENT,
    LISTS,
    OPERATIONS,
    WITH_BODY,
    Operation,
    assert_problem,
)
from tests.support.hub_process import HubProcess
from tests.support.rest import Person, Rest

NAMES = [
    "POST /auth/signup",
    "POST /auth/signin",
    "POST /auth/refresh",
    "POST /auth/logout",
    "GET /users/{userId}",
    "GET /users/{userId}/posts",
    "POST /rooms",
    "GET /rooms",
    "GET /rooms/{roomId}",
    "GET /rooms/{roomId}/messages",
    "POST /realtime/tickets",
    "GET /presence",
    "GET /posts",
    "POST /posts",
    "GET /posts/{postId}",
    "PUT /posts/{postId}",
    "DELETE /posts/{postId}",
    "POST /documents",
    "GET /documents",
    "GET /documents/{documentId}",
    "PATCH /documents/{documentId}",
    "DELETE /documents/{documentId}",
    "POST /documents/{documentId}/members",
]
"""Operations of the contract that this hub must have at least."""
TOO_LARGE = 1_000_001
"""Bytes: one more than a body may have."""


@pytest.fixture
async def ada(rest: Rest, hub: HubProcess) -> Person:
    """Somebody who may ask for everything."""
    person = await rest.sign_up("ada")
    connection = await asyncpg.connect(hub.database_url)
    try:
        await connection.execute("UPDATE account_user SET role = 'admin' WHERE id = $1", person.id)
    finally:
        await connection.close()
    return person


async def test_the_hub_serves_the_document_that_these_tests_read(rest: Rest) -> None:
    assert _without_limits((await rest.get("//openapi.json")).expect(200)) == _without_limits(DOCUMENT)
    assert {str(operation) for operation in OPERATIONS} >= set(NAMES)


def _without_limits(document: dict[str, Any]) -> dict[str, Any]:
    """A document without what each operator sets."""
    bare = deepcopy(document)
    for path in bare["paths"].values():
        for operation in path.values():
            del operation["x-limit"]
    return bare


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
async def test_a_stranger_is_refused_exactly_where_the_document_says_so(rest: Rest, operation: Operation) -> None:
    answer = await rest.request(operation.method, operation.path())
    if operation.requires_token:
        assert_problem(answer, 401, "unauthorized")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    else:
        assert answer.status != 401


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one.takes_token], ids=str)
@pytest.mark.parametrize("header", ["Bearer x.y.z", "Bearer", "Basic YTpi", "Bearer é"])
async def test_a_token_that_is_none_is_refused_also_where_none_is_needed(
    rest: Rest, operation: Operation, header: str
) -> None:
    answer = await rest.request(operation.method, operation.path(), headers={"Authorization": header})
    assert_problem(answer, 401, "unauthorized")


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one.template.startswith("/admin/")], ids=str)
async def test_what_is_for_the_staff_is_refused_to_others_before_anything_of_it_is_read(
    rest: Rest, bob: Person, operation: Operation
) -> None:
    assert operation.role == "admin"
    answer = await rest.request(operation.method, operation.path("no such"), bob, data=b"no JSON")
    assert_problem(answer, 403, "forbidden")


@pytest.mark.parametrize("operation", WITH_BODY, ids=str)
@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"a": "\xff"}', b"NaN", b"[" * 5000])
async def test_a_body_that_is_not_json_is_malformed(rest: Rest, ada: Person, operation: Operation, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await rest.request(operation.method, operation.path(), ada, data=body, headers=headers)
    assert_problem(answer, 400, "malformed_body")


@pytest.mark.parametrize("operation", WITH_BODY, ids=str)
async def test_a_body_of_another_content_type_is_malformed(rest: Rest, ada: Person, operation: Operation) -> None:
    answer = await rest.request(operation.method, operation.path(), ada, data={"a": "form"})
    assert_problem(answer, 400, "malformed_body")


@pytest.mark.parametrize("operation", [one for one in WITH_BODY if (one.body or {}).get("required")], ids=str)
async def test_an_empty_body_is_answered_with_every_required_field(
    rest: Rest, ada: Person, operation: Operation
) -> None:
    answer = await rest.request(operation.method, operation.path(), ada, json={})
    errors = assert_problem(answer, 422, "invalid_payload")
    assert {error["pointer"] for error in errors} == {f"/{name}" for name in (operation.body or {})["required"]}


@pytest.mark.parametrize("operation", WITH_BODY, ids=str)
async def test_every_field_that_does_not_fit_is_named_and_every_strange_one(
    rest: Rest, ada: Person, operation: Operation
) -> None:
    properties = (operation.body or {})["properties"]
    body = {name: _unfit(schema) for name, schema in properties.items()} | {"a/strange~one": 1}
    answer = await rest.request(operation.method, operation.path(), ada, json=body)
    errors = assert_problem(answer, 422, "invalid_payload")
    assert {error["pointer"] for error in errors} == {f"/{name}" for name in properties} | {"/a~1strange~0one"}


def _unfit(schema: dict[str, Any]) -> Any:
    """A value of none of the types that the schema takes."""
    kinds = {one.get("type") for one in schema.get("anyOf", [schema])}
    return 7.5 if kinds & {"array", "string", "object", None} else "seven"


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one.has_uuid_in_path()], ids=str)
@pytest.mark.parametrize("parameter", ["x", "%00", "%E2%80%AE", "A" * 300, "00000000-0000-7000-8000-00000000000%0A"])
async def test_an_id_that_is_none_is_named(rest: Rest, ada: Person, operation: Operation, parameter: str) -> None:
    answer = await rest.request(operation.method, operation.path(parameter), ada)
    errors = assert_problem(answer, 422, "invalid_payload")
    assert any(f"{{{error['pointer'].lstrip('/')}}}" in operation.template for error in errors)


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one.has("path")], ids=str)
@pytest.mark.parametrize("parameter", ["00000000-0000-7000-8000-000000000000", "no-such-slug", "%00", "%F0%9F%98%80"])
async def test_what_is_not_there_is_refused_and_never_an_error_of_ours(
    rest: Rest, ada: Person, operation: Operation, parameter: str
) -> None:
    body: dict[str, Any] | None = {} if operation.body is not None else None
    answer = await rest.request(operation.method, operation.path(parameter), ada, json=body)
    # Taking a follow or a block back is idempotent, so it succeeds for people who do not exist as well.
    assert answer.status in {403, 404, 422} or (operation.method == "DELETE" and answer.status == 204)


@pytest.mark.parametrize("operation", LISTS, ids=str)
@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "/limit"),
        ("limit=101", "/limit"),
        ("limit=many", "/limit"),
        ("limit=1&limit=2", "/limit"),
        ("cursor=%00", "/cursor"),
        ("cursor=bm9uZQ", "/cursor"),
        ("offset=20", "/offset"),
    ],
)
async def test_a_query_that_does_not_fit_is_refused_by_every_list(
    rest: Rest, ada: Person, operation: Operation, query: str, pointer: str
) -> None:
    answer = await rest.get(f"{operation.path(ada.id)}?{query}", ada)
    if answer.status != 404:  # there is no room with the id of a person
        (error,) = assert_problem(answer, 422, "invalid_payload")
        assert error["pointer"] == pointer


@pytest.mark.parametrize("operation", WITH_BODY, ids=str)
async def test_a_body_that_is_too_large_is_refused(rest: Rest, ada: Person, operation: Operation) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await rest.request(operation.method, operation.path(), ada, data=b" " * TOO_LARGE, headers=headers)
    assert_problem(answer, 413, "payload_too_large")


@pytest.mark.parametrize("template", sorted({operation.template for operation in OPERATIONS}))
async def test_another_method_is_answered_with_those_that_there_are(rest: Rest, template: str) -> None:
    path = next(operation for operation in OPERATIONS if operation.template == template).path()
    there = {operation.method for operation in OPERATIONS if operation.takes_path(path)}
    answer = await rest.request("REPORT", path)
    assert_problem(answer, 405, "method_not_allowed")
    assert {method.strip() for method in answer.headers["Allow"].split(",")} - {"HEAD"} == there


@pytest.mark.parametrize("path", ["/nothing", "/user", "//nothing", "//api", "/rooms/", "/users/me/nothing"])
async def test_an_address_that_is_none_is_a_problem_too(rest: Rest, ada: Person, path: str) -> None:
    assert_problem(await rest.get(path, ada), 404, "not_found")
