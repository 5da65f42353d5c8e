"""hub.kernel.redis_url and hub.cluster.servers: which servers a REDIS_URL names."""

import pytest

from hub.cluster.link import Down
from hub.cluster.servers import servers_of
from hub.kernel import redis_url


@pytest.mark.parametrize(
    ("url", "servers"),
    [
        ("redis://cache:6380/1", ["redis://cache:6380/1"]),
        ("unix:///run/a,b.sock", ["unix:///run/a,b.sock"]),
        ("redis+cluster://one:1,two:2", ["redis://one:1", "redis://two:2"]),
        ("rediss+cluster://me:s%2Ct@one:1,two:2/", ["rediss://me:s%2Ct@one:1", "rediss://me:s%2Ct@two:2"]),
        ("redis+cluster://one:1,[::1]:2?a=b", ["redis://one:1?a=b", "redis://[::1]:2?a=b"]),
    ],
)
def test_a_url_names_one_server_or_some_of_a_cluster(url: str, servers: list[str]) -> None:
    assert redis_url.servers(url) == servers
    assert redis_url.is_cluster(url) == ("+cluster" in url)


async def test_one_server_has_every_shard() -> None:
    servers = servers_of("redis://cache:6380")
    assert await servers.locate("{s0}") == await servers.locate("{s1}")


async def test_a_cluster_of_which_nobody_answers_is_down() -> None:
    with pytest.raises(Down):
        await servers_of("redis+cluster://127.0.0.1:1,127.0.0.1:2").locate("{s0}")
