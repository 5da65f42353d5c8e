"""The REST interface as one person uses it."""

import itertools
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
from multidict import CIMultiDictProxy

from tests.support.hub import PASSWORD

BASE = "/api/v1"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Answer:
    """An answer, read to its end. `body` is the decoded JSON, or `None` without one."""

    status: int
    headers: CIMultiDictProxy[str]
    body: Any

    def expect(self, status: int) -> Any:
        """The body, if the status is the one expected."""
        assert self.status == status, f"{self.status} instead of {status}: {self.body}"
        return self.body


@dataclass(frozen=True)
class Person:
    """Somebody who has signed up."""

    id: str
    name: str
    token: str

    def for_scripts(self) -> dict[str, str]:
        """What a Node script needs of them."""
        return {"id": self.id, "token": self.token}


class Rest:
    """A client of one address of a hub. Use as an asynchronous context manager."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close()

    async def request(self, method: str, path: str, by: Person | None = None, **options: Any) -> Answer:
        """Ask, as `by` or as a stranger. `path` is below BASE, or begins with `//` for the root.

        `options` are those of aiohttp: `json`, `data`, `params`, `headers`.
        """
        headers = {**({"Authorization": f"Bearer {by.token}"} if by else {}), **options.pop("headers", {})}
        url = self.url + (path[1:] if path.startswith("//") else BASE + path)
        async with self._http.request(method, url, headers=headers, **options) as response:
            has_json = response.content_type.endswith("json") and response.status not in {204, 304}
            return Answer(
                response.status, response.headers, await response.json(content_type=None) if has_json else None
            )

    async def get(self, path: str, by: Person | None = None, **options: Any) -> Answer:
        return await self.request("GET", path, by, **options)

    async def post(self, path: str, by: Person | None = None, **options: Any) -> Answer:
        return await self.request("POST", path, by, **options)

    async def sign_up(self, name: str = "person") -> Person:
        """A new account; the name gets a number of its own."""
        name = f"{name}{next(_numbers)}"
        body = {"email": f"{name}@example.org", "username": name, "password": PASSWORD}
        return _person((await self.post("/auth/signup", json=body)).expect(201))

    async def sign_in(self, name: str) -> Person:
        """Another session of somebody who has signed up."""
        answer = await self.post("/auth/signin", json={"username": name, "password": PASSWORD})
        return _person(answer.expect(200))

    async def room(self, owner: Person, *, visibility: str = "public") -> str:
        """The id of a new room."""
        answer = await self.post("/rooms", owner, json={"name": "Commons", "visibility": visibility})
        return str(answer.expect(201)["id"])

    async def document(self, owner: Person, *editors: Person) -> str:
        """The id of a new private document that `editors` may write in."""
        document = (await self.post("/documents", owner, json={"title": "Minutes"})).expect(201)
        for editor in editors:
            member = {"userId": editor.id, "role": "editor"}
            (await self.post(f"/documents/{document['id']}/members", owner, json=member)).expect(201)
        return str(document["id"])

    async def post_article(
        self, author: Person, title: str = "A title", *, status: str = "PUBLISHED"
    ) -> dict[str, Any]:
        """A new post."""
        content = {"blocks": [{"type": "paragraph", "text": "Words."}]}
        answer = await self.post("/posts", author, json={"title": title, "content": content, "status": status})
        post: dict[str, Any] = answer.expect(201)
        return post


def _person(signed_in: dict[str, Any]) -> Person:
    user = signed_in["user"]
    return Person(user["id"], user["username"], signed_in["accessToken"])
