"""Which pages may open sockets."""

import pytest

from hub.transport.origins import OriginRule


@pytest.mark.parametrize("origin", ["http://hub.example:8080", "https://hub.example:8080", "", None])
def test_the_hubs_own_pages_and_programs_that_are_no_page_are_allowed(origin: str | None) -> None:
    assert OriginRule().allows(origin, "hub.example:8080")


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://hub.example",
        "https://hub.example:8080.evil.example",
        "https://hub.example:80801",
        "ftp://hub.example:8080",
        "null",
        "*",
    ],
)
def test_every_other_page_is_foreign(origin: str) -> None:
    assert not OriginRule().allows(origin, "hub.example:8080")
    assert not OriginRule(["https://app.example"]).allows(origin, "hub.example:8080")


def test_the_operator_may_allow_some_or_all() -> None:
    assert OriginRule(["https://app.example"]).allows("https://app.example", "hub.example")
    assert OriginRule(["*"]).allows("https://evil.example", "hub.example")


def test_without_a_host_no_page_is_the_hubs_own() -> None:
    assert not OriginRule().allows("http://evil.example", "")
    assert not OriginRule().allows("null", "")
