"""What may carry the media of calls, by the settings."""

from collections.abc import Sequence
from dataclasses import dataclass

from hub.features.core import Core
from hub.lifecycle import Step
from signaling.media.embedded.engine import Embedded
from signaling.media.embedded.lease_redis import MediaServers
from signaling.media.engine import MediaEngine
from signaling.media.engines import Available, Engines
from signaling.media.janus import Janus
from signaling.media.livekit import LiveKit
from signaling.media.mesh import Mesh


@dataclass(frozen=True)
class MediaEngines:
    """The engines of a node."""

    all: Engines
    embedded: Embedded
    servers: MediaServers
    """The hub's own media servers."""
    livekit: LiveKit | None
    closes: Sequence[Step]


def media_engines(core: Core) -> MediaEngines:
    """The mesh, the hub's own media servers, and what the settings name beside them."""
    settings, servers = core.settings.media, MediaServers(core.redis)
    embedded = Embedded(servers)
    engines: dict[str, MediaEngine] = {"mesh": Mesh(), "embedded": embedded}
    available: dict[str, Available] = {"embedded": embedded.available}
    closes: list[Step] = [embedded.aclose]
    livekit = None
    if settings.livekit_url:
        livekit = LiveKit(
            url=settings.livekit_url,
            client_url=settings.livekit_client_url,
            api_key=settings.livekit_api_key,
            api_secret=settings.livekit_api_secret,
            clock=core.clock,
        )
        engines["livekit"] = livekit
        closes.append(livekit.aclose)
    if settings.janus_url:
        janus = Janus(
            url=settings.janus_url,
            client_url=settings.janus_client_url,
            token_secret=settings.janus_token_secret,
            clock=core.clock,
            video_bits_per_s=settings.video_kbit * 1000,
        )
        engines["janus"] = janus
        closes.append(janus.aclose)
    return MediaEngines(Engines(engines, available, core.tasks), embedded, servers, livekit, closes)
