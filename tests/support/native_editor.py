"""A client of y-websocket's protocol, in Python, that notes everything it is told."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from collab import state_vector
from collab.awareness import State
from collab.awareness import decode as decode_awareness
from collab.awareness import encode as encode_awareness
from collab.decoding import Reader
from collab.native import sync
from tests.support.yjs import Writer


@dataclass
class NativeEditor:
    """One WebSocket, one document."""

    socket: aiohttp.ClientWebSocketResponse
    writer: Writer = field(default_factory=Writer)
    synced: bool = False
    told: list[bytes] = field(default_factory=list)
    """Updates, as they came."""
    here: dict[int, State] = field(default_factory=dict)
    denied: list[str] = field(default_factory=list)
    asked: int = 0
    """Times that the hub sent step 1."""
    close_code: int | None = None

    async def run(self) -> None:
        """Read until the end."""
        async for message in self.socket:
            assert message.type is aiohttp.WSMsgType.BINARY, message
            await self._take(message.data)
        self.close_code = self.socket.close_code

    async def _take(self, data: bytes) -> None:
        reader = Reader(data)
        kind = reader.uint()
        if kind == sync.SYNC:
            what, body = reader.uint(), reader.raw()
            if what == sync.STEP_1:
                self.asked += 1
                state_vector.decode(body)
                await self.socket.send_bytes(sync.step_2(self.writer.doc.get_update(body)))
            else:
                self.writer.take(body)
                self.told.append(body)
                self.synced |= what == sync.STEP_2
        elif kind == sync.AWARENESS:
            for state in decode_awareness(reader.raw()):
                if state.json == b"null":
                    self.here.pop(state.client, None)
                else:
                    self.here[state.client] = state
        elif kind == sync.AUTH:
            assert reader.uint() == sync.PERMISSION_DENIED
            self.denied.append(reader.raw().decode())
        else:
            raise AssertionError(data)
        reader.end()

    async def ask(self) -> None:
        """Say what it has."""
        await self.socket.send_bytes(sync.step_1(self.writer.doc.get_state()))

    async def write(self, text: str) -> bytes:
        """Insert, and send the update, which is returned."""
        update = self.writer.write(text)
        await self.socket.send_bytes(sync.update(update))
        return update

    async def announce(self, *states: State) -> None:
        """Say who is here."""
        await self.socket.send_bytes(sync.awareness(encode_awareness(states)))

    def __str__(self) -> str:
        return str(self.writer)


@contextlib.asynccontextmanager
async def native_editor(
    http: aiohttp.ClientSession, url: str, document_id: str, token: str, **options: Any
) -> AsyncIterator[NativeEditor]:
    """Connect, and ask; it reads in the background until the end."""
    async with http.ws_connect(f"{url}/collab/{document_id}", params={"token": token}, **options) as socket:
        editor = NativeEditor(socket)
        await editor.ask()
        reading = asyncio.get_running_loop().create_task(editor.run())
        try:
            yield editor
        finally:
            await socket.close()
            await reading
