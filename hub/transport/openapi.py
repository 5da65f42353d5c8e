"""The OpenAPI 3.1 document, from the same endpoints and structs that serve the requests."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from hub.kernel.http import Endpoint, File, RestApi, snake
from hub.transport.rest import BASE

REFERENCE = "#/components/schemas/{name}"
TOO_MANY = "#/components/responses/TooManyRequests"
JSON = "application/json"


class FieldError(msgspec.Struct):
    """One invalid field."""

    pointer: Annotated[
        str, Meta(description="JSON pointer into the body (RFC 6901), or a slash and the parameter's name")
    ]
    detail: str


class Problem(msgspec.Struct):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: Annotated[str, Meta(description="what programs go by; see docs/wire.json for all")]
    temporary: Annotated[bool, Meta(description="whether the same request may succeed later")]
    errors: list[FieldError]


def document(apis: Iterable[RestApi], *, version: str) -> dict[str, Any]:
    """The OpenAPI document of all endpoints."""
    endpoints = [endpoint for api in apis for endpoint in api.endpoints]
    types = {_key(shape): shape for endpoint in endpoints for shape in _shapes(endpoint)}
    types[_key(Problem)] = Problem
    schemas, components = msgspec.json.schema_components(list(types.values()), ref_template=REFERENCE)
    schema_of = dict(zip(types, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        operation = _operation(endpoint, schema_of)
        paths.setdefault(BASE + endpoint.path, {})[endpoint.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Sparkle Hub",
            "version": version,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(components.items())),
            "responses": {"TooManyRequests": _too_many(schema_of)},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _shapes(endpoint: Endpoint) -> Iterable[Any]:
    yield from endpoint.path_parameters.values()
    if endpoint.query is not None:
        yield from (field.type for field in msgspec.structs.fields(endpoint.query))
    if endpoint.body is not None:
        yield endpoint.body
    if endpoint.status != HTTPStatus.NO_CONTENT and endpoint.response is not File:
        yield endpoint.response


def _key(shape: Any) -> str:
    return repr(shape)


def _operation(endpoint: Endpoint, schema_of: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{endpoint.method.lower()}{''.join(part.title() for part in _words(endpoint.path))}",
        "summary": endpoint.summary,
        "tags": [endpoint.tag],
        "parameters": _parameters(endpoint, schema_of),
        "responses": _responses(endpoint, schema_of),
    }
    if (limit := endpoint.limit) is not None:
        whose = "address" if endpoint.caller == "none" else "user"
        operation["x-limit"] = {"of": whose, "perMinute": limit.per_minute, "burst": limit.burst}
    if endpoint.role is not None:
        operation["x-role"] = endpoint.role
    if endpoint.body is not None:
        content = {JSON: {"schema": schema_of[_key(endpoint.body)]}}
        operation["requestBody"] = {"required": True, "content": content}
    if endpoint.caller != "none":
        operation["security"] = [{"bearer": []}] + ([{}] if endpoint.caller == "optional" else [])
    return operation


def _parameters(endpoint: Endpoint, schema_of: dict[str, Any]) -> list[dict[str, Any]]:
    found = [
        {"name": name, "in": "path", "required": True, "schema": schema_of[_key(shape)]}
        for name, shape in _path_types(endpoint)
    ]
    if endpoint.query is not None:
        found += [
            {
                "name": field.encode_name,
                "in": "query",
                "required": field.required,
                "schema": schema_of[_key(field.type)],
            }
            for field in msgspec.structs.fields(endpoint.query)
        ]
    if endpoint.takes_if_match:
        found.append({"name": "If-Match", "in": "header", "required": False, "schema": {"type": "string"}})
    if endpoint.method != "GET" and endpoint.caller != "none":
        found.append({"name": "Idempotency-Key", "in": "header", "required": False, "schema": {"type": "string"}})
    return found


def _path_types(endpoint: Endpoint) -> Iterable[tuple[str, Any]]:
    for part in endpoint.path.split("/"):
        if part.startswith("{"):
            name = part.strip("{}")
            yield name, endpoint.path_parameters[snake(name)]


def _responses(endpoint: Endpoint, schema_of: dict[str, Any]) -> dict[str, Any]:
    success: dict[str, Any] = {"description": HTTPStatus(endpoint.status).phrase}
    if endpoint.response is File:
        success["content"] = {"*/*": {"schema": {"type": "string", "format": "binary"}}}
    elif endpoint.status != HTTPStatus.NO_CONTENT:
        success["content"] = {JSON: {"schema": schema_of[_key(endpoint.response)]}}
    return {str(endpoint.status): success, "429": {"$ref": TOO_MANY}, "default": _refused(schema_of, "An error")}


def _refused(schema_of: dict[str, Any], description: str) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": schema_of[_key(Problem)]}}
    return {"description": description, "content": content}


def _too_many(schema_of: dict[str, Any]) -> dict[str, Any]:
    retry_after = {"description": "Seconds to wait", "schema": {"type": "integer"}}
    refused = _refused(schema_of, "More than the operation's x-limit, or its address as a whole")
    return refused | {"headers": {"Retry-After": retry_after}}


def _words(path: str) -> list[str]:
    return [part.strip("{}").replace("-", "") for part in path.split("/") if part]
