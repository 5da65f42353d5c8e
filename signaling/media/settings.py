"""What an operator may set about media engines."""

from typing import Literal

import msgspec

Engine = Literal["mesh", "embedded", "janus", "livekit"]


class MediaSettings(msgspec.Struct, frozen=True):
    """Which engine carries the media of a call, and how it is reached."""

    engine: Engine = "embedded"
    """For calls of more than ``mesh_most`` people. The hub's own (``embedded``) needs a running ``sparkle-hub media``;
    without one, calls are a mesh."""
    mesh_most: int = 2
    """People up to whom everybody sends to everybody: one more, and each would send twice."""
    embedded_most: int = 0
    """People up to whom the hub's own media server carries a call where ``engine`` is another; with one more it goes
    on there. 0: none."""
    mesh_limit: int = 4
    """People in a call that no engine carries, at most: each sends to each, and three videos are what an upstream at
    home takes. A call that has lost its engine goes on with those who are in it."""
    video_kbit: int = 1500
    """Of each picture that is sent to an engine."""
    servers: int = 1
    """Media servers that ``run`` starts; each can use a core. 0: none, so that all calls are a mesh."""
    listen: tuple[str, ...] = ()
    """Addresses of a media server's UDP port. Default: all of the machine."""
    announce: tuple[str, ...] = ()
    """Addresses that clients are told in place of ``listen``, behind a NAT that maps ports one to one."""
    port: int = 0
    """The UDP port of a media server; those that ``run`` starts take it and the ones after it. 0 picks any."""
    http_host: str = "127.0.0.1"
    """Where nodes reach a media server. If they are on other machines: its address for them."""
    http_port: int = 0
    record: bool = False
    """Whether whoever is in a call on the hub's own media server may have it recorded, into ``recordings`` in the data
    folder of that server. All members are told."""
    livekit_url: str = ""
    """``https://…`` of LiveKit, for nodes."""
    livekit_client_url: str = ""
    """``wss://…`` of LiveKit, for clients."""
    livekit_api_key: str = ""
    livekit_api_secret: str = ""
    janus_url: str = ""
    """``http://…/janus``, for nodes. Its video room needs ``string_ids = true``."""
    janus_client_url: str = ""
    """``wss://…``, its WebSocket, for clients. The page may connect there."""
    janus_token_secret: str = ""
    """The ``token_auth_secret`` of Janus."""
