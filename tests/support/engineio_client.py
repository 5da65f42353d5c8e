"""Engine.IO packets by hand, over a WebSocket or by long-polling: for what no well-behaved client would send."""

import contextlib
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from tests.support.hub import RunningHub

JSON_PATH = "/socket.io/"


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

    async def binary(self) -> bytes:
        """The next binary packet; others are passed over. Raises AssertionError at the end."""
        while True:
            message = await self._websocket.receive(timeout=5)
            assert message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY), "closed"
            if message.type is aiohttp.WSMsgType.BINARY:
                return bytes(message.data)

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
async def raw_socket(hub: RunningHub, *, path: str = JSON_PATH, **headers: str) -> AsyncIterator[RawSocket]:
    """Open a session; the open packet is read."""
    url = f"{hub.url}{path}?EIO=4&transport=websocket"
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


class PollingSession:
    """One Engine.IO session (protocol 4) by long-polling. It reads only when it is asked to."""

    def __init__(self, hub: RunningHub, sid: str) -> None:
        self.sid = sid
        self._http = hub.http
        self._url = f"{hub.url}{JSON_PATH}?EIO=4&transport=polling&sid={sid}"
        self._read: list[str] = []

    async def post(self, body: str | bytes) -> int:
        """Send packets as they stand, and return the status."""
        data = io.BytesIO(body.encode() if isinstance(body, str) else body)
        async with self._http.post(self._url, data=data, timeout=aiohttp.ClientTimeout(total=10)) as response:
            return response.status

    async def connect(self, token: str) -> int:
        """Send the CONNECT packet, and return the status."""
        return await self.post("40" + json.dumps({"token": token}))

    async def packet(self, beginning: str) -> str:
        """The next packet that begins like this. Raises AssertionError when the session has ended."""
        while True:
            while self._read:
                if (packet := self._read.pop(0)).startswith(beginning):
                    return packet
            assert await self._poll(), f"closed while waiting for {beginning!r}"

    async def answer(self, ack_id: int) -> dict[str, Any]:
        """The acknowledgement with this id."""
        prefix = f"43{ack_id}["
        answer: dict[str, Any] = json.loads((await self.packet(prefix))[len(prefix) - 1 :])[0]
        return answer

    async def closed(self) -> bool:
        """Poll until the session is unknown to the hub."""
        while await self._poll():
            pass
        return True

    async def _poll(self) -> bool:
        async with self._http.get(self._url, timeout=aiohttp.ClientTimeout(total=5)) as response:
            if response.status == 200:
                self._read += (await response.text()).split("\x1e")
            return response.status == 200


async def polling_session(hub: RunningHub) -> PollingSession:
    """Open a session; the open packet is read."""
    async with hub.http.get(f"{hub.url}{JSON_PATH}?EIO=4&transport=polling") as response:
        assert response.status == 200
        return PollingSession(hub, json.loads((await response.text())[1:])["sid"])


async def signed_in_polling(hub: RunningHub, token: str) -> PollingSession:
    """A session that is connected to the namespace and has its ``session:ready``."""
    session = await polling_session(hub)
    assert await session.connect(token) == 200
    await session.packet('42["session:ready"')
    return session
