"""Errors over HTTP: RFC 9457 problem documents."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from hub.kernel.errors import HubError

CONTENT_TYPE = "application/problem+json"


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
        headers["Retry-After"] = str(max(1, round(error.retry_after + 0.5)))
    if error.http_status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return problem(
        error.http_status, error.code, error.message, headers=headers, temporary=error.temporary, **error.details
    )
