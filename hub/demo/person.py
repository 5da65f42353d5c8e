"""A person who signs up and connects."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from hub.demo.api import Api
from hub.demo.connection import Connection
from hub.demo.errors import ANSWER_S
from hub.demo.timeline import Timeline


class Person:
    """Somebody with an account, a REST client and one connection."""

    def __init__(self, name: str, api: Api, timeline: Timeline) -> None:
        self.name = name
        self.api = api
        self.username = f"{name}_{secrets.token_hex(6)}"
        self.id = ""
        self.connection = self.new_connection()
        self._timeline = timeline

    async def sign_up(self) -> None:
        """Make the account, and use its access token from here on."""
        account = {
            "email": f"{self.username}@demo.example",
            "username": self.username,
            "password": secrets.token_urlsafe(18),
        }
        answer = await self.api.post("/auth/signup", account)
        self.id = answer["user"]["id"]
        self.api.token = answer["accessToken"]

    def new_connection(self) -> Connection:
        """A device of the person's, not connected yet."""
        return Connection(self.name, self.does)

    async def with_token(self) -> dict[str, str]:
        """Credentials of a handshake: the access token."""
        return {"token": self.api.token or "", "device": "laptop"}

    async def with_ticket(self) -> dict[str, str]:
        """Credentials of a handshake: a ticket, which is good once, so that each connection takes another."""
        answer = await self.api.post("/realtime/tickets")
        return {"ticket": answer["ticket"], "device": "phone"}

    async def connect(self, auth: Callable[[], Awaitable[dict[str, str]]]) -> None:
        """Connect, in place of an earlier connection."""
        await self.connection.close()
        self.connection = self.new_connection()
        await self.connection.open(self.api.url, auth)

    def does(self, what: str) -> None:
        """Put into the timeline what the person does."""
        self._timeline.does(self.name, what)

    def has_seen(self, what: str) -> None:
        """Put into the timeline what the person has observed."""
        self._timeline.sees(self.name, what)

    async def ask(self, event: str, payload: object) -> Any:
        """See Connection.ask."""
        return await self.connection.ask(event, payload)

    async def sees(
        self,
        event: str,
        having: Callable[[Any], bool] = lambda _: True,
        *,
        what: str | None = None,
        within_s: float = ANSWER_S,
    ) -> Any:
        """See Connection.sees."""
        return await self.connection.sees(event, having, what=what, within_s=within_s)

    async def keep_asking(self, event: str, payload: object) -> Any:
        """Ask, and ask again after every return."""
        connection = self.connection
        return await connection.keep(lambda: connection.ask_once(event, payload))
