"""`sparkle-hub run`: the supervisor with the hub's settings, talking to a terminal."""

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from hub.supervisor.supervisor import Options, supervise

if TYPE_CHECKING:  # the supervisor needs nothing of the hub at run time and starts faster without it
    from hub.config import Settings


async def run(settings: "Settings", *, nodes: int, environment: Mapping[str, str]) -> int:
    """Run `nodes` nodes and the servers that the settings do not name, until a signal; gives the exit code.

    `environment` is passed on to the nodes, which read their other settings from it.
    """
    options = Options(
        environment=environment,
        data=settings.data,
        nodes=nodes,
        host=settings.host,
        port=settings.port,
        database_url=settings.database_url,
        redis_url=settings.redis_url,
        postgres_bin=settings.postgres_bin,
        valkey_bin=settings.valkey_bin,
        chain_rpc_url=settings.chain_rpc_url,
        chain_engine=settings.chain_engine,
        media_servers=settings.media.servers,
        media_port=settings.media.port,
    )
    return await supervise(options, announce=_print)


def _print(line: str) -> None:
    with contextlib.suppress(OSError):  # the reader of our output may be gone before us
        print(line, flush=True)
