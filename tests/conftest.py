"""Fixtures for every test: real servers, started once; a database of its own and an empty Valkey for each test."""

import os
from collections.abc import AsyncIterator, Generator, Iterator

import asyncpg
import pytest
from redis import Redis as SyncRedis
from redis.asyncio import Redis

from core_api.chain.recursion import import_py_ecc
from hub.storage.postgres import create_pool
from hub.storage.redis import connect
from tests.support.chain import ChainProcess, running_chain
from tests.support.servers import Servers, running_servers

import_py_ecc()  # before a test imports eth_account, after which hostile nesting would kill the whole run


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """The session's PostgreSQL and Valkey. Always embedded ones: DATABASE_URL and REDIS_URL are not looked at."""
    with running_servers() as started:
        yield started


@pytest.fixture
def database_url(servers: Servers) -> Iterator[str]:
    """A database with all migrations applied, for this test alone. About 30 ms."""
    with servers.fresh_database() as url:
        yield url


@pytest.fixture
def empty_database_url(servers: Servers) -> Iterator[str]:
    """A database without any table, for this test alone."""
    with servers.fresh_database(migrated=False) as url:
        yield url


@pytest.fixture
def redis_url(servers: Servers) -> str:
    """The shared Valkey, empty at the beginning of the test."""
    with SyncRedis.from_url(servers.redis_url) as client:
        client.flushall()
        client.function_flush()
    return servers.redis_url


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    """A pool on the database of this test."""
    pool = await create_pool(database_url, size=8)
    yield pool
    await pool.close()


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """A client of the shared Valkey."""
    client = connect(redis_url, size=20)
    yield client
    await client.aclose()


@pytest.fixture(scope="session")
def chain() -> Iterator[ChainProcess]:
    """The session's chain, of the default engine. About 3 s, nearly all imports. Its time may be ahead of ours."""
    with running_chain() as process:
        yield process


@pytest.fixture(scope="session")
def chain_url(chain: ChainProcess) -> str:
    """JSON-RPC of the session's chain."""
    return chain.url


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With SPARKLE_TEST_ALL set, as in CI, a test that is left out has failed. Only what root alone can do may be."""
    report = yield
    everything = os.environ.get("SPARKLE_TEST_ALL")  # noqa: TID251 of the test run, not of the hub
    if report.skipped and everything and "only root" not in str(report.longrepr):
        report.outcome = "failed"
        report.longrepr = f"left out although SPARKLE_TEST_ALL is set: {report.longrepr}"
    return report
