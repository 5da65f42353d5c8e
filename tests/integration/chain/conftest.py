"""The hub's contracts on the session's chain, for the tests of the engine; each has a database of its own."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from hub.storage.postgres import create_pool
from tests.support.chain import ChainProcess
from tests.support.chain_line import Line, node_on
from tests.support.mints import ChainNode, at_work, chain_node, rpc_ledger, somebody
from tests.support.servers import Servers


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("key") / "chain-key"


@pytest.fixture(scope="session")
def contracts(chain: ChainProcess, key: Path, servers: Servers) -> dict[str, str]:
    """Deployed once: each test has a database of its own, which knows nothing of it."""

    async def deploy(database_url: str) -> dict[str, str]:
        async with create_pool(database_url, size=4) as pool, rpc_ledger(chain.url) as ledger:
            node = chain_node(pool, ledger, key)
            async with at_work(node):
                await node.ended(await node.mint(somebody()))
            return (await node.deployments.ready()).contracts

    with servers.fresh_database() as url:
        return asyncio.run(deploy(url))


@pytest.fixture
async def line(chain: ChainProcess) -> AsyncIterator[Line]:
    async with rpc_ledger(chain.url) as ledger:
        yield Line(ledger)


@pytest.fixture
def node(pool: asyncpg.Pool, line: Line, key: Path, contracts: dict[str, str]) -> ChainNode:
    return node_on(pool, line, key, contracts)
