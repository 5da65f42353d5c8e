"""What a request carries from node to node beside itself, and which requests are believed."""

import hmac
from collections.abc import Callable
from typing import Final

from hub.transport.engineio.addresses import Peer
from hub.transport.engineio.refusals import BAD_REQUEST, Refused

CLIENT: Final = "X-Sparkle-Client"
"""Address and port of the client, as the node sees it to which it is connected."""
SECRET: Final = "X-Sparkle-Secret"  # noqa: S105 a name
RELEASE: Final = "X-Sparkle-Release"
"""With a GET, which is no poll then: the poll that is open is to be answered now, with nothing. Any value."""
LOST: Final = "X-Sparkle-Lost"
"""Why a session has to end, of which a poll or a POST came to nothing on its way: a reason of Engine.IO. With a GET,
which is no poll then. The other node may have got nothing of the request itself."""


def hop_headers(client: Peer, secret: str | None) -> dict[str, str]:
    """The headers of a request that is passed on for a client."""
    headers = {CLIENT: f"{client[0]} {client[1]}"}
    return headers if secret is None else headers | {SECRET: secret}


class Guard:
    """Lets in what other nodes pass on. ``secret``: theirs and ours; ``None`` where nobody else can connect."""

    def __init__(self, secret: str | None) -> None:
        self._secret = None if secret is None else secret.encode()

    def client_of(self, header: Callable[[str], str]) -> Peer:
        """The client that a request is passed on for. Raises Refused for what no node has sent."""
        if self._secret is not None:
            given = header(SECRET).encode(errors="surrogateescape")  # as it came: headers need not be UTF-8
            if not hmac.compare_digest(given, self._secret):
                raise Refused(BAD_REQUEST, status=403)
        address, _, port = header(CLIENT).partition(" ")
        if not address or not port.isdecimal():
            raise Refused(BAD_REQUEST)
        return address, int(port)
