"""An editor in Python, in a process of its own: the provider of pycrdt-websocket, or that of ypy-websocket with y-py.

Driven by lines of JSON as tests/e2e/js/editor.mjs is. Only here is y-py imported: a server must not (ADR 1).
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

from httpx_ws import AsyncWebSocketSession, aconnect_ws

NAME = "text"


class Channel:
    """A WebSocket as ypy-websocket wants one."""

    path = ""

    def __init__(self, socket: AsyncWebSocketSession) -> None:
        self._socket = socket

    def __aiter__(self) -> "Channel":
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self.recv()
        except Exception:  # as the provider's own channels end
            raise StopAsyncIteration from None

    async def send(self, message: bytes) -> None:
        await self._socket.send_bytes(message)

    async def recv(self) -> bytes:
        return bytes(await self._socket.receive_bytes())


class Document:
    """What both have: a text to read and to append to, and whether it is synchronised, where that is known."""

    def __init__(self, read: Callable[[], str], append: Callable[[str], None], synced: Callable[[], bool]) -> None:
        self.read, self.append, self.synced = read, append, synced

    def state(self) -> dict[str, Any]:
        return {"text": self.read(), "length": len(self.read().encode("utf-16-le")) // 2, "synced": self.synced()}


@contextlib.asynccontextmanager
async def with_pycrdt(socket: AsyncWebSocketSession) -> AsyncIterator[Document]:
    from pycrdt import Doc, Provider, Text  # noqa: PLC0415
    from pycrdt.websocket.websocket import HttpxWebsocket  # noqa: PLC0415

    doc: Doc[Any] = Doc()
    text = doc.get(NAME, type=Text)
    async with Provider(doc, HttpxWebsocket(socket, "")) as provider:
        yield Document(lambda: str(text), text.__iadd__, provider.synced.is_set)


@contextlib.asynccontextmanager
async def with_ypy(socket: AsyncWebSocketSession) -> AsyncIterator[Document]:
    import y_py  # noqa: PLC0415
    from ypy_websocket.websocket_provider import WebsocketProvider  # noqa: PLC0415

    doc: Any = y_py.YDoc()
    text = doc.get_text(NAME)

    def append(what: str) -> None:
        with doc.begin_transaction() as transaction:
            text.extend(transaction, what)

    async with WebsocketProvider(doc, Channel(socket)):
        yield Document(lambda: str(text), append, lambda: True)


async def main(kind: str, url: str, documentId: str, token: str, name: str) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    address = f"{url.replace('http', 'ws', 1)}/collab/{documentId}?token={token}"
    connecting: Any = aconnect_ws(address)
    async with (
        connecting as socket,
        {"pycrdt": with_pycrdt, "ypy": with_ypy}[kind](socket) as document,
    ):
        async for line in reader:
            command = json.loads(line)
            if "write" in command:
                document.append(command["write"])
            print(json.dumps(document.state()), flush=True)


if __name__ == "__main__":
    asyncio.run(main(**json.loads(sys.argv[1])))
