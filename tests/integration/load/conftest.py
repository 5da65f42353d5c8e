"""A hub of two nodes for each module."""

from collections.abc import Iterator

import pytest

from tests.support.hub_process import HubProcess, running_hub_process
from tests.support.servers import Servers


@pytest.fixture(scope="module")
def hub(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    with running_hub_process(servers, tmp_path_factory.mktemp("hub")) as running:
        yield running
