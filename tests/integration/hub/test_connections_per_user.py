"""How many connections one user may have: judged over both nodes, refused at CONNECT, no obstacle to coming back."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from core_api.accounts.signing_key import new_key
from tests.support.coming_back import client
from tests.support.engineio_client import raw_socket
from tests.support.hub import RunningHub, running_hub, settings
from tests.support.rest import Person, Rest
from tests.support.wait import until

MOST = 3
Nodes = tuple[RunningHub, RunningHub]


@pytest.fixture
async def nodes(database_url: str, redis_url: str) -> AsyncIterator[Nodes]:
    chosen = settings(database_url, redis_url, {"SPARKLE_GATE_CONNECTIONS_PER_USER": str(MOST)})
    key = new_key()
    async with running_hub(chosen, key=key) as one, running_hub(chosen, key=key) as two:
        yield one, two


@pytest.fixture
async def ada(nodes: Nodes) -> Person:
    async with Rest(nodes[0].url) as rest:
        return await rest.sign_up("ada")


@pytest.fixture
async def crowded(nodes: Nodes, ada: Person) -> AsyncIterator[contextlib.AsyncExitStack]:
    """As many connections as Ada may have, over both nodes; the last one goes first."""
    one, two = nodes
    async with contextlib.AsyncExitStack() as connections:
        for node in (one, two, two):
            await connections.enter_async_context(client(node, ada))
        yield connections


async def answer_to_connect(node: RunningHub, person: Person, **claim: Any) -> dict[str, Any]:
    """What CONNECT is answered: the `sid`, or the error."""
    async with raw_socket(node) as socket:
        await socket.send("40" + json.dumps({"token": person.token, **claim}))
        answer: dict[str, Any] = json.loads((await socket.packet("4"))[2:])
        return answer


@pytest.mark.usefixtures("crowded")
async def test_one_more_is_refused_on_each_node_with_a_code_and_what_to_do(nodes: Nodes, ada: Person) -> None:
    for node in nodes:
        assert await answer_to_connect(node, ada) == {
            "message": "You have 3 connections, as many as one person may have. Close one and connect again.",
            "data": {"code": "too_many_connections", "temporary": True, "limit": MOST},
        }
    await until(lambda: [len(node.hub.sockets) for node in nodes] == [1, 2])


@pytest.mark.usefixtures("crowded")
async def test_others_are_not_concerned(nodes: Nodes) -> None:
    async with Rest(nodes[0].url) as rest:
        bob = await rest.sign_up("bob")
    async with client(nodes[0], bob):
        assert "sid" in await answer_to_connect(nodes[0], bob)


async def test_a_place_is_free_as_soon_as_a_connection_has_gone_though_it_is_held(
    nodes: Nodes, ada: Person, crowded: contextlib.AsyncExitStack
) -> None:
    await crowded.aclose()
    await until(lambda: not any(len(node.hub.sockets) for node in nodes))

    async def comes_in() -> bool:
        return "sid" in await answer_to_connect(nodes[1], ada)

    async with client(nodes[1], ada):
        await until(comes_in)


async def test_whoever_comes_back_is_let_in_though_the_connection_before_still_seems_to_live(
    nodes: Nodes, ada: Person
) -> None:
    one, two = nodes
    async with contextlib.AsyncExitStack() as connections:
        first, *_ = [await connections.enter_async_context(client(node, ada)) for node in (one, two, two)]
        async with client(two, ada, **first.claim) as again:
            assert again.ready["recovered"] is True
            answer = await answer_to_connect(two, ada, pid="A" * 22)  # what it claims is of nobody
            assert answer["data"]["code"] == "too_many_connections"


async def test_of_many_at_once_no_more_get_in_than_one_for_each_node_above_the_limit(nodes: Nodes, ada: Person) -> None:
    async with contextlib.AsyncExitStack() as several:
        sockets = [await several.enter_async_context(raw_socket(nodes[number % 2])) for number in range(20)]
        for socket in sockets:
            await socket.send("40" + json.dumps({"token": ada.token}))
        answers = await asyncio.gather(*(socket.packet("4") for socket in sockets))
        assert MOST <= sum(answer.startswith("40") for answer in answers) <= MOST + len(nodes)
