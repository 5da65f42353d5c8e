"""A call whose media moves on while people talk: mesh, the hub's media server, Debian's Janus."""

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Script
from tests.e2e.test_calls import plays
from tests.support.hub_process import HubProcess, running_hub_process
from tests.support.janus import TOKEN_SECRET, running_janus
from tests.support.servers import Servers

pytestmark = [pytest.mark.timeout(300), pytest.mark.alone]
"""As a limit: several browsers that encode and decode pictures of each other."""
GAP_MS = 1000
"""What may be. The old way stays until the new one brings everybody, so it is a frame or two."""


@pytest.fixture(scope="module")
def hub(npm_clients: None, servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """In place of the one without a media server: two people on a mesh, three on ours, more on Janus."""
    with running_janus(tmp_path_factory.mktemp("janus")) as janus:
        settings = {
            "SPARKLE_MEDIA_SERVERS": "1",
            "SPARKLE_MEDIA_LISTEN": "127.0.0.1",
            "SPARKLE_MEDIA_ENGINE": "janus",
            "SPARKLE_MEDIA_EMBEDDED_MOST": "3",
            "SPARKLE_MEDIA_JANUS_URL": janus.url,
            "SPARKLE_MEDIA_JANUS_CLIENT_URL": janus.websocket_url,
            "SPARKLE_MEDIA_JANUS_TOKEN_SECRET": TOKEN_SECRET,
        }
        with running_hub_process(servers, tmp_path_factory.mktemp("hub"), nodes=2, **settings) as running:
            yield running


async def test_media_goes_on_while_a_call_moves_to_our_media_server_and_from_there_to_janus(flow: Script) -> None:
    report = await flow("browser_moves", more="dan")

    assert all(0 < gap <= GAP_MS for gap in report["gaps"]["toServer"] + report["gaps"]["toJanus"]), report["gaps"]
    for streams in report["all"]:
        assert len(streams["first"]) == 2 * 3
        assert all(streams["later"][track] > amount for track, amount in streams["first"].items())
    assert plays(report["left"])
