"""A node that does not hear the others any more: out of the shared port in time, and its clients with it."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from hub.supervisor.node import NodeSpec, serve_command
from hub.supervisor.ports import port_of, reserve_own, reserve_shared
from tests.support.hub import CHEAP
from tests.support.late_network import LateNetwork, late_network
from tests.support.programs import running
from tests.support.rest import Person, Rest
from tests.support.socket_client import socket_client
from tests.support.wait import until

OUT_S = 5.0
"""BUDGETS: a deaf node is out of the shared port."""
START_S = 30.0


async def ready_node(url: str) -> str | None:
    """The id of the node that answers alone at an address, if it is ready."""
    try:
        async with Rest(url) as rest:
            answer = await rest.get("//health/ready")
    except aiohttp.ClientError:  # refused or reset
        return None
    return str(answer.expect(200)["nodes"][0]["nodeId"]) if answer.status == 200 else None


@dataclass
class Pair:
    """Two nodes on one port; what the second hears of Redis comes over a network of its own."""

    url: str
    own_urls: list[str]
    node_ids: list[str]
    network: LateNetwork
    ada: Person

    async def node_of_a_new_client(self) -> str:
        async with socket_client(self.url, self.ada.token) as client:
            return str((await client.expect("session:ready"))["nodeId"])


@pytest.fixture
async def pair(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Pair]:
    async with AsyncExitStack() as stack:
        network = await stack.enter_async_context(late_network(redis_url))
        shared = port_of(stack.enter_context(reserve_shared("127.0.0.1", 0)))
        own = [port_of(stack.enter_context(reserve_own())) for _ in range(2)]
        for number, url in enumerate((redis_url, network.url)):
            spec = NodeSpec(f"n{number}", "127.0.0.1", shared, own[number], tuple(own), tmp_path, START_S)
            urls = {"DATABASE_URL": database_url, "REDIS_URL": url}
            stack.enter_context(running(serve_command(spec), uid=None, inherit=(), **urls, **CHEAP))
        own_urls = [f"http://127.0.0.1:{port}" for port in own]
        node_ids = [str(await until(partial(ready_node, url), START_S)) for url in own_urls]
        rest = await stack.enter_async_context(Rest(own_urls[0]))
        yield Pair(
            url=f"http://127.0.0.1:{shared}",
            own_urls=own_urls,
            node_ids=node_ids,
            network=network,
            ada=await rest.sign_up("ada"),
        )


async def test_a_deaf_node_leaves_the_port_and_its_clients_to_the_others_and_comes_back(pair: Pair) -> None:
    async with socket_client(pair.own_urls[1], pair.ada.token) as client:
        await client.expect("session:ready")
        pair.network.fall_silent()
        began_s = time.monotonic()
        await until(lambda: not client.connected, 2 * OUT_S)
        assert time.monotonic() - began_s <= OUT_S
    assert await ready_node(pair.own_urls[1]) is None
    assert {await pair.node_of_a_new_client() for _ in range(10)} == {pair.node_ids[0]}

    pair.network.speak_again()
    await until(partial(ready_node, pair.own_urls[1]), 4 * OUT_S)

    async def takes_clients() -> bool:
        return await pair.node_of_a_new_client() == pair.node_ids[1]

    await until(takes_clients, 4 * OUT_S)
