"""The HTTP request that opened a session, as connect handlers see it."""

from typing import Any, Final

from hub.transport.engineio.handshake import RequestHead

NOWHERE: Final = ("", 0)


class Request:
    """Where a session comes from. Its head is kept as it came, and taken apart when somebody looks.

    15 000 connections with a dictionary of their headers each would take 60 MB.
    """

    __slots__ = ("_head", "address", "path", "port")

    def __init__(self, head: bytes, path: str, peer: tuple[Any, ...] | None) -> None:
        self._head = head
        self.path = path
        self.address, self.port = (str((peer or NOWHERE)[0]), int((peer or NOWHERE)[1]))

    def head(self) -> RequestHead:
        """Headers and query."""
        return RequestHead(self._head)

    def environ(self) -> dict[str, Any]:
        """The request as a WSGI environ (PEP 3333), which python-socketio hands to connect handlers."""
        target = self._head.split(b"\r\n", 1)[0].split(b" ")[1].decode("latin-1")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": self.path,
            "QUERY_STRING": target.partition("?")[2],
            "SERVER_PROTOCOL": "HTTP/1.1",
            "RAW_URI": target,
            "SCRIPT_NAME": "",
            "wsgi.url_scheme": "http",
            "REMOTE_ADDR": self.address,
            "REMOTE_PORT": str(self.port),
        }
        for name, value in self.head().headers.items():
            environ["HTTP_" + name.decode("latin-1").upper().replace("-", "_")] = value.decode("latin-1")
        return environ
