"""Two nodes of a hub in the test's process, and documents that editors have open at either."""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from core_api.accounts.signing_key import new_key
from tests.support.hub import RunningHub, running_hub, settings
from tests.support.native_editor import NativeEditor, native_editor
from tests.support.rest import Person, Rest

Connect = Callable[..., AbstractAsyncContextManager[NativeEditor]]


@pytest.fixture
async def nodes(database_url: str, redis_url: str) -> AsyncIterator[list[RunningHub]]:
    key = new_key()
    async with contextlib.AsyncExitStack() as stack:
        chosen = settings(
            database_url, redis_url, {"SPARKLE_COLLAB_ACCESS_S": "0.4", "SPARKLE_COLLAB_DOCUMENTS_PER_CONNECTION": "5"}
        )
        yield [await stack.enter_async_context(running_hub(chosen, key=key)) for _ in range(2)]


@pytest.fixture
async def rest(nodes: list[RunningHub]) -> AsyncIterator[Rest]:
    async with Rest(nodes[0].url) as client:
        yield client


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@dataclass
class Shared:
    """A document of Ada's that Bob may edit and Eve may read, and ways to open it."""

    id: str
    ada: Person
    bob: Person
    eve: Person
    rest: Rest
    nodes: list[RunningHub]
    http: aiohttp.ClientSession

    async def token(self, person: Person, access: str = "write", **more: Any) -> str:
        answer = await self.rest.post(f"/documents/{self.id}/tokens", person, json={"access": access, **more})
        token: str = answer.expect(201)["token"]
        return token

    def connect(self, token: str, node: int = 0) -> AbstractAsyncContextManager[NativeEditor]:
        return native_editor(self.http, self.nodes[node].url, self.id, token)

    async def change_role(self, person: Person, role: str) -> None:
        path = f"/documents/{self.id}/members/{person.id}"
        (await self.rest.request("PATCH", path, self.ada, json={"role": role})).expect(200)

    async def remove(self, person: Person) -> None:
        path = f"/documents/{self.id}/members/{person.id}"
        (await self.rest.request("DELETE", path, self.ada)).expect(204)


@pytest.fixture
async def shared(rest: Rest, nodes: list[RunningHub], http: aiohttp.ClientSession) -> Shared:
    ada, bob, eve = [await rest.sign_up(name) for name in ("ada", "bob", "eve")]
    document_id = await rest.document(ada, bob)
    member = {"userId": eve.id, "role": "viewer"}
    (await rest.post(f"/documents/{document_id}/members", ada, json=member)).expect(201)
    return Shared(document_id, ada, bob, eve, rest, nodes, http)
