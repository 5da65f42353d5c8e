"""Media servers that the hub starts: found by its nodes, killed, started again."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.storage.redis import connect
from signaling.media.embedded.lease_redis import MediaServers
from tests.support.hub_process import HubProcess, Node, running_hub_process
from tests.support.servers import Servers
from tests.support.wait import until


@pytest.fixture
def hub(servers: Servers, tmp_path: Path) -> Iterator[HubProcess]:
    with running_hub_process(servers, tmp_path, nodes=1, SPARKLE_MEDIA_SERVERS="1") as running:
        yield running


async def test_a_media_server_is_started_with_the_hub_and_again_when_it_dies(hub: HubProcess, servers: Servers) -> None:
    redis = connect(servers.redis_url, size=2)
    media = MediaServers(redis)
    (first,) = await until(media.live, 30.0)
    os.kill(Node("m1", "", hub.program.pid).pid, signal.SIGKILL)

    async def another() -> bool:
        return bool(set(await media.live()) - {first})

    await until(another, 30.0)

    async def is_gone() -> bool:  # not who is to be buried: a node of the hub may have looked first
        return first not in await media.live()

    await until(is_gone, 30.0)
    await redis.aclose()
