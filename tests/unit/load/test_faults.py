"""Refusals are named by the hub's code, wherever they come from."""

import pytest

from load_tests.measures.faults import Refused, Unacknowledged, Undelivered
from load_tests.measures.report import Report


def test_an_acknowledgement_gives_code_wait_and_details() -> None:
    error = {"code": "update_gap", "message": "…", "temporary": False, "stateVector": b"\0"}
    refused = Refused.by_acknowledgement(error)
    assert (refused.code, refused.temporary, refused.retry_after_s) == ("update_gap", False, None)
    assert refused.details["stateVector"] == b"\0"
    limited = Refused.by_acknowledgement({"code": "rate_limited", "temporary": True, "retryAfter": 1.5})
    assert (limited.temporary, limited.retry_after_s) == (True, 1.5)


@pytest.mark.parametrize(
    ("status", "problem", "retry_after", "expected"),
    [
        (429, {"code": "rate_limited", "temporary": True}, "7", ("rate_limited", True, 7.0)),
        (409, {"code": "conflict", "temporary": False}, None, ("conflict", False, None)),
        (502, None, None, ("http_502", True, None)),
        (404, "not found", None, ("http_404", False, None)),
        (503, {}, "Wed, 21 Oct 2026 07:28:00 GMT", ("http_503", True, None)),
        (0, None, None, ("unreachable", True, None)),
    ],
)
def test_an_http_answer_gives_code_and_wait(
    status: int, problem: object, retry_after: str | None, expected: tuple[str, bool, float | None]
) -> None:
    refused = Refused.by_status(status, problem, retry_after)
    assert (refused.code, refused.temporary, refused.retry_after_s) == expected


def test_equal_faults_read_equally_so_that_locust_counts_them_together() -> None:
    first = Refused("rate_limited", retry_after_s=1.0, details={"code": "rate_limited"})
    assert repr(first) == repr(Refused("rate_limited", retry_after_s=2.5)) == "Refused('rate_limited')"
    assert repr(Undelivered(10.0)) == "Undelivered('not delivered within 10 s')"
    assert repr(Unacknowledged(0.5)) == "Unacknowledged('no acknowledgement within 0.5 s')"


def test_a_sample_is_a_request_event_in_milliseconds_with_its_fault() -> None:
    fired: list[dict[str, object]] = []
    fault = Undelivered(10.0)
    Report(lambda **event: fired.append(event)).sample("delivery", "room:message", 0.25, fault)
    assert fired == [
        {
            "request_type": "delivery",
            "name": "room:message",
            "response_time": 250.0,
            "response_length": 0,
            "exception": fault,
            "context": {},
        }
    ]
