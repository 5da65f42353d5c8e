"""Which way leads to a node: what it has published of itself, and what of that this node may use."""

from dataclasses import dataclass

from hub.kernel.ports import NodeAddress
from hub.transport.forwarding.private_socket import is_ours


@dataclass(frozen=True, slots=True)
class Route:
    """A way to a node: by its Unix socket if ``path`` is set, else by TCP, where it wants the secret."""

    path: str = ""
    host: str = ""
    port: int = 0
    secret: str | None = None


def route_to(address: NodeAddress, secret: str | None) -> Route | None:
    """The best way to a node; ``None`` if there is none: it is on another machine, and one of us does not use TCP."""
    if address.socket and is_ours(address.socket):
        return Route(path=address.socket)
    if address.host and secret is not None:
        return Route(host=address.host, port=address.port, secret=secret)
    return None
