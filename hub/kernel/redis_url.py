"""What REDIS_URL may say: one server, or some servers of a Redis Cluster by which the others are found."""

from typing import Final

CLUSTER: Final = {"redis+cluster://": "redis://", "rediss+cluster://": "rediss://"}
"""Schemes of a cluster, and those of each of its servers."""
SCHEMES: Final = ("redis://", "rediss://", "unix://", *CLUSTER)


def is_cluster(url: str) -> bool:
    """Whether the URL is that of a Redis Cluster: ``redis+cluster://user:password@one:6379,two:6379``."""
    return url.startswith(tuple(CLUSTER))


def servers(url: str) -> list[str]:
    """The URLs of the servers that a URL names, each with the same user, password and options."""
    for scheme, plain in CLUSTER.items():
        if url.startswith(scheme):
            rest, mark, options = url.removeprefix(scheme).partition("?")
            who, at, hosts = rest.rpartition("@")
            return [f"{plain}{who}{at}{host.strip('/ ')}{mark}{options}" for host in hosts.split(",")]
    return [url]
