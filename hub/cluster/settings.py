"""What an operator can set of a cluster."""

from typing import Annotated

import msgspec
from msgspec import Meta


class ClusterSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How nodes on several machines reach each other. Nodes on one machine need none of this."""

    secret: str | None = None
    """What nodes show each other, the same on all: at least 32 characters. It crosses the network between them as it
    is, and with it the requests that they pass on, so that network has to be private."""
    host: str = ""
    """Name or address by which nodes on other machines reach this one. Empty: they cannot, so that a balancer has to
    keep long-polling clients on their machine."""
    port: int = 0
    """The port for other nodes, on all addresses of this machine. 0 picks one."""
    recovery_s: Annotated[int, Meta(ge=0, le=180)] = 120
    """How long a client that has gone may come back and have everything it missed, in seconds; the events of a room are
    kept for five minutes. 0: nobody is recovered."""
    emitter_key: str = "socket.io"
    """Under which other programs push into the hub with @socket.io/redis-emitter: its option ``key``. Whoever can write
    to Redis can do so, and much else. Empty: nobody can."""
    shards: int = 0
    """Parts of the order of events, each on one server. The number stays, since a room stays on its part. 0: 1, and 4
    on a Redis Cluster. Each adds 11 bytes to every event that a client gets."""
