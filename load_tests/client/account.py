"""One person's account: signing up, and an access token that is fresh when it is asked for."""

import secrets
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

from load_tests.client.rest import Rest

MARGIN = timedelta(seconds=30)
"""A token this near its end is traded for the next: the request it is for may have to wait."""


class Account:
    """Made by `sign_up`."""

    def __init__(self, rest: Rest, signed_in: dict[str, Any]) -> None:
        self.id: str = signed_in["user"]["id"]
        self._rest = rest
        self._lock = threading.Lock()  # a refresh token is good once
        self._take(signed_in)

    @classmethod
    def sign_up(cls, rest: Rest) -> "Account":
        """A new person with a random name. Raises Refused."""
        name = f"load_{secrets.token_hex(8)}"
        body = {"email": f"{name}@load.example", "username": name, "password": secrets.token_urlsafe(18)}
        return cls(rest, rest.post("/auth/signup", body))

    def token(self) -> str:
        """An access token with some life left. Raises Refused."""
        with self._lock:
            if self._expires_at - datetime.now(UTC) < MARGIN:
                self._refresh()
            return self._access_token

    def new_token(self) -> str:
        """An access token that no earlier request or connection has used. Raises Refused."""
        with self._lock:
            self._refresh()
            return self._access_token

    def post(self, path: str, body: object = None, *, name: str | None = None) -> Any:
        """See `Rest.post`, as this person."""
        return self._rest.post(path, body, token=self.token(), name=name)

    def _refresh(self) -> None:
        self._take(self._rest.post("/auth/refresh", {"refreshToken": self._refresh_token}))

    def _take(self, signed_in: dict[str, Any]) -> None:
        self._access_token: str = signed_in["accessToken"]
        self._refresh_token: str = signed_in["refreshToken"]
        self._expires_at = datetime.fromisoformat(signed_in["accessTokenExpiresAt"])
