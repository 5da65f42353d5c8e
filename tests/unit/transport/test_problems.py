"""hub.transport.problems: errors as RFC 9457 documents."""

import json
from typing import Any

import pytest

from hub.kernel.errors import Forbidden, InvalidPayload, RateLimited, TokenExpired
from hub.transport.problems import problem_of


def body_of(response: Any) -> dict[str, Any]:
    assert response.content_type == "application/problem+json"
    body: dict[str, Any] = json.loads(response.body)
    return body


def test_every_member_that_clients_go_by_is_there() -> None:
    response = problem_of(Forbidden("Not you."))
    assert response.status == 403
    assert body_of(response) == {
        "type": "urn:sparkle-hub:error:forbidden",
        "title": "Forbidden",
        "status": 403,
        "detail": "Not you.",
        "code": "forbidden",
        "errors": [],
        "temporary": False,
    }


def test_details_are_members_beside_the_others() -> None:
    errors = [{"pointer": "/a", "detail": "No"}]
    body = body_of(problem_of(InvalidPayload("No", errors=errors)))
    assert (body["status"], body["errors"]) == (422, errors)


@pytest.mark.parametrize(("seconds", "header"), [(0.01, "1"), (1, "1"), (1.2, "2"), (2.0, "2"), (59.5, "60")])
def test_retry_after_is_in_whole_seconds_never_too_early_and_never_zero(seconds: float, header: str) -> None:
    assert problem_of(RateLimited(retry_after=seconds)).headers["Retry-After"] == header


def test_who_is_not_signed_in_is_told_by_which_scheme_to() -> None:
    assert problem_of(TokenExpired()).headers["WWW-Authenticate"] == "Bearer"
    assert "WWW-Authenticate" not in problem_of(Forbidden()).headers
