"""A call of several browsers through the hub's media server."""

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Script
from tests.e2e.test_calls import plays
from tests.support.hub_process import HubProcess, running_hub_process
from tests.support.servers import Servers

pytestmark = pytest.mark.timeout(300)
"""As a limit: browsers that encode and decode pictures, on cores that others use too."""
PEOPLE = 3
"""One more than a mesh has. Each page decodes what all others send, on the cores that the test has."""


@pytest.fixture(scope="module")
def hub(npm_clients: None, servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """In place of the one without a media server."""
    settings = {"SPARKLE_MEDIA_SERVERS": "1", "SPARKLE_MEDIA_LISTEN": "127.0.0.1"}
    with running_hub_process(servers, tmp_path_factory.mktemp("hub"), nodes=2, **settings) as running:
        yield running


async def test_more_than_two_send_once_each_and_see_everybody_and_a_screen_as_what_it_is(flow: Script) -> None:
    more = [f"guest_{number}" for number in range(PEOPLE - 2)]
    report = await flow("browser_media_server", more=more)

    assert all(map(plays, report["all"]))
    assert report["connections"] == [1] * PEOPLE
    assert plays(report["screen"])
    assert plays(report["left"])
