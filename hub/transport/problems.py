"""Errors over HTTP: RFC 9457 problem documents."""

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from hub.kernel.errors import HubError

CONTENT_TYPE = "application/problem+json"


class BadRequest(HubError):
    """The request is no proper HTTP, or of a kind that this address does not serve. The status says more."""

    code = "bad_request"
    http_status = 400
    temporary = False
    default_message = "The request is not one that this address serves."


class MethodNotAllowed(HubError):
    """The address exists, but not for this method; ``Allow`` lists those that it takes."""

    code = "method_not_allowed"
    http_status = 405
    temporary = False
    default_message = "This address does not take this method."


class ForbiddenOrigin(HubError):
    """A page of this origin may not open a socket. Whoever runs the hub can allow it."""

    code = "forbidden_origin"
    http_status = 403
    temporary = False
    default_message = "This origin may not connect."


def problem(
    status: int, code: str, detail: str, *, headers: Mapping[str, str] | None = None, **members: Any
) -> web.Response:
    """A problem document: ``type, title, status, detail, code`` and what ``members`` adds (``errors``)."""
    body = {
        "type": f"urn:sparkle-hub:error:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "errors": [],
    }
    return web.Response(
        body=msgspec.json.encode(body | members), status=status, content_type=CONTENT_TYPE, headers=headers
    )


def problem_of(error: HubError) -> web.Response:
    """The problem document of an error of ours, with ``Retry-After`` (whole seconds) where it says when."""
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    if error.http_status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return problem(
        error.http_status, error.code, error.message, headers=headers, temporary=error.temporary, **error.details
    )
