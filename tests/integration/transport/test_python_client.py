"""python-socketio's own client, unmodified, by every transport and both parsers."""

from typing import Any

import pytest
import socketio

from hub.transport.engineio.settings import EngineSettings
from load_tests.bare_server import bare_server
from tests.support.socket_server import listening
from tests.support.wait import until

PATHS = {"default": "socket.io", "msgpack": "socket.io-msgpack"}
PAYLOAD = {"bytes": b"\x00\xff", "text": "ü €", "nested": [{"more": b"x"}, None, 1.5]}


@pytest.mark.parametrize("parser", PATHS)
@pytest.mark.parametrize("transports", [["websocket"], ["polling"], ["polling", "websocket"]])
async def test_events_acknowledgements_and_bytes_come_and_go(parser: str, transports: list[str]) -> None:
    received: list[tuple[Any, ...]] = []
    client = socketio.AsyncClient(serializer=parser, reconnection=False)
    client.on("auth", lambda auth: received.append(("auth", auth)))
    client.on("message-back", lambda *arguments: received.append(arguments))
    async with listening(bare_server(EngineSettings())) as port:
        url = f"http://127.0.0.1:{port}"
        await client.connect(url, auth={"token": "1"}, transports=transports, socketio_path=PATHS[parser])
        await until(lambda: len(received) == 1)
        await client.emit("message", (1, PAYLOAD))
        assert await client.call("message-with-ack", PAYLOAD, timeout=5) == PAYLOAD
        await until(lambda: len(received) == 2)
        assert received == [("auth", {"token": "1"}), (1, PAYLOAD)]
        assert client.transport() == transports[-1]
        await client.disconnect()


async def test_auth_can_come_by_itself_for_suites_that_take_one_message_at_a_time() -> None:
    received: list[Any] = []
    client = socketio.AsyncClient(reconnection=False)
    client.on("auth", received.append)
    async with listening(bare_server(EngineSettings(), auth_after_s=3600.0)) as port:
        await client.connect(f"http://127.0.0.1:{port}", transports=["websocket"])
        assert await client.call("message-with-ack", 1, timeout=5) == 1
        assert received == []
        await client.disconnect()


async def test_a_client_of_each_namespace_hears_its_own_events_only() -> None:
    received: list[tuple[str, Any]] = []
    client = socketio.AsyncClient(reconnection=False)
    for namespace in ("/", "/custom"):
        client.on("message-back", lambda data, name=namespace: received.append((name, data)), namespace=namespace)
    async with listening(bare_server(EngineSettings())) as port:
        await client.connect(f"http://127.0.0.1:{port}", namespaces=["/", "/custom"], transports=["websocket"])
        await client.emit("message", "here", namespace="/custom")
        await client.emit("message", "there", namespace="/")
        await until(lambda: len(received) == 2)
        assert received == [("/custom", "here"), ("/", "there")]
        await client.disconnect()
