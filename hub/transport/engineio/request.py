"""The HTTP request that opened a session, as connect handlers see it."""

from typing import Any, Final

from hub.transport.engineio.handshake import RequestHead

NOWHERE: Final = ("", 0)


class Request:
    """Where a session comes from. Dropped once it is connected: 15 000 with all their headers would take 60 MB."""

    __slots__ = ("address", "head", "port")

    def __init__(self, head: RequestHead, peer: tuple[Any, ...] | None) -> None:
        self.head = head
        self.address, self.port = (str((peer or NOWHERE)[0]), int((peer or NOWHERE)[1]))

    def environ(self) -> dict[str, Any]:
        """The request as a WSGI environ (PEP 3333), which python-socketio hands to connect handlers."""
        path, query = self.head.path, self.head.query_string
        environ: dict[str, Any] = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SERVER_PROTOCOL": "HTTP/1.1",
            "RAW_URI": f"{path}?{query}",
            "SCRIPT_NAME": "",
            "wsgi.url_scheme": "http",
            "REMOTE_ADDR": self.address,
            "REMOTE_PORT": str(self.port),
        }
        for name, value in self.head.headers.items():
            environ["HTTP_" + name.decode("latin-1").upper().replace("-", "_")] = value.decode("latin-1")
        return environ
