"""The HTTP request that opened a session, as connect handlers see it."""

from collections import UserDict
from typing import Any

from hub.transport.engineio.addresses import Peer
from hub.transport.engineio.handshake import RequestHead


class Request:
    """Where a session comes from. Its head is kept as bytes: the headers of 15 000 as objects would take 30 MB."""

    __slots__ = ("_text", "address", "path", "port")

    def __init__(self, head: RequestHead, peer: Peer) -> None:
        self._text, self.path = head.text, head.path
        self.address, self.port = peer

    @property
    def target(self) -> bytes:
        """The first line, with path and query as they came."""
        return self._text[: self._text.find(b"\r\n")]

    @property
    def head(self) -> RequestHead:
        """Headers and query, taken apart anew each time."""
        return RequestHead(self._text)


class Environ(UserDict[str, Any]):
    """A request as a WSGI environ (PEP 3333), which python-socketio hands to connect handlers and keeps.

    It is made when somebody looks.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self._made: dict[str, Any] | None = None

    @property
    def data(self) -> dict[str, Any]:  # type: ignore[override] # UserDict has an attribute
        """The variables."""
        if self._made is None:
            self._made = _variables(self._request)
        return self._made


def _variables(request: Request) -> dict[str, Any]:
    head = request.head
    variables: dict[str, Any] = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": head.path,
        "QUERY_STRING": head.query_string,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "RAW_URI": f"{head.path}?{head.query_string}",
        "SCRIPT_NAME": "",
        "wsgi.url_scheme": "http",
        "REMOTE_ADDR": request.address,
        "REMOTE_PORT": str(request.port),
    }
    for name, value in head.headers.items():
        variables["HTTP_" + name.decode("latin-1").upper().replace("-", "_")] = value.decode("latin-1")
    return variables
