"""What an operator may set about media engines."""

from typing import Literal

import msgspec

Engine = Literal["mesh", "embedded", "janus", "livekit"]


class MediaSettings(msgspec.Struct, frozen=True):
    """Which engine carries the media of a call, and how the hub's own media server is reached."""

    engine: Engine = "embedded"
    """For calls of more than ``mesh_most`` people. The hub's own (``embedded``) needs a running ``sparkle-hub media``;
    without one, calls are a mesh."""
    mesh_most: int = 2
    """People up to whom everybody sends to everybody: one more, and each would send three times."""
    servers: int = 0
    """Media servers that ``run`` starts, each with a core of its own. 0: none; calls are a mesh."""
    listen: tuple[str, ...] = ()
    """Addresses of the media server's UDP port. Default: all of the machine."""
    announce: tuple[str, ...] = ()
    """Addresses that clients are told in place of ``listen``, behind a NAT that maps ports one to one."""
    port: int = 0
    """The UDP port of the media server; several take the ports after it. 0 picks any."""
    http_host: str = "127.0.0.1"
    """Where nodes reach the media server. On another machine than they, its address there."""
    http_port: int = 0
    secret: str = ""
    """What nodes show to media servers, at least 32 characters. Default: made at the start by ``run``."""
    video_kbit: int = 1500
    """Of each picture that is sent to the media server."""
    record: bool = False
    """Whether calls may be recorded, into ``recordings`` in the data folder."""
