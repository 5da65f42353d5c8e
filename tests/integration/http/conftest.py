"""A hub of one node process, for each module, whose log must stay free of errors."""

import re
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support.hub_process import HubProcess, running_hub_process
from tests.support.rest import Person, Rest
from tests.support.servers import Servers


@pytest.fixture(scope="module")
def hub(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    with running_hub_process(servers, tmp_path_factory.mktemp("hub"), nodes=1) as running:
        yield running
    assert not re.search(r"Traceback|\[(error|critical)", running.output), running.output


@pytest.fixture
async def rest(hub: HubProcess) -> AsyncIterator[Rest]:
    async with Rest(hub.url) as client:
        yield client


@pytest.fixture
async def ada(rest: Rest) -> Person:
    return await rest.sign_up("ada")


@pytest.fixture
async def bob(rest: Rest) -> Person:
    return await rest.sign_up("bob")
