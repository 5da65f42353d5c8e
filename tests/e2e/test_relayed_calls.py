"""A call under the policy that media goes through TURN only, with the real coturn."""

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Script
from tests.support.coturn import SECRET, running_coturn
from tests.support.hub_process import HubProcess, running_hub_process
from tests.support.servers import Servers

pytestmark = pytest.mark.timeout(300)
"""As a limit: browsers that encode and decode pictures, on cores that others use too."""


@pytest.fixture(scope="module")
def hub(npm_clients: None, servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """In place of the one without TURN."""
    with running_coturn("--allow-loopback-peers", "--allowed-peer-ip=127.0.0.1") as coturn:
        settings = {
            "SPARKLE_ICE_POLICY": "relay",
            "SPARKLE_ICE_TURN_URLS": coturn.url("udp"),
            "SPARKLE_ICE_TURN_SECRET": SECRET,
        }
        with running_hub_process(servers, tmp_path_factory.mktemp("hub"), nodes=2, **settings) as running:
            yield running


async def test_nobody_learns_the_others_address_where_only_relays_are_allowed(flow: Script) -> None:
    report = await flow("browser_relayed")

    assert report["paths"] == [{"local": "relay", "found": ["relay"]}] * 2
    first, later = report["played"]["first"], report["played"]["later"]
    assert later[0]["frames"] > first[0]["frames"] > 0
