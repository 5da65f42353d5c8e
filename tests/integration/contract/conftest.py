"""A hub of two node processes, shared by the tests of a module, and people who use both."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from core_api.accounts.signing_key import SigningKey, load_or_create
from hub.config import Settings
from tests.support.hub_process import HubProcess, running_hub_process
from tests.support.rest import Person, Rest
from tests.support.servers import Servers


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of the hub."""
    return tmp_path_factory.mktemp("hub")


@pytest.fixture(scope="module")
def hub(servers: Servers, data: Path) -> Iterator[HubProcess]:
    with running_hub_process(servers, data) as running:
        yield running
    assert "Traceback" not in running.output, running.output


@pytest.fixture
def signing_key(hub: HubProcess, data: Path) -> SigningKey:
    """The key that the hub signs access tokens with."""
    return load_or_create(Settings(data=data).key_file)


@pytest.fixture
async def rest(hub: HubProcess) -> AsyncIterator[Rest]:
    async with Rest(hub.nodes[0].url) as client:
        yield client


@pytest.fixture
async def elsewhere(hub: HubProcess) -> AsyncIterator[Rest]:
    """The REST interface of the other node."""
    async with Rest(hub.nodes[1].url) as client:
        yield client


@pytest.fixture
async def ada(rest: Rest) -> Person:
    return await rest.sign_up("ada")


@pytest.fixture
async def bob(rest: Rest) -> Person:
    return await rest.sign_up("bob")
