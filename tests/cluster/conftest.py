"""A hub of two node processes for each module; each test finds both nodes ready."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support.hub_process import HubProcess, running_hub_process
from tests.support.rest import Rest
from tests.support.servers import Servers


@pytest.fixture(scope="module")
def processes(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    with running_hub_process(servers, tmp_path_factory.mktemp("hub")) as running:
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
