"""A hub of two node processes for each module; each test finds both nodes ready."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support.hub_process import HubProcess, running_hub_process
from tests.support.redis_cluster import CLUSTER, RedisCluster, running_redis_cluster
from tests.support.rest import Rest
from tests.support.servers import Servers


@pytest.fixture(scope="module")
def processes(
    request: pytest.FixtureRequest, servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HubProcess]:
    """On the session's Valkey or, for modules that ask for it, on its Redis Cluster."""
    redis_url = None
    if getattr(request, "param", None) == CLUSTER:
        redis_url = _fresh(request.getfixturevalue("started_redis_cluster")).url
    with running_hub_process(servers, tmp_path_factory.mktemp("hub"), redis_url=redis_url) as running:
        yield running
    assert "Traceback" not in running.output, running.output


@pytest.fixture
def hub(processes: HubProcess) -> HubProcess:
    processes.wait_until_ready()
    return processes


@pytest.fixture
async def rest(hub: HubProcess) -> AsyncIterator[Rest]:
    async with Rest(hub.url) as client:
        yield client


@pytest.fixture(scope="session")
def started_redis_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    with running_redis_cluster(tmp_path_factory.mktemp("redis-cluster")) as running:
        yield running


@pytest.fixture
def redis_cluster(started_redis_cluster: RedisCluster) -> RedisCluster:
    """The session's Redis Cluster, whole and empty at the beginning of the test."""
    return _fresh(started_redis_cluster)


def _fresh(cluster: RedisCluster) -> RedisCluster:
    cluster.heal()
    cluster.clear()
    return cluster
