"""Engine.IO packets by hand over a WebSocket: for what no well-behaved client would send."""

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from tests.support.hub import RunningHub


class RawSocket:
    """One Engine.IO session (protocol 4) over WebSocket."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        self._websocket = websocket

    async def send(self, packet: str | bytes) -> None:
        """Send a packet as it stands."""
        if isinstance(packet, bytes):
            await self._websocket.send_bytes(packet)
        else:
            await self._websocket.send_str(packet)

    async def packet(self, beginning: str = "") -> str:
        """The next text packet that begins like this; pings are passed over. Raises AssertionError at the end."""
        while True:
            message = await self._websocket.receive(timeout=5)
            assert message.type is aiohttp.WSMsgType.TEXT, f"closed while waiting for {beginning!r}"
            if message.data != "2" and message.data.startswith(beginning):
                return str(message.data)

    async def answer(self, ack_id: int) -> dict[str, Any]:
        """The acknowledgement with this id."""
        prefix = f"43{ack_id}["
        answer: dict[str, Any] = json.loads((await self.packet(prefix))[len(prefix) - 1 :])[0]
        return answer

    async def closed(self) -> bool:
        """Read to the end, and say that it came within five seconds."""
        while True:
            message = await self._websocket.receive(timeout=5)
            if message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING):
                return True


@contextlib.asynccontextmanager
async def raw_socket(hub: RunningHub, **headers: str) -> AsyncIterator[RawSocket]:
    """Open a session; the open packet is read."""
    url = f"{hub.url}/socket.io/?EIO=4&transport=websocket"
    async with hub.http.ws_connect(url, headers=headers) as websocket:
        socket = RawSocket(websocket)
        await socket.packet("0")
        yield socket


@contextlib.asynccontextmanager
async def signed_in_socket(hub: RunningHub, token: str) -> AsyncIterator[RawSocket]:
    """A session that is connected to the namespace and has its ``session:ready``."""
    async with raw_socket(hub) as socket:
        await socket.send("40" + json.dumps({"token": token}))
        await socket.packet("40")
        await socket.packet('42["session:ready"')
        yield socket
