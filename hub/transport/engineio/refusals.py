"""Requests that Engine.IO does not accept, and what they are answered with."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from hub.transport.engineio.engine import Engine
    from hub.transport.engineio.session import Session

UNKNOWN_TRANSPORT: Final = (0, "Transport unknown")
UNKNOWN_SESSION: Final = (1, "Session ID unknown")
BAD_METHOD: Final = (2, "Bad handshake method")
BAD_REQUEST: Final = (3, "Bad request")
UNSUPPORTED_VERSION: Final = (5, "Unsupported protocol version")
"""Codes and messages of the protocol's own server; clients show the message."""

TRANSPORTS: Final = ("polling", "websocket")


class Refused(Exception):
    """A request is not accepted. Nothing has been written yet."""

    def __init__(
        self,
        error: tuple[int, str],
        *,
        status: int = 400,
        reason: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(error[1])
        self.status = status
        self.headers = headers or {}
        self.content_type = "application/json"
        self.body = orjson.dumps(
            {"code": error[0], "message": error[1]} | ({} if reason is None else {"reason": reason})
        )

    def response(self) -> bytes:
        """The whole answer, as the last on its connection."""
        status = HTTPStatus(self.status)
        headers = {
            "Content-Type": self.content_type,
            "Content-Length": str(len(self.body)),
            "Connection": "close",
            **self.headers,
        }
        lines = [f"HTTP/1.1 {status.value} {status.phrase}", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + self.body

    @classmethod
    def by(cls, answer: Any) -> Refused:
        """A refusal with the status and body of an HTTP answer."""
        self = cls(BAD_REQUEST, status=answer.status)
        self.content_type, self.body = answer.content_type, bytes(answer.body)
        return self


def check_transport(query: Mapping[str, str], transport: str) -> None:
    """Raises Refused unless the query names this transport."""
    if query.get("transport") != transport:
        raise Refused(UNKNOWN_TRANSPORT)


def find_session(engine: Engine, query: Mapping[str, str]) -> Session | None:
    """The session that a request belongs to; ``None`` if it opens one. Raises Refused.

    A session that the hub has ended is unknown; why it ended is added for as long as that is remembered.
    """
    if query.get("EIO") != "4":
        raise Refused(UNSUPPORTED_VERSION)
    sid = query.get("sid")
    if sid is None:
        return None
    session = engine.sessions.get(sid)
    if session is None:
        raise Refused(UNKNOWN_SESSION, reason=engine.ended.get(sid))
    return session
