"""Tokens are fresh when they are needed, and each refresh token is spent once."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from load_tests.client.account import Account


class Hub:
    """Implements what Account uses of Rest: tokens of a given life."""

    def __init__(self, life: timedelta) -> None:
        self.life = life
        self.asked: list[tuple[str, Any, str | None]] = []
        self._numbers = count(1)

    def post(self, path: str, body: Any = None, *, token: str | None = None, name: str | None = None) -> Any:
        self.asked.append((name or path, body, token))
        if not path.startswith("/auth/"):
            return {"id": "r"}
        number = next(self._numbers)
        return {
            "user": {"id": "u"},
            "accessToken": f"access{number}",
            "refreshToken": f"refresh{number}",
            "accessTokenExpiresAt": (datetime.now(UTC) + self.life).isoformat(),
        }


def account(life: timedelta) -> tuple[Account, Hub]:
    hub = Hub(life)
    return Account.sign_up(hub), hub  # type: ignore[arg-type]


def test_a_token_with_life_left_is_used_again() -> None:
    person, hub = account(timedelta(minutes=10))
    assert [person.token(), person.token()] == ["access1", "access1"]
    assert len(hub.asked) == 1


def test_a_token_near_its_end_is_refreshed_and_each_refresh_token_is_used_once() -> None:
    person, hub = account(timedelta(seconds=20))
    assert [person.token(), person.token()] == ["access2", "access3"]
    assert [body for path, body, _ in hub.asked if path == "/auth/refresh"] == [
        {"refreshToken": "refresh1"},
        {"refreshToken": "refresh2"},
    ]


def test_a_reconnect_gets_a_new_token_however_long_the_last_one_lives() -> None:
    person, _ = account(timedelta(minutes=10))
    assert [person.new_token(), person.new_token(), person.token()] == ["access2", "access3", "access3"]


def test_a_request_carries_the_token_and_is_named_without_ids() -> None:
    person, hub = account(timedelta(minutes=10))
    person.post("/documents/17/members", {"role": "editor"}, name="/documents/{documentId}/members")
    assert hub.asked[-1] == ("/documents/{documentId}/members", {"role": "editor"}, "access1")
