"""A server whose Admin UI the tests switch on. The admin is python-socketio's unmodified client."""

from collections.abc import AsyncIterator

import pytest

from hub.transport.socketio.admin import namespace
from hub.transport.socketio.server import SocketServer
from tests.support.socket_server import listening


@pytest.fixture
def server() -> SocketServer:
    """With an event that is answered, and two namespaces."""
    made = SocketServer()
    made.on("connect", lambda _sid, _environ, _auth: None)
    made.on("say", lambda _sid, *arguments: arguments)
    made.on("connect", lambda _sid, _environ, _auth: None, namespace="/chat")
    return made


@pytest.fixture
async def url(server: SocketServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    monkeypatch.setattr(namespace, "REFUSAL_S", 0.05)
    async with listening(server) as port:
        yield f"http://127.0.0.1:{port}"
