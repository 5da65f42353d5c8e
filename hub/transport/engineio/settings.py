"""What can be set of the Engine.IO engine."""

import msgspec


class EngineSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Times in seconds, sizes in bytes. The defaults are those of the protocol's own server, where it has them."""

    ping_interval_s: float = 25.0
    ping_timeout_s: float = 20.0
    upgrade_timeout_s: float = 10.0
    """From the WebSocket's handshake to the upgrade packet."""
    connect_timeout_s: float = 20.0
    """From the session's open packet to its first CONNECT."""
    head_timeout_s: float = 10.0
    """From a TCP connection to the end of its first request head."""
    connections_per_address: int = 1000
    """Open connections of one address, or of one IPv6 /64. More are answered with 429. Offices and mobile networks
    share addresses."""
    uncapped_addresses: tuple[str, ...] = ("127.0.0.1", "::1")
    """Addresses without that limit: a reverse proxy on this machine speaks for everybody."""
    max_payload: int = 1_000_000
    """Of one message, a Socket.IO packet with all its attachments, or the body of one POST."""
